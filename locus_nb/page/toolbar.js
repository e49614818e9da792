/** What chooses the items of a view: the filter, a chip for each event type, pause. */

/** @import { Family } from "./row.js" */
/** @import { View } from "./view.js" */

import { element, setText } from "./dom.js";
import { count, counted } from "./format.js";
import { firstSeen, NAMELESS } from "./times.js";

const RECOUNT_MS = 250;
const FEW = 2_000;
const MAX_CHIPS = 60;
const FILTER_TITLE = [
  'words and "exact words", in type, run, preview and error',
  "type:agent.tool  type:*.failed  type:=just.this  tool:  model:  agent:  run:",
  "status:ok, error, interrupted, running, or open: never completed",
  "dur>500  dur<=2s  tokens>1000  iteration:2  seq>100",
  "a leading - means: not",
].join("\n");
const CHIP_WORDS = { only: "only these are shown", without: "left out", "": "shown" };

/** @typedef {{ family: Family, count: number }} Kind */

/** How many items there are of each type, and how wide the words of the table are. */
class Census {
  /** @type {Map<string, Kind>} event type to its items, in order of appearance */
  kinds = new Map();
  typeWidth = 10;
  runWidth = 3;
  #at = Number.NEGATIVE_INFINITY;
  /** @type {unknown[]} */
  #key = [];

  /**
   * Counts again if there is something new, but seldom.
   *
   * @param {View} view
   * @returns {boolean} whether it counted
   */
  update(view) {
    const { items, logged, dropped } = view.base;
    const key = [items, items.length, logged, dropped, view.followed];
    if (key.every((part, index) => part === this.#key[index])) return false;
    const wait = this.#at + RECOUNT_MS - performance.now();
    if (wait > 0 && items.length > FEW && this.#key[4] === view.followed) {
      view.soon(wait);
      return false;
    }
    this.#key = key;
    this.#at = performance.now();
    this.#count(view);
    return true;
  }

  /** @param {View} view */
  #count(view) {
    const run = view.state.run;
    /** @type {Set<string>} */
    const runs = new Set();
    this.kinds = new Map();
    for (const item of view.base.items) {
      if (run && item.run !== run) continue;
      const type = view.typeOf(item);
      const kind = this.kinds.get(type);
      if (kind) kind.count++;
      else this.kinds.set(type, { family: item.family, count: 1 });
      runs.add(item.run);
    }
    for (const type of this.kinds.keys()) this.typeWidth = Math.max(this.typeWidth, type.length);
    for (const one of runs) this.runWidth = Math.max(this.runWidth, view.nameOf(one).length);
  }
}

/** A button that shows one event type only, or all without it. */
class Chip {
  count = element("span", "chip-count");
  node = element("button", "chip", { type: "button" });

  /** @param {string} type */
  constructor(type) {
    this.type = type;
    this.name = firstSeen(type, NAMELESS);
    this.node.append(element("span", "chip-type", {}, this.name), this.count);
  }

  /**
   * @param {Kind} kind
   * @param {"only" | "without" | ""} state
   */
  show(kind, state) {
    setText(this.count, count(kind.count));
    this.node.dataset["family"] = kind.family;
    this.node.dataset["chip"] = state;
    const words = `${this.name}, ${counted(kind.count, "row")}, ${CHIP_WORDS[state]}`;
    this.node.setAttribute("aria-label", words);
    this.node.setAttribute("aria-pressed", state === "without" ? "mixed" : String(state === "only"));
  }
}

export class Toolbar {
  /** @type {View} */
  #view;
  census = new Census();
  filter = element("input", "filter", {
    type: "search",
    placeholder: "Filter: words  tool:search  status:error  dur>500",
    "aria-label": "Filter",
    title: FILTER_TITLE,
    spellcheck: "false",
    autocomplete: "off",
    maxlength: "10000",
  });
  #count = element("span", "count");
  #pause = element("button", "pause", { type: "button", title: "Pause this view, not the run (Space)" });
  #fresh = element("span", "fresh", { role: "status", "data-state": "running" });
  hint = element("div", "hint", { role: "status" });
  chips = element("div", "chips", { role: "group", "aria-label": "Event types" });
  /** @type {Map<string, Chip>} */
  #known = new Map();
  /** @type {unknown} the query that the chips show */
  #shown = null;

  /** @param {View} view */
  constructor(view) {
    this.#view = view;
    this.tools = element("div", "tools", {}, this.filter, this.#count, this.#fresh, this.#pause);
    const { signal } = view;
    const { filter, chips } = this;
    const pause = this.#pause;
    filter.addEventListener("input", () => view.state.set({ filter: filter.value }), { signal });
    filter.addEventListener("keydown", (event) => this.#keyed(event), { signal });
    pause.addEventListener("click", () => view.pause(!view.state.paused), { signal });
    chips.addEventListener("click", (event) => this.#clicked(event), { signal });
  }

  /** @param {KeyboardEvent} event */
  #keyed(event) {
    if (event.key !== "Enter" || event.isComposing || event.shiftKey || event.ctrlKey || event.metaKey)
      return;
    event.preventDefault();
    event.stopPropagation();
    this.#view.focus();
  }

  /** @param {Event} event */
  #clicked(event) {
    const target = /** @type {Node} */ (event.target);
    const chip = [...this.#known.values()].find(({ node }) => node.contains(target));
    if (chip) this.#view.state.set({ filter: this.#view.query.withChip(chip.type) });
  }

  draw() {
    const view = this.#view;
    const { state, query } = view;
    if (this.filter.value !== state.filter) this.filter.value = state.filter;
    this.filter.setAttribute("aria-invalid", String(query.hint !== ""));
    this.hint.hidden = query.hint === "";
    setText(this.hint, query.hint);
    setText(this.#count, this.#countText());
    const fresh = view.fresh;
    setText(this.#pause, state.paused ? "▶ Resume" : "❚❚ Pause");
    this.#pause.setAttribute("aria-pressed", String(state.paused));
    this.#fresh.hidden = !state.paused;
    setText(this.#fresh, state.paused ? `${count(fresh)} new` : "");
    const counted = this.census.update(view);
    if (counted) this.#makeChips();
    if (counted || this.#shown !== query) this.#drawChips();
    this.#shown = query;
  }

  #countText() {
    const { link, shown, base, state } = this.#view;
    if (shown.test !== null) return `${count(shown.items.length)} of ${counted(base.items.length, "row")}`;
    if (state.paused) return counted(base.items.length, "row");
    return counted(Math.max(link.total, link.store.rows.length), "event");
  }

  #makeChips() {
    let kinds = [...this.census.kinds];
    if (kinds.length > MAX_CHIPS) {
      kinds.sort(([, a], [, b]) => b.count - a.count);
      kinds = kinds.slice(0, MAX_CHIPS);
    }
    const types = kinds.map(([type]) => type);
    if (types.length === this.#known.size && types.every((type) => this.#known.has(type))) return;
    this.#known = new Map(types.map((type) => [type, this.#known.get(type) ?? new Chip(type)]));
    this.chips.replaceChildren(...[...this.#known.values()].map(({ node }) => node));
  }

  #drawChips() {
    this.chips.hidden = this.#known.size === 0;
    for (const [type, chip] of this.#known) {
      const kind = this.census.kinds.get(type);
      if (kind) chip.show(kind, this.#view.query.chip(type));
    }
  }
}
