/** The table of items. */

/** @import { Row } from "./row.js" */
/** @import { Slot } from "./list.js" */
/** @import { Shown } from "./shown.js" */
/** @import { Column } from "./sort.js" */
/** @import { View } from "./view.js" */

import { element, setText } from "./dom.js";
import { ErrorLines } from "./errors.js";
import { count } from "./format.js";
import { VirtualList } from "./list.js";
import { nextOrder, sorted } from "./sort.js";
import { TableRow } from "./tablerow.js";

const MAX_ERROR_LINES = 3;
// So many characters of a preview there is room for in any table.
const SHORT = 24;
const RESORT_MS = 1_000;
/** @type {[column: Column, title: string][]} */
const COLUMNS = [
  ["seq", "seq"],
  ["time", "time"],
  ["type", "type"],
  ["run", "run"],
  ["duration", "duration"],
  ["sign", ""],
  ["preview", "preview"],
];
const SIGN_ORDER = ["error", "interrupted", "open", "running", "ok"];

/** A table whose rows are made as they come into sight. It follows the newest until the reader scrolls. */
export class Table {
  #empty = element("div", "empty");
  #jump = element("button", "jump", { type: "button", title: "Jump to newest" });
  #errors = new ErrorLines();
  /** @type {WeakSet<Row>} failed items whose error the user has closed */
  #shut = new WeakSet();
  #heads = COLUMNS.map(([name, title]) => this.#makeHead(name, title));
  #version = -1;
  #dropped = 0;
  #length = 0;
  /** @type {{ key: unknown[], at: number, cost: number }} by what the items were put in another order, and when */
  #sorting = { key: [], at: Number.NEGATIVE_INFINITY, cost: 0 };

  /** @param {View} view */
  constructor(view) {
    this.view = view;
    const head = element("div", "head", { role: "row", "aria-rowindex": "1" }, ...this.#heads);
    const { signal, schedule } = view;
    head.addEventListener("click", (event) => this.#headClicked(event), { signal });
    this.list = new VirtualList(this, { signal, schedule, label: "Events", head, follows: true });
    this.node = element("div", "pane", {}, this.list.node, this.#empty, this.#jump);
    this.#jump.hidden = true;
    this.#jump.addEventListener("click", () => this.#jumped(), { signal });
  }

  /**
   * @param {Column} name
   * @param {string} title
   */
  #makeHead(name, title) {
    const button = element("button", "sort", { type: "button" }, title);
    if (!title) button.setAttribute("aria-label", "status");
    return element("div", name, { role: "columnheader" }, button);
  }

  draw() {
    this.#update();
    this.#drawHeads();
    this.#empty.hidden = this.#errors.items.length > 0;
    setText(this.#empty, this.#empty.hidden ? "" : this.view.emptyText());
    this.list.follows = this.view.state.order === null;
    this.list.draw();
    this.#drawJump();
  }

  #drawJump() {
    // To ask how many lines stand below has the page laid out: not while nobody wants to know.
    const below = this.list.follow || this.view.state.order !== null ? 0 : this.list.below;
    this.#jump.hidden = below === 0;
    if (below > 0) setText(this.#jump, `↓ ${count(below)} below`);
  }

  /** Brings the lines up to date with the items, in the order that the user has chosen. */
  #update() {
    const { shown, state } = this.view;
    if (state.order) {
      this.#resort();
      return;
    }
    const isSame = this.#version === shown.version && this.#errors.items === shown.items;
    const gone = isSame ? shown.dropped - this.#dropped : 0;
    if (isSame && gone === 0 && this.#length === shown.items.length) return;
    if (gone > 0) this.#errors.shift(gone);
    this.#errors.update(shown.items, isSame ? this.#length - gone : 0, this.#more);
    this.#note(shown);
  }

  /** @param {Shown} shown what the lines are of */
  #note({ version, dropped, items }) {
    this.#version = version;
    this.#dropped = dropped;
    this.#length = items.length;
  }

  /** Sorts again, but seldom: the table would not stand still, and would do little else. */
  #resort() {
    const { view } = this;
    const sorting = this.#sorting;
    const { shown, state } = view;
    const key = [state.order, shown.test, state.paused];
    const isOther = key.some((part, index) => part !== sorting.key[index]);
    const isStale = this.#version !== shown.version || this.#length !== shown.items.length;
    if (!isOther && !isStale) return;
    const wait = sorting.at + Math.max(RESORT_MS, 10 * sorting.cost) - performance.now();
    if (!isOther && wait > 0) {
      view.soon(wait);
      return;
    }
    const at = performance.now();
    const items = sorted(shown.items, this.#valueOf, state.order?.descending ?? false);
    this.#errors.update(items, 0, this.#more);
    this.#sorting = { key, at, cost: performance.now() - at };
    this.#note(shown);
  }

  /** @type {(item: Row) => string | number | null} */
  #valueOf = (item) => {
    const { view } = this;
    switch (view.state.order?.column) {
      case "time":
        return item.time;
      case "type":
        return view.typeOf(item);
      case "run":
        return view.nameOf(item.run);
      case "duration":
        return view.elapsed(item);
      case "sign": {
        const rank = SIGN_ORDER.indexOf(view.stateOf(item) ?? "");
        return rank < 0 ? null : rank;
      }
      case "preview":
        return view.previewOf(item).toLowerCase();
      default:
        return item.seq;
    }
  };

  /** @type {(item: Row) => number} */
  #more = (item) => (this.#shut.has(item) ? 0 : this.#errorOf(item).length);

  /**
   * The first lines of an item's error.
   *
   * @param {Row} item
   */
  #errorOf(item) {
    const last = this.view.endOf(item) ?? item;
    if (last.status !== "error" || !last.error) return NO_LINES;
    const lines = last.error
      .split("\n", 2 * MAX_ERROR_LINES)
      .filter((line) => line.trim())
      .slice(0, MAX_ERROR_LINES);
    const preview = this.view.previewOf(item);
    const isSaid = lines.length === 1 && preview.length <= SHORT && preview.includes(lines[0].trim());
    return isSaid ? NO_LINES : lines;
  }

  #drawHeads() {
    const { order } = this.view.state;
    for (const [index, [name]] of COLUMNS.entries()) {
      const direction = order?.descending ? "descending" : "ascending";
      this.#heads[index].setAttribute("aria-sort", order?.column === name ? direction : "none");
    }
  }

  /** @param {Event} event */
  #headClicked(event) {
    const target = /** @type {Node} */ (event.target);
    const index = this.#heads.findIndex((head) => head.contains(target));
    if (index >= 0) this.#sort(COLUMNS[index][0]);
  }

  /** @param {Column} column */
  #sort(column) {
    this.view.state.set({ order: nextOrder(this.view.state.order, column) });
    this.list.follow = this.view.state.order === null && !this.view.state.selected;
    if (this.view.state.order) this.list.reveal(0);
  }

  // What the list asks for.

  count() {
    return this.#errors.count;
  }

  /** @returns {Slot} */
  makeSlot() {
    const row = new TableRow(this.view);
    return {
      node: row.node,
      show: (line) => {
        const { item, part } = this.#errors.at(line);
        const error = this.#errorOf(item);
        if (part > 0) row.showError(item, error[part - 1]);
        else row.show(item, error.length === 0 ? "" : this.#shut.has(item) ? "▸" : "▾");
      },
    };
  }

  active() {
    const { selected } = this.view.state;
    if (!selected) return -1;
    const { items } = this.#errors;
    if (this.view.state.order) return this.#errors.lineOf(items.indexOf(selected));
    const line = this.#errors.lineOfSeq(selected.seq);
    return line < this.count() && this.#errors.at(line).item === selected ? line : -1;
  }

  /** @param {number} line */
  keyAt(line) {
    return this.view.state.order ? null : this.#errors.at(line).item.seq;
  }

  /** @param {number} seq */
  indexOf(seq) {
    return this.#errors.lineOfSeq(seq);
  }

  /**
   * @param {number} line
   * @param {MouseEvent} event
   * @param {Element} target
   */
  click(line, event, target) {
    const { item } = this.#errors.at(line);
    const isTwisty = target.classList.contains("lo-twisty");
    // Shift makes the browser mark the text between the two clicks.
    if (event.shiftKey) document.getSelection()?.removeAllRanges();
    if (isTwisty) this.#open(item, this.#shut.has(item));
    else this.#select(item, event.shiftKey ? { extend: true } : { open: true });
  }

  /**
   * @param {number} line
   * @param {KeyboardEvent} event
   */
  move(line, event) {
    const from = this.active();
    let to = this.#errors.at(line);
    // Downwards out of an item means past its error.
    if (to.part > 0 && line > from)
      to = this.#errors.at(Math.min(this.#errors.lineOf(to.index + 1), this.count() - 1));
    this.list.reveal(this.#errors.lineOf(to.index));
    this.#select(to.item, { extend: event.shiftKey });
  }

  /**
   * @param {Row} item
   * @param {{ extend?: boolean, open?: boolean }} how
   */
  #select(item, how) {
    this.view.select(item, { ...how, items: this.view.state.order && this.#errors.items });
  }

  /** @param {KeyboardEvent} event */
  key({ key }) {
    const { selected } = this.view.state;
    if (key === "Enter" && selected) this.view.state.set({ open: true });
    else if ((key === "ArrowLeft" || key === "ArrowRight") && selected)
      this.#open(selected, key === "ArrowRight");
    else return false;
    return true;
  }

  /**
   * @param {Row} item
   * @param {boolean} isOpen whether its error is shown
   */
  #open(item, isOpen) {
    if (isOpen) this.#shut.delete(item);
    else this.#shut.add(item);
    this.#version = -1;
    this.#errors.update(this.#errors.items, 0, this.#more);
    this.view.schedule();
  }

  #jumped() {
    this.list.follow = true;
    this.list.focus();
    this.view.schedule();
  }

  focus() {
    this.list.focus();
    if (this.list.atEnd) this.list.follow = this.view.state.order === null;
    this.view.schedule();
  }

  stop() {}
}

/** @type {string[]} */
const NO_LINES = [];
