/** The line at the top of a view: what is watched, how it stands, and how much it did. */

/** @import { Tally } from "./wire.js" */
/** @import { View } from "./view.js" */

import { element, setText } from "./dom.js";
import { count, counted, formatDuration, formatSilence } from "./format.js";
import { SIGNS, WORDS } from "./signs.js";
import { firstSeen, NAMELESS } from "./times.js";

/** @typedef {"runs" | "running" | "elapsed" | "iterations" | "models" | "tools" | "tokens" | "errors"} Fact */

/** One number with its word. */
class Figure {
  value = element("b", "value");
  word = element("span", "word");

  /** @param {string} name */
  constructor(name) {
    this.node = element("span", "fact", { "data-fact": name }, this.value, " ", this.word);
  }

  /**
   * @param {string} value "" for nothing to say
   * @param {string} word
   */
  show(value, word) {
    this.node.hidden = value === "";
    setText(this.value, value);
    setText(this.word, word);
  }
}

export class Header {
  /** @type {View} */
  #view;
  #sign = element("span", "outcome");
  #title = element("strong", "title");
  #status = element("span", "status", { role: "status" });
  #missing = element("span", "missing", { role: "status", "data-state": "error" });
  #facts = element("div", "facts");
  node = element("header", "bar", {}, this.#sign, this.#title, this.#status, this.#missing, this.#facts);
  /** @type {Map<Fact, Figure>} */
  #figures = new Map();

  /** @param {View} view */
  constructor(view) {
    this.#view = view;
  }

  draw() {
    const { link, followed } = this.#view;
    const tally = link.tallies.get(followed);
    setText(this.#title, followed ? firstSeen(tally?.name ?? "", followed, NAMELESS) : "all runs");
    this.#title.title = firstSeen(followed);
    this.#title.classList.toggle("lo-run-id", followed !== "" && !tally?.name);
    setText(this.#status, link.isQuiet ? formatSilence(link.silence) : link.status);
    this.#status.dataset["state"] = link.isQuiet ? "stale" : link.status;
    this.#missing.hidden = link.missing === 0;
    setText(this.#missing, link.missing === 0 ? "" : `${counted(link.missing, "event")} missing`);
    this.#sign.hidden = !tally;
    this.#sign.dataset["state"] = tally?.status ?? "";
    this.#sign.title = tally ? WORDS[tally.status] : "";
    setText(this.#sign, tally ? SIGNS[tally.status] : "");
    if (followed) this.#drawRun(tally);
    else this.#drawRuns();
  }

  /** @param {Tally | undefined} tally */
  #drawRun(tally) {
    this.#show("runs", "", "");
    this.#show("running", "", "");
    const end = tally?.ended ?? this.#view.link.now();
    this.#show(
      "elapsed",
      tally ? formatElapsed(Math.max(0, end - tally.started), tally.ended !== null) : "",
      "elapsed",
    );
    this.#drawCounts(tally ?? NOTHING);
  }

  #drawRuns() {
    const tallies = [...this.#view.link.tallies.values()];
    const running = tallies.filter(({ status }) => status === "running").length;
    this.#count("runs", tallies.length, "run");
    this.#show("running", running ? count(running) : "", "running");
    this.#show("elapsed", "", "");
    const sum = { ...NOTHING };
    for (const tally of tallies) for (const key of COUNTED) sum[key] += tally[key];
    this.#drawCounts(sum);
  }

  /** @param {Counts} counts */
  #drawCounts(counts) {
    this.#count("iterations", counts.iterations, "iteration");
    this.#count("models", counts.modelCalls, "model call");
    this.#count("tools", counts.toolCalls, "tool call");
    const { inputTokens, outputTokens } = counts;
    const tokens = inputTokens + outputTokens > 0;
    this.#show("tokens", tokens ? `${count(inputTokens)} + ${count(outputTokens)}` : "", "tokens");
    this.#count("errors", counts.errors, "error");
  }

  /**
   * @param {Fact} name
   * @param {number} number
   * @param {string} noun
   */
  #count(name, number, noun) {
    this.#show(name, number > 0 ? count(number) : "", number === 1 ? noun : `${noun}s`);
  }

  /**
   * @param {Fact} name
   * @param {string} value
   * @param {string} word
   */
  #show(name, value, word) {
    let figure = this.#figures.get(name);
    if (!figure) {
      figure = new Figure(name);
      this.#figures.set(name, figure);
      this.#facts.append(figure.node);
    }
    figure.show(value, word);
  }
}

/** @typedef {Pick<Tally, "iterations" | "modelCalls" | "toolCalls" | "errors" | "inputTokens" | "outputTokens">} Counts */

/** @type {Counts} */
const NOTHING = { iterations: 0, modelCalls: 0, toolCalls: 0, errors: 0, inputTokens: 0, outputTokens: 0 };

const COUNTED = /** @type {(keyof Counts)[]} */ (Object.keys(NOTHING));

/**
 * A length of time that stands still once it is over, and while it grows shows no more than tenths.
 *
 * @param {number} ms
 * @param {boolean} isOver
 */
function formatElapsed(ms, isOver) {
  return isOver || ms >= 59_950 ? formatDuration(ms) : `${(ms / 1000).toFixed(1)} s`;
}
