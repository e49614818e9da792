/** When the spans of a view begin and stop, and how they stand, as seen at some moment of it. */

/** @import { State } from "./query.js" */
/** @import { Row } from "./row.js" */
/** @import { View } from "./view.js" */

/** @param {Row} item */
export const isSpan = (item) => item.phase === "start" || item.phase === "end";

/**
 * Unix milliseconds. An end without a start began as long before as it says it took.
 *
 * @param {Row} item
 */
export const beginOf = (item) => (item.phase === "end" ? item.time - (item.duration ?? 0) : item.time);

// What is not seen or turns what follows around; not what joins several pictures into one.
export const HIDDEN =
  /(?!(?<=\p{Emoji_Modifier}|\p{Extended_Pictographic}|\uFE0F)\u200D\p{Extended_Pictographic})[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/**
 * A text without characters that are not seen or that turn what follows around; a space stands for each.
 *
 * @param {string} text
 */
export const visible = (text) => (/^[ -~]*$/.test(text) ? text : text.replace(HIDDEN, " "));

/**
 * A visible text in one line, with no more than one space between its words.
 *
 * @param {string} text
 */
export function plain(text) {
  // Nearly all texts; the other expressions take ten times as long.
  if (/^[!-~]+(?: [!-~]+)*$/.test(text)) return text;
  return visible(text)
    .replace(/[\p{Z}\s]+/gu, " ")
    .trim();
}

const MAX_NAME = 200;
/** What stands for a name in which there is nothing to see. */
export const NAMELESS = "(no name)";

/**
 * The first of these names in which there is something to see, in one line and not too long; "" without one.
 *
 * @param {(string | null)[]} names
 */
export function firstSeen(...names) {
  for (const name of names) {
    const shown = plain(name?.slice(0, MAX_NAME) ?? "");
    if (shown) return shown;
  }
  return "";
}

/**
 * What a reader calls a span: the tool's or the model's name, else its type without "started".
 *
 * @param {Row} item
 */
export function titleOf(item) {
  const shown = firstSeen(item.name ?? (item.family === "agent" ? item.agent : null));
  if (shown) return shown;
  const parts = item.type.split(".");
  const hasEnding = parts.length > 1 && item.type !== "agent.interrupt";
  return (isSpan(item) && hasEnding ? parts.slice(0, -1) : parts).slice(-2).join(".");
}

/** The times of a view's items. What lies after `until` has not happened yet: the cursor of a replay. */
export class Times {
  /** Unix milliseconds; Infinity: nothing is cut off. */
  until = Number.POSITIVE_INFINITY;

  /** @param {Pick<View, "endOf" | "now" | "link" | "state">} view */
  constructor(view) {
    this.view = view;
  }

  now() {
    return Math.min(this.view.now(), this.until);
  }

  /**
   * The row that ended a span by now.
   *
   * @param {Row} item
   */
  endOf(item) {
    const end = item.phase === "start" ? this.view.endOf(item) : item;
    return end && end.time <= this.until ? end : null;
  }

  /**
   * When a run ended, in Unix milliseconds; null while it goes on.
   *
   * @param {string} run
   */
  endedAt(run) {
    const { isOver, tallies, store } = this.view.link;
    const tally = tallies.get(run);
    let ended = null;
    if (tally && tally.status !== "running") ended = tally.ended ?? tally.last;
    else if (isOver) ended = store.rows.at(-1)?.time ?? null;
    // What a run says of itself is so, whatever the clock of the page has made of the kernel's by now.
    const limit = this.view.state.paused ? this.now() : this.until;
    return ended !== null && ended <= limit ? ended : null;
  }

  /**
   * Unix milliseconds: its end; of an open span the end of its run, or now.
   *
   * @param {Row} item
   */
  stopOf(item) {
    const stop = this.endOf(item)?.time ?? this.endedAt(item.run) ?? this.now();
    return Math.max(stop, beginOf(item));
  }

  /**
   * @param {Row} item
   * @returns {State}
   */
  stateOf(item) {
    if (!isSpan(item)) return item.status;
    const end = this.endOf(item);
    if (end) return end.status ?? "ok";
    return this.endedAt(item.run) === null ? "running" : "open";
  }

  /**
   * How long an item took, or has taken so far, in milliseconds.
   *
   * @param {Row} item
   */
  lengthOf(item) {
    return this.endOf(item)?.duration ?? this.stopOf(item) - beginOf(item);
  }
}
