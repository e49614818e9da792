/** One row of the page's table. */

/** @import { Row } from "./row.js" */
/** @import { View } from "./view.js" */

import { element, setText } from "./dom.js";
import { formatDate, formatDuration, formatTime, hueOf } from "./format.js";
import { SIGNS, WORDS } from "./signs.js";
import { firstSeen, NAMELESS, plain, visible } from "./times.js";

const DECADES = 5;
const MAX_PREVIEW = 1_000;

/**
 * How much of its full width a bar takes: the decades between 1 ms and 100 s. The same length means the same
 * time in every table, and nothing moves when something longer comes.
 *
 * @param {number} ms
 */
export const shareOf = (ms) => Math.min(1, Math.max(0.03, Math.log10(Math.max(ms, 1)) / DECADES));

/** A row that shows other items as the table scrolls. */
export class TableRow {
  /** @type {View} */
  #view;
  #seq = cell("seq");
  #time = cell("time");
  #type = cell("type");
  #run = cell("run");
  #bar = element("span", "reach");
  #length = element("span", "length");
  #duration = cell("duration", element("span", "track", {}, this.#bar), this.#length);
  #sign = cell("sign");
  #twisty = element("span", "twisty", { "aria-hidden": "true" });
  #text = element("span", "text");
  #preview = cell("preview", this.#twisty, this.#text);
  node = element(
    "div",
    "row",
    { role: "row" },
    this.#seq,
    this.#time,
    this.#type,
    this.#run,
    this.#duration,
    this.#sign,
    this.#preview,
  );
  /** @type {Row | null} */
  #item = null;

  /** @param {View} view */
  constructor(view) {
    this.#view = view;
  }

  /**
   * @param {Row} item
   * @param {string} twisty "" without an error to open
   */
  show(item, twisty) {
    const { node } = this;
    const view = this.#view;
    const state = view.stateOf(item);
    delete node.dataset["part"];
    this.#mark(item, state ?? "");
    node.setAttribute("aria-selected", String(view.state.isSelected(item)));
    if (twisty) node.setAttribute("aria-expanded", String(twisty === "▾"));
    else node.removeAttribute("aria-expanded");
    this.#showName(this.#type, firstSeen(view.typeOf(item), NAMELESS));
    setText(this.#sign, state ? SIGNS[state] : "");
    this.#sign.title = state ? WORDS[state] : "";
    setText(this.#twisty, twisty);
    setText(this.#text, plain(view.previewOf(item).slice(0, MAX_PREVIEW)));
    this.#showLength(view.elapsed(item));
    if (this.#item === item) return;
    this.#item = item;
    setText(this.#seq, String(item.seq));
    setText(this.#time, formatTime(item.time));
    this.#time.title = formatDate(item.time);
    setText(this.#run, firstSeen(view.nameOf(item.run), item.run, NAMELESS));
    this.#run.title = firstSeen(item.run);
    this.#run.style.setProperty("--l-run-hue", String(hueOf(item.run)));
  }

  /**
   * Shows a line of an item's error, below the item.
   *
   * @param {Row} item
   * @param {string} line
   */
  showError(item, line) {
    const { node } = this;
    this.#item = null;
    node.dataset["part"] = "error";
    this.#mark(item, "error");
    node.setAttribute("aria-selected", "false");
    node.removeAttribute("aria-expanded");
    for (const empty of [this.#seq, this.#time, this.#type, this.#run, this.#sign, this.#twisty])
      setText(empty, "");
    this.#showLength(null);
    setText(this.#text, visible(line));
  }

  /**
   * @param {HTMLElement} cell which may be too narrow for it
   * @param {string} name
   */
  #showName(cell, name) {
    setText(cell, name);
    if (cell.title !== name) cell.title = name;
  }

  /**
   * @param {Row} item
   * @param {string} state
   */
  #mark(item, state) {
    this.node.dataset["family"] = item.family;
    this.node.dataset["state"] = state;
  }

  /** @param {number | null} ms */
  #showLength(ms) {
    const text = ms === null ? "" : formatDuration(ms);
    setText(this.#length, text);
    const width = ms === null ? "0" : `${(100 * shareOf(ms)).toFixed(1)}%`;
    if (this.#bar.style.width !== width) this.#bar.style.width = width;
  }
}

/**
 * @param {string} name
 * @param {Node[]} children
 */
function cell(name, ...children) {
  return element("div", name, { role: "gridcell" }, ...children);
}
