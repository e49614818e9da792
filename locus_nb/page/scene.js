/** What a view shows, and how the items of it stand. */

/** @import { Link } from "./link.js" */
/** @import { State } from "./query.js" */
/** @import { Row } from "./row.js" */
/** @import { Items } from "./shown.js" */

import { count, counted } from "./format.js";
import { lengthOf } from "./row.js";
import { Shown } from "./shown.js";
import { ViewState } from "./state.js";
import { lowerBound } from "./store.js";

/** The items of a view as they are, or as they were when it was paused. Knows nothing of elements. */
export class Scene {
  /** Since when it is paused, in Unix milliseconds, and after how many rows. */
  #stopped = { at: 0, rows: 0 };
  /** @type {Map<Row, { chars: number, chunk: Row | null, chunks: number }>} what was streaming when it was paused */
  #streaming = new Map();

  /**
   * @param {Link} link
   * @param {() => void} changed
   */
  constructor(link, changed) {
    this.link = link;
    this.state = new ViewState(changed);
    /** @type {Items} what there is to show: everything, or all there was when it was paused */
    this.base = link.fold;
    this.shown = new Shown(this.base);
  }

  /**
   * The row that ended a span as far as the view shows it: none while paused before it.
   *
   * @param {Row} item
   */
  endOf(item) {
    return item.end && item.end.seq <= this.state.until ? item.end : null;
  }

  /** @param {Row} item */
  chunkOf(item) {
    if (!item.chunk) return null;
    return this.state.paused ? (this.#streaming.get(item) ?? null) : item;
  }

  /**
   * The event type that an item stands for: that of its end once it has come.
   *
   * @param {Row} item
   */
  typeOf(item) {
    return this.endOf(item)?.type ?? item.type;
  }

  /** @param {string} run */
  nameOf(run) {
    return this.link.tallies.get(run)?.name || run;
  }

  /**
   * @param {Row} item
   * @returns {State}
   */
  stateOf(item) {
    const end = this.endOf(item);
    if (end) return end.status ?? "ok";
    if (item.phase === "end") return item.status ?? "ok";
    if (item.phase !== "start") return item.status;
    return this.#isOver(item.run) ? "open" : "running";
  }

  /** @param {string} run */
  #isOver(run) {
    const { isOver, tallies } = this.link;
    const tally = tallies.get(run);
    const hasEnded = tally !== undefined && tally.status !== "running";
    if (this.state.paused && hasEnded) return (tally.ended ?? tally.last) <= this.#stopped.at;
    return hasEnded || isOver;
  }

  /**
   * How long an item took, or has been running for; null for what has no length.
   *
   * @param {Row} item
   */
  elapsed(item) {
    const length = lengthOf(item, this.endOf(item));
    if (length !== null || this.stateOf(item) !== "running") return length;
    return Math.max(0, this.now() - item.time);
  }

  /**
   * One line about an item as it stands.
   *
   * @param {Row} item
   */
  previewOf(item) {
    const end = this.endOf(item);
    if (end) return end.preview || item.preview;
    const stream = this.chunkOf(item);
    const words = this.stateOf(item) === "open" ? "never completed · " : "";
    if (!stream?.chunk) return `${words}${item.preview}`;
    const seconds = (stream.chunk.time - item.time) / 1000;
    const rate = seconds > 0 ? ` · ${count(Math.round(stream.chars / seconds))}/s` : "";
    return `${words}${counted(stream.chars, "character")}${rate} · ${stream.chunk.preview}`;
  }

  /** The time up to which the view shows things, in Unix milliseconds: now, or when it was paused. */
  now() {
    return this.state.paused ? this.#stopped.at : this.link.now();
  }

  /** How many events have come since the view was paused. */
  get fresh() {
    return this.#rowsEver - this.#stopped.rows;
  }

  get #rowsEver() {
    const { store } = this.link;
    return store.dropped + store.rows.length;
  }

  /**
   * The selected rows, ascending by seq: of each item also its end.
   *
   * @param {number} limit
   */
  selectedRows(limit) {
    const { selected, range, among } = this.state;
    if (selected === null) return [];
    let items = [selected];
    if (among) items = [...among].filter((item) => this.#isShown(item)).slice(0, limit);
    else if (range) {
      const [from, to] = this.#bounds(range);
      items = this.shown.items.slice(from, Math.min(to, from + limit));
    }
    const rows = items.flatMap((item) => [item, this.endOf(item)]).filter((row) => row !== null);
    return [...new Set(rows)].sort((a, b) => a.seq - b.seq).slice(0, limit);
  }

  /** How many of the items shown are selected. */
  countSelected() {
    const { range, among } = this.state;
    if (among) return [...among].filter((item) => this.#isShown(item)).length;
    const [from, to] = range ? this.#bounds(range) : [0, 0];
    return to - from;
  }

  /** @param {Row} item */
  #isShown(item) {
    const { items } = this.shown;
    return items[lowerBound(items, item.seq)] === item;
  }

  /**
   * @param {[first: number, last: number]} range
   * @returns {[from: number, to: number]} the indexes of those between
   */
  #bounds([first, last]) {
    const { items } = this.shown;
    return [lowerBound(items, first), lowerBound(items, last + 1)];
  }

  /**
   * Stops the view where it is, or lets it catch up. The run goes on.
   *
   * @param {boolean} on
   */
  pause(on) {
    if (on === this.state.paused) return;
    const { fold, store } = this.link;
    const { version } = this.shown;
    this.#stopped = { at: this.link.now(), rows: this.#rowsEver };
    this.#streaming = new Map(
      (on ? fold.items.filter(({ chunk }) => chunk) : []).map((item) => [item, { ...item }]),
    );
    this.base = on ? fold.snapshot() : fold;
    this.shown = new Shown(this.base);
    this.shown.version = version + 1;
    this.state.set({ until: on ? (store.rows.at(-1)?.seq ?? 0) : Number.POSITIVE_INFINITY });
  }
}
