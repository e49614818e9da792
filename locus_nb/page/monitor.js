/** The bus as a picture: how much it carries, who cannot keep up, what is kept. */

/** @import { Model } from "./line.js" */
/** @import { StatsLink } from "./stats.js" */

import { Chart } from "./chart.js";
import { element, setText } from "./dom.js";
import { count, counted, FORGOTTEN_MS, formatSilence } from "./format.js";
import { keepKeys } from "./keys.js";
import { ReaderList } from "./readers.js";
import { twinRules } from "./twin.js";

const STALE_MS = 2_000;

/**
 * The figures under the chart by fact, each with its name and what it means. The last four are losses.
 *
 * @type {[fact: string, name: string, meaning: string][]}
 */
const FIGURES = [
  ["kept", "runs kept", "Runs whose history is kept, of as many as may be"],
  ["published", "published", "Events that came in"],
  ["backlog", "backlog", "Events that wait to be read, over all readers"],
  ["trimmed", "trimmed", "Older events that left their run's history"],
  ["evicted", "evicted", "Runs that left history"],
  ["dropped", "dropped", "Events that readers never got because they were too slow"],
  ["late", "late", "Events published after their run was closed"],
  ["refused", "refused", "Readers of all runs that were one too many"],
  ["emit_failures", "failed emits", "Events that emit could not publish"],
];
const FIRST_LOSS = 5;

/** One view of a monitor in one output. Draws at most once a frame, and only after something came or is lacking. */
export class Monitor {
  #over = new AbortController();
  #twin = document.createElement("style");
  #badge = element("span", "status", { role: "status" });
  #about = element("span", "count");
  #chart = new Chart();
  #figures = FIGURES.map(([, name, title]) =>
    element("div", "figure", { title }, document.createElement("b"), name),
  );
  #keptBar = document.createElement("i");
  #note = element("div", "note");
  #frame = 0;
  #timer = 0;

  #link;
  #model;
  #readers;
  #root;

  /**
   * @param {StatsLink} link
   * @param {Model} model
   * @param {HTMLElement} el
   */
  constructor(link, model, el) {
    this.#link = link;
    this.#model = model;
    this.#readers = new ReaderList(this.#over.signal);
    this.#root = this.#build();
    keepKeys(this.#root, this.#over.signal);
    el.replaceChildren(this.#root);
    link.views.add(this.schedule);
    model.on("change:twin", this.schedule);
    this.schedule();
  }

  stop = () => {
    this.#over.abort();
    cancelAnimationFrame(this.#frame);
    clearTimeout(this.#timer);
    this.#link.views.delete(this.schedule);
    this.#model.off("change:twin", this.schedule);
    this.#root.remove();
  };

  /** Draws with the next frame. */
  schedule = () => {
    if (this.#frame || this.#over.signal.aborted) return;
    this.#frame = requestAnimationFrame(() => {
      this.#frame = 0;
      this.#draw();
    });
  };

  #build() {
    const title = element("strong", "title", {}, "Bus monitor");
    this.#figures[0].append(element("span", "meter", {}, this.#keptBar));
    const figures = element("div", "figures", {}, ...this.#figures);
    const body = element("div", "monitor", {}, this.#chart.node, figures, this.#readers.node);
    const bar = element("div", "bar", {}, title, this.#badge, this.#about);
    return element("section", "", { "aria-label": "Bus monitor" }, this.#twin, bar, body, this.#note);
  }

  #draw() {
    const link = this.#link;
    setText(this.#twin, link.heard ? twinRules(this.#model.get("twin")) : "");
    this.#drawBadge();
    const { samples, facts } = link;
    const silence = link.silence > STALE_MS ? link.silence : 0;
    this.#chart.draw(samples, silence);
    if (facts) this.#drawFigures({ ...facts, backlog: samples.at(-1)?.backlog ?? 0 });
    this.#readers.draw(link.readers, facts?.readers ?? 0);
    setText(this.#note, this.#noteText());
    this.#note.hidden = this.#note.textContent === "";
    this.#drawAgain();
  }

  /** Without messages the time goes on, until nothing of the minute is left; where none is heard it is said. */
  #drawAgain() {
    clearTimeout(this.#timer);
    const { silence } = this.#link;
    if (!this.#link.heard || silence > FORGOTTEN_MS) return;
    const wait = silence < STALE_MS ? STALE_MS - silence + 1 : 1_000;
    this.#timer = window.setTimeout(this.schedule, wait);
  }

  #drawBadge() {
    const { heard, silence } = this.#link;
    const state = !heard ? "waiting" : silence > STALE_MS ? "stale" : "live";
    this.#badge.dataset["state"] = state;
    setText(this.#badge, state === "stale" ? formatSilence(silence) : state);
    this.#root.classList.toggle("lo-stale", state === "stale");
  }

  /** @param {Record<string, number>} facts */
  #drawFigures(facts) {
    const { history_runs: runs, max_runs: most } = facts;
    setText(this.#about, `${counted(facts["active_runs"], "run")} with readers`);
    for (const [index, node] of this.#figures.entries()) {
      const value = facts[FIGURES[index][0]];
      setText(
        /** @type {Node} */ (node.firstChild),
        index > 0 ? count(value) : `${count(runs)} / ${count(most)}`,
      );
      node.classList.toggle("lo-loss", index >= FIRST_LOSS && value > 0);
    }
    this.#keptBar.style.width = `${Math.min(100, (100 * runs) / most)}%`;
  }

  #noteText() {
    const { facts, unreadable, unreachable } = this.#link;
    const notes = [];
    if (facts?.["resets"]) notes.push("the bus was reset: counts are of the new one");
    if (unreadable > 0) notes.push(`${counted(unreadable, "unreadable message")} ignored`);
    if (unreachable) notes.push("the kernel cannot be reached");
    return notes.join(" · ");
  }
}
