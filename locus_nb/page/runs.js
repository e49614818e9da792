/** The list of runs, in a view of all runs. */

/** @import { View } from "./view.js" */
/** @import { Tally } from "./wire.js" */
/** @typedef {"name" | "age" | "events" | "tokens" | "errors" | "rate"} Order */
/** @typedef {{ run: string, tally: Tally | null }} Entry `tally` null: the line that stands for all runs */

import { element } from "./dom.js";
import { VirtualList } from "./list.js";
import { RunLine, tokensOf } from "./runline.js";
import { Tempo } from "./tempo.js";

const CALM_MS = 250;
const GROW_MS = 1_000;
const STILL_MS = 30_000;

/** @type {Entry} */
const ALL = { run: "", tally: null };

/**
 * What runs can be sorted by, in the order of the columns.
 *
 * @type {Record<Order, (tally: Tally, tempo: Tempo) => number | string>}
 */
const KEYS = {
  name: ({ run, name }) => (name || run).toLowerCase(),
  age: ({ started }) => -started,
  events: ({ events }) => events,
  tokens: tokensOf,
  errors: ({ errors }) => errors,
  rate: ({ run }, tempo) => tempo.of(run),
};

/**
 * The runs, of which one can be followed: running ones first and then the newest, or by a column. What it shows
 * changes four times a second at the most, and lines stay where they are while the pointer is over them.
 */
export class Runs {
  #tempo = new Tempo();
  #entries = [ALL];
  /** @type {{ by: Order, descending: boolean } | null} null: running ones first, then the newest */
  #order = null;
  /** The run of the line where the keyboard is. */
  #cursor = "";
  #refreshedAt = Number.NEGATIVE_INFINITY;
  #timer = 0;
  #heads = new Map(Object.keys(KEYS).map((by) => [/** @type {Order} */ (by), makeHead(by)]));
  #head = element(
    "div",
    "run-line lo-run-head",
    { role: "row" },
    element("span", "run-sign", { role: "columnheader", "aria-label": "status" }),
    ...this.#heads.values(),
  );
  #strip = element("button", "run-strip", { type: "button", "aria-expanded": "false" });
  #stripLine = new RunLine();
  node = element("div", "runs", {}, this.#strip);

  #list;
  #view;

  /** @param {View} view */
  constructor(view) {
    this.#view = view;
    const { signal, schedule } = view;
    const head = this.#head;
    this.#list = new VirtualList(this, { signal, schedule, label: "Runs", name: "run-list", head });
    // Its cells are told by the button's own text.
    for (const node of [this.#stripLine.node, ...this.#stripLine.node.children]) node.removeAttribute("role");
    this.#strip.append(this.#stripLine.node);
    this.node.append(this.#list.node);
    head.addEventListener("click", (event) => this.#sort(event), { signal });
    this.#strip.addEventListener("click", () => this.#toggle(!this.#isOpen), { signal });
  }

  stop() {
    clearTimeout(this.#timer);
  }

  focus() {
    this.#list.focus();
  }

  draw() {
    const wait = this.#refreshedAt + CALM_MS - performance.now();
    if (wait <= 0) this.#refresh();
    else this.#wake(wait);
    const followed = this.#entries.find(({ run }) => run === this.#view.state.run) ?? ALL;
    this.#show(this.#stripLine, followed);
    this.#list.draw();
  }

  /** @param {number} ms */
  #wake(ms) {
    clearTimeout(this.#timer);
    this.#timer = window.setTimeout(this.#view.schedule, ms);
  }

  #refresh() {
    this.#refreshedAt = performance.now();
    const tallies = [...this.#view.link.tallies.values()];
    this.#tempo.update(tallies, this.#refreshedAt);
    const sorted = this.#sorted(tallies).map((tally) => ({ run: tally.run, tally }));
    this.#entries = [ALL, ...(this.#isHeld() ? this.#inPlace(sorted) : sorted)];
    const grows = tallies.some(({ status }) => status === "running");
    if (tallies.length > 0) this.#wake(this.#tempo.moving ? CALM_MS : grows ? GROW_MS : STILL_MS);
  }

  /** @param {Tally[]} tallies */
  #sorted(tallies) {
    const newestFirst = (/** @type {Tally} */ a, /** @type {Tally} */ b) => b.started - a.started;
    const isOver = (/** @type {Tally} */ { status }) => Number(status !== "running");
    if (!this.#order) return tallies.sort((a, b) => isOver(a) - isOver(b) || newestFirst(a, b));
    const { by, descending } = this.#order;
    const keys = new Map(tallies.map((tally) => [tally, KEYS[by](tally, this.#tempo)]));
    const sign = descending ? -1 : 1;
    return tallies.sort((a, b) => sign * compare(keys.get(a), keys.get(b)) || newestFirst(a, b));
  }

  /** Whether somebody is about to press a line, which must not move away. */
  #isHeld() {
    return this.#list.node.matches(":hover, :focus-visible");
  }

  /**
   * Those that were there before in their old order, new ones after them.
   *
   * @param {Entry[]} entries
   */
  #inPlace(entries) {
    const places = new Map(this.#entries.map(({ run }, place) => [run, place]));
    const placeOf = (/** @type {Entry} */ { run }) => places.get(run) ?? places.size;
    return entries.sort((a, b) => placeOf(a) - placeOf(b));
  }

  /** @param {Event} event */
  #sort(event) {
    const target = /** @type {Node} */ (event.target);
    const by = [...this.#heads].find(([, head]) => head.firstChild?.contains(target))?.[0];
    if (!by) return;
    const isFirst = this.#order?.by !== by;
    const descends = by !== "name" && by !== "age";
    // From one way to the other, and back to the order without any.
    if (isFirst) this.#order = { by, descending: descends };
    else this.#order = this.#order?.descending === descends ? { by, descending: !descends } : null;
    for (const [each, head] of this.#heads) head.setAttribute("aria-sort", this.#wordFor(each));
    this.#entries = [ALL];
    this.#refreshedAt = Number.NEGATIVE_INFINITY;
    this.#view.schedule();
  }

  /** @param {Order} by */
  #wordFor(by) {
    if (this.#order?.by !== by) return "none";
    return this.#order.descending ? "descending" : "ascending";
  }

  get #isOpen() {
    return this.#strip.getAttribute("aria-expanded") === "true";
  }

  /** @param {boolean} open whether the list is there too where there is no room beside the events */
  #toggle(open) {
    this.#strip.setAttribute("aria-expanded", String(open));
    this.#view.schedule();
  }

  /** @param {string} run the one to follow; the same again, or "": all */
  #follow(run) {
    const { state } = this.#view;
    state.set({ run: state.run === run ? "" : run });
    this.#toggle(false);
  }

  // What the list asks, and tells.

  count() {
    return this.#entries.length;
  }

  makeSlot() {
    const line = new RunLine();
    const show = (/** @type {number} */ index) => {
      const entry = this.#entries[index];
      this.#show(line, entry);
      line.node.setAttribute("aria-selected", String(this.#view.state.run === entry.run));
      line.node.classList.toggle("lo-current", this.#cursor === entry.run);
    };
    return { node: line.node, show };
  }

  /**
   * @param {RunLine} line
   * @param {Entry} entry
   */
  #show(line, { run, tally }) {
    const { link } = this.#view;
    if (tally) line.showRun(tally, this.#tempo.of(run), link.now());
    else {
      line.showAll(
        this.#entries.flatMap((entry) => entry.tally ?? []),
        this.#tempo,
      );
    }
  }

  active() {
    return this.#entries.findIndex(({ run }) => run === this.#cursor);
  }

  /** @param {number} index */
  click(index) {
    this.#cursor = this.#entries[index].run;
    this.#follow(this.#cursor);
  }

  /** @param {number} index */
  move(index) {
    this.#cursor = this.#entries[index].run;
  }

  /** @param {KeyboardEvent} event */
  key({ key, target }) {
    const isHere = target === this.#list.node;
    if (key === "Enter" && isHere) this.#follow(this.#cursor);
    else if (key === "Escape" && this.#view.state.run) this.#follow("");
    else return false;
    return true;
  }

  /** @param {number} index */
  keyAt(index) {
    return this.#entries[index]?.run;
  }

  /** @param {string} key */
  indexOf(key) {
    return Math.max(
      0,
      this.#entries.findIndex(({ run }) => run === key),
    );
  }
}

/** @param {string} by */
function makeHead(by) {
  const button = element("button", "sort", { type: "button" }, by === "name" ? "run" : by);
  return element("span", `run-${by}`, { role: "columnheader", "aria-sort": "none" }, button);
}

/**
 * @param {any} a
 * @param {any} b
 */
const compare = (a, b) => (a < b ? -1 : Number(a > b));
