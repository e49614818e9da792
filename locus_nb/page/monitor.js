/** The bus as a picture: how much it carries, who cannot keep up, what is kept. */

/** @import { Model } from "./line.js" */
/** @import { StatsLink } from "./stats.js" */

import { Chart } from "./chart.js";
import { element, setText } from "./dom.js";
import { count, counted, formatDuration } from "./format.js";
import { ReaderList } from "./readers.js";
import { twinRules } from "./twin.js";

const STALE_MS = 2_000;
const FORGOTTEN_MS = 60_000;

/**
 * The figures under the chart, each with what it means and whether any of it is a loss.
 *
 * @type {[fact: string, name: string, loss: boolean, meaning: string][]}
 */
const FIGURES = [
  ["published", "published", false, "Events that came in"],
  ["dropped", "dropped", true, "Events that a reader never got because it was too slow, over all readers"],
  ["backlog", "backlog", false, "Events waiting to be read, over all readers"],
  ["late", "late", true, "Events published after their run's stream was closed"],
  ["emit_failures", "failed emits", true, "Events that emit could not publish"],
  ["refused", "refused", true, "Readers of all runs that were one too many"],
  ["trimmed", "trimmed", false, "Older events that left their run's history"],
  ["evicted", "evicted", false, "Whole runs that left history"],
];

/** One view of a monitor in one output. Draws at most once a frame, and only after something came or is lacking. */
export class Monitor {
  over = new AbortController();
  twin = document.createElement("style");
  badge = element("span", "status", { role: "status" });
  about = element("span", "count");
  chart = new Chart();
  figures = FIGURES.map(([fact, name, loss, title]) => ({ fact, loss, ...figure(name, title) }));
  kept = element("b", "figure-value");
  keptBar = element("span", "meter-fill");
  note = element("div", "note");
  frame = 0;
  timer = 0;

  /**
   * @param {StatsLink} link
   * @param {Model} model
   * @param {HTMLElement} el
   */
  constructor(link, model, el) {
    this.link = link;
    this.model = model;
    this.readers = new ReaderList(this.over.signal);
    this.root = this.#build();
    el.replaceChildren(this.root);
    link.views.add(this.schedule);
    model.on("change:twin", this.schedule);
    this.schedule();
  }

  stop = () => {
    this.over.abort();
    cancelAnimationFrame(this.frame);
    clearTimeout(this.timer);
    this.link.views.delete(this.schedule);
    this.model.off("change:twin", this.schedule);
    this.root.remove();
  };

  /** Draws with the next frame. */
  schedule = () => {
    if (this.frame || this.over.signal.aborted) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      this.#draw();
    });
  };

  #build() {
    const title = element("span", "title", {}, "Bus monitor");
    const kept = element(
      "div",
      "figure",
      { title: "Runs whose history is kept, of as many as may be" },
      this.kept,
      element("span", "figure-name", {}, "runs kept"),
      element("span", "meter", {}, this.keptBar),
    );
    const figures = element("div", "figures", {}, kept, ...this.figures.map(({ node }) => node));
    const body = element("div", "monitor", {}, this.chart.node, figures, this.readers.node);
    const bar = element("div", "bar", {}, title, this.badge, this.about);
    return element("section", "", { "aria-label": "Bus monitor" }, this.twin, bar, body, this.note);
  }

  #draw() {
    const { link } = this;
    setText(this.twin, link.heard ? twinRules(this.model.get("twin")) : "");
    this.#drawBadge();
    const { samples, facts } = link;
    const silence = link.silence > STALE_MS ? link.silence : 0;
    this.chart.draw(samples, silence);
    if (facts) this.#drawFigures({ ...facts, backlog: samples.at(-1)?.backlog ?? 0 });
    this.readers.draw(link.readers, facts?.readers ?? 0);
    setText(this.note, this.#noteText());
    this.note.hidden = this.note.textContent === "";
    this.#drawAgain();
  }

  /** Without messages the time goes on, until nothing of the minute is left; where none is heard it is said. */
  #drawAgain() {
    clearTimeout(this.timer);
    const { silence } = this.link;
    if (!this.link.heard || silence > FORGOTTEN_MS) return;
    const wait = silence < STALE_MS ? STALE_MS - silence + 1 : 1_000;
    this.timer = window.setTimeout(this.schedule, wait);
  }

  #drawBadge() {
    const { heard, silence } = this.link;
    const state = !heard ? "waiting" : silence > STALE_MS ? "stale" : "live";
    this.badge.dataset["status"] = state;
    const age = formatDuration(Math.min(FORGOTTEN_MS, 1_000 * Math.round(silence / 1_000)));
    const more = silence > FORGOTTEN_MS ? "more than " : "";
    setText(this.badge, state === "stale" ? `no news for ${more}${age}` : state);
    this.root.classList.toggle("locus-live-stale", state === "stale");
  }

  /** @param {Record<string, number>} facts */
  #drawFigures(facts) {
    setText(this.about, `${counted(facts["active_runs"], "run")} with readers`);
    for (const { fact, loss, node, value } of this.figures) {
      setText(value, count(facts[fact]));
      node.classList.toggle("locus-live-loss", loss && facts[fact] > 0);
    }
    setText(this.kept, `${count(facts["history_runs"])} / ${count(facts["max_runs"])}`);
    this.keptBar.style.width = `${Math.min(100, (100 * facts["history_runs"]) / (facts["max_runs"] || 1))}%`;
  }

  #noteText() {
    const { facts, unreadable, unreachable } = this.link;
    const notes = [];
    if (facts?.["resets"]) notes.push(`the bus was reset ${facts["resets"]} ×; counts are of the new one`);
    if (unreadable > 0) notes.push(`${counted(unreadable, "unreadable message")} ignored`);
    if (unreachable) notes.push("the kernel cannot be reached");
    return notes.join(" · ");
  }
}

/**
 * @param {string} name
 * @param {string} title
 */
function figure(name, title) {
  const value = element("b", "figure-value");
  const node = element("div", "figure", { title }, value, element("span", "figure-name", {}, name));
  return { node, value };
}
