/** One row of the page's tree. */

/** @import { Branch, TreeLine } from "./branches.js" */
/** @import { Times } from "./times.js" */
/** @import { View } from "./view.js" */

import { element, setText } from "./dom.js";
import { count, counted, formatDuration } from "./format.js";
import { SIGNS, WORDS } from "./signs.js";
import { firstSeen, isSpan, plain, titleOf } from "./times.js";

const INDENT = 16;
/** From that level on the next ones stand only a little further in. */
const DEEP = 4;
const DEEP_INDENT = 4;
/** What twisty, sign and name have at least, however deep they stand, in pixels. */
const ROOM = 140;

/** What stands over the rows. */
export function makeHead() {
  const titles = { call: "call", share: "share", duration: "took", tokens: "tokens", result: "result" };
  const cells = Object.entries(titles).map(([name, title]) =>
    element("span", `${name} lo-word`, { role: "columnheader" }, title),
  );
  return element("div", "tree-head", { role: "row", "aria-rowindex": "1" }, ...cells);
}

/** A row that shows other branches as the tree scrolls. */
export class TreeRow {
  #twisty = element("span", "twisty");
  #sign = element("span", "sign");
  #name = element("span", "name");
  #bar = element("span", "reach");
  #call = cell("cell", this.#twisty, this.#sign, this.#name);
  #duration = cell("duration");
  #tokens = cell("tokens");
  #said = cell("preview");
  node = element(
    "div",
    "branch",
    { role: "row" },
    this.#call,
    cell("track", this.#bar),
    this.#duration,
    this.#tokens,
    this.#said,
  );
  #view;
  #times;

  /**
   * @param {View} view
   * @param {Times} times
   */
  constructor(view, times) {
    this.#view = view;
    this.#times = times;
  }

  /**
   * @param {TreeLine} line
   * @param {boolean} isActive whether the keyboard is there
   */
  show(line, isActive) {
    const { branch, level, isOpen } = line;
    const state = this.#stateOf(branch);
    this.#mark(line, state ?? "", isActive);
    this.#call.style.paddingLeft = `min(${indentOf(level)}px, max(0px, 100% - ${ROOM}px))`;
    setText(this.#twisty, branch.children.length === 0 ? "" : isOpen ? "▾" : "▸");
    setText(this.#sign, state ? SIGNS[state] : "");
    setText(this.#name, this.#nameOf(branch));
    const length = branch.item ? this.#view.elapsed(branch.item) : branch.to - branch.from;
    setText(this.#duration, length !== null && length >= 0 ? formatDuration(length) : "");
    setText(this.#tokens, tokensOf(branch));
    setText(this.#said, this.#wordsOf(branch));
    this.#showShare(branch);
  }

  /**
   * @param {TreeLine} line
   * @param {string} state
   * @param {boolean} isActive
   */
  #mark({ branch, level, isOpen }, state, isActive) {
    const { node } = this;
    const isSelected = branch.item ? this.#view.state.isSelected(branch.item) : isActive;
    node.setAttribute("aria-level", String(level));
    node.setAttribute("aria-selected", String(isSelected));
    if (branch.children.length > 0) node.setAttribute("aria-expanded", String(isOpen));
    else node.removeAttribute("aria-expanded");
    node.dataset["kind"] = branch.kind;
    if (branch.item) node.dataset["family"] = branch.item.family;
    else delete node.dataset["family"];
    node.dataset["state"] = state;
  }

  /** @param {Branch} branch */
  #stateOf({ item, kind, label, errors, running }) {
    if (item) return this.#times.stateOf(item);
    if (kind === "run") return this.#view.link.tallies.get(label)?.status ?? (running ? "running" : "ok");
    return running ? "running" : errors ? "error" : "ok";
  }

  /** @param {Branch} branch */
  #nameOf({ kind, label, item }) {
    if (item) return titleOf(item);
    if (kind === "iteration") return `iteration ${label}`;
    return firstSeen(kind === "run" ? this.#view.nameOf(label) : "", label, kind);
  }

  /** @param {Branch} branch */
  #wordsOf(branch) {
    const words = this.#saidOf(branch);
    return branch.isDeeper ? ["nested deeper", words].filter(Boolean).join(" · ") : words;
  }

  /** @param {Branch} branch */
  #saidOf({ item, errors, children }) {
    if (!item) return errors > 0 ? counted(errors, "error") : "";
    if (this.#times.stateOf(item) === "open") return WORDS.open;
    const end = this.#times.endOf(item) ?? item;
    if (children.length > 0 && errors > 0 && !end.error) return counted(errors, "error");
    return plain((end.error ?? end.preview).slice(0, 300));
  }

  /**
   * A bar that lies in its parent's time as the branch does.
   *
   * @param {Branch} branch
   */
  #showShare({ from, to, parent, kind, item }) {
    const owner = kind === "run" || !parent ? { from, to } : parent;
    const length = owner.to - owner.from;
    const isShown = length > 0 && (item === null || isSpan(item));
    const left = Math.min(Math.max((from - owner.from) / length, 0), 0.98);
    const width = Math.min(Math.max((to - from) / length, 0.02), 1 - left);
    const { style } = this.#bar;
    this.#bar.hidden = !isShown;
    if (isShown) style.cssText = `left:${(left * 100).toFixed(1)}%;width:${(width * 100).toFixed(1)}%`;
  }
}

/**
 * @param {string} name
 * @param {Node[]} children
 */
function cell(name, ...children) {
  return element("span", name, { role: "gridcell" }, ...children);
}

/** @param {Branch} branch */
function tokensOf({ inputTokens, outputTokens }) {
  return inputTokens + outputTokens > 0 ? `${count(inputTokens)} → ${count(outputTokens)}` : "";
}

/**
 * Less from level to level further down, so that the name has room.
 *
 * @param {number} level from 1
 * @returns {number} pixels
 */
function indentOf(level) {
  return Math.min(level, DEEP) * INDENT - INDENT + Math.max(0, level - DEEP) * DEEP_INDENT;
}
