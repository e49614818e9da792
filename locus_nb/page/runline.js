/** One line of the list of runs. */

/** @import { Tempo } from "./tempo.js" */
/** @import { RunStatus, Tally } from "./wire.js" */

import { element, setText } from "./dom.js";
import { compact, count, counted, formatAge, formatDate, formatTime, hueOf, shortRate } from "./format.js";
import { SIGNS, WORDS } from "./signs.js";
import { firstSeen } from "./times.js";

/** The cells after the name, by part of the view. */
const CELLS = /** @type {const} */ (["age", "events", "tokens", "errors", "rate"]);

/** @param {Tally} tally */
export const tokensOf = ({ inputTokens, outputTokens }) => inputTokens + outputTokens;

/** A line, used for whichever run stands there. */
export class RunLine {
  #sign = element("span", "run-sign", { role: "gridcell" });
  #dot = document.createElement("span");
  #name = element("b", "run-name", { dir: "auto" });
  #more = document.createElement("span");
  #cells = Object.fromEntries(
    CELLS.map((part) => [part, element("span", `run-${part}`, { role: "gridcell" })]),
  );
  node = element(
    "div",
    "run-line",
    { role: "row" },
    this.#sign,
    element("span", "named", { role: "gridcell" }, this.#dot, this.#name, this.#more),
    ...Object.values(this.#cells),
  );

  /**
   * @param {Tally} tally
   * @param {number} rate events per second
   * @param {number} now Unix epoch in milliseconds
   */
  showRun(tally, rate, now) {
    const { run, name, status, started, events, errors } = tally;
    this.#say(status, SIGNS[status], firstSeen(name, run, "run"), "");
    this.#dot.style.setProperty("--l-run-hue", String(hueOf(run)));
    const isFresh = status !== "running" && now - started < 60_000;
    const age = isFresh ? "< 1 m" : formatAge(now - started);
    this.#count(age, events, tokensOf(tally), errors, rate);
    // An id that reads from right to left must not turn what follows it around.
    const words = [
      `\u2068${firstSeen(run, "run")}\u2069`,
      WORDS[status],
      `started ${formatDate(started)} ${formatTime(started)}`,
    ];
    const counts = [counted(events, "event"), counted(tokensOf(tally), "token"), counted(errors, "error")];
    this.#explain([...words, ...counts].join(" · "));
  }

  /**
   * @param {Tally[]} tallies
   * @param {Tempo} tempo
   */
  showAll(tallies, tempo) {
    const running = tallies.filter(({ status }) => status === "running").length;
    const sum = (/** @type {(tally: Tally) => number} */ of) =>
      tallies.reduce((all, tally) => all + of(tally), 0);
    this.#say("", "", "All runs", `${count(running)} running`);
    const rate = sum(({ run }) => tempo.of(run));
    this.#count(
      "",
      sum(({ events }) => events),
      sum(tokensOf),
      sum(({ errors }) => errors),
      rate,
    );
    this.#explain("");
  }

  /**
   * @param {RunStatus | ""} status
   * @param {string} sign
   * @param {string} name
   * @param {string} more
   */
  #say(status, sign, name, more) {
    this.node.dataset["state"] = status;
    setText(this.#sign, sign);
    this.#sign.setAttribute("aria-label", status && WORDS[status]);
    this.#dot.hidden = status === "";
    setText(this.#name, name);
    setText(this.#more, more);
  }

  /**
   * @param {string} age
   * @param {number} events
   * @param {number} tokens
   * @param {number} errors
   * @param {number} rate
   */
  #count(age, events, tokens, errors, rate) {
    const cells = this.#cells;
    const { state } = this.node.dataset;
    const isOver = state !== "" && state !== "running";
    setText(cells["age"], age);
    setText(cells["events"], compact(events));
    setText(cells["tokens"], tokens > 0 ? compact(tokens) : "");
    setText(cells["errors"], errors > 0 ? `✕ ${compact(errors)}` : "");
    setText(cells["rate"], rate > 0 ? `${shortRate(rate)}/s` : isOver ? "–" : "");
  }

  /** @param {string} words */
  #explain(words) {
    if (this.node.title !== words) this.node.title = words;
  }
}
