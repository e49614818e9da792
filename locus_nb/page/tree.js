/** The tree tab: runs, iterations and calls, one below the other. */

/** @import { Branch, TreeLine } from "./branches.js" */
/** @import { Slot } from "./list.js" */
/** @import { Row } from "./row.js" */
/** @import { View } from "./view.js" */

import { Tree as Branches, linesOf } from "./branches.js";
import { element, setText } from "./dom.js";
import { count, counted, formatDuration } from "./format.js";
import { Fresh } from "./fresh.js";
import { VirtualList } from "./list.js";
import { SIGNS, WORDS } from "./signs.js";
import { firstSeen, isSpan, plain, Times, titleOf } from "./times.js";

const OPEN_RUNS = 3;
const OPEN_ITERATIONS = 20;
const REBUILD_MS = 250;
const INDENT = 16;
const DEEP_INDENT = 4;
const DEEP = 5;
const MAX_LEVEL = 20;

/** A tree whose lines are made as they come into sight. */
export class Tree {
  /** @type {TreeLine[]} from the top */
  lines = [];
  branches = new Branches();
  /** @type {Map<string, boolean>} what the user opened and closed, by key */
  opened = new Map();
  /** The key of the line where the keyboard is. */
  active = "";
  builtAt = Number.NEGATIVE_INFINITY;
  timer = 0;
  /** @type {Row | null} */
  selected = null;

  /** @param {View} view */
  constructor(view) {
    this.view = view;
    this.fresh = new Fresh(view);
    this.times = new Times(view);
    this.list = new VirtualList(
      {
        count: () => this.lines.length,
        makeSlot: () => this.#makeSlot(),
        active: () => this.lines.findIndex(({ branch }) => branch.key === this.active),
        click: (index, event) => this.#click(index, event),
        move: (index, event) => this.#move(index, { extend: event.shiftKey }),
        key: (event) => this.#key(event),
      },
      { signal: view.signal, schedule: view.schedule, label: "Tree of calls", role: "treegrid" },
    );
    this.empty = element("div", "empty");
    this.node = element("div", "tree", {}, this.list.node, this.empty);
  }

  focus() {
    this.list.focus();
  }

  stop() {
    clearTimeout(this.timer);
    this.fresh.stop();
  }

  draw() {
    const wait = this.builtAt + REBUILD_MS - performance.now();
    if (wait <= 0) this.#build();
    else if (!this.timer) this.timer = window.setTimeout(this.view.schedule, wait);
    this.#followSelection();
    this.empty.hidden = this.lines.length > 0;
    setText(
      this.empty,
      this.view.base.items.length > 0 ? "No calls among these events." : this.view.emptyText(),
    );
    this.list.draw();
  }

  /** Takes in what is new; at most four times a second while things go on. */
  #build() {
    clearTimeout(this.timer);
    this.timer = 0;
    const { anew, items } = this.fresh.take();
    if (anew) this.branches = new Branches();
    for (const item of items) this.branches.take(item);
    this.#openAll();
    this.builtAt = performance.now();
  }

  #openAll() {
    const { root } = this.branches;
    root.sum(this.times);
    this.lines = linesOf(root, (branch, siblings) => this.#isOpen(branch, siblings));
  }

  /**
   * @param {Branch} branch
   * @param {number} siblings
   */
  #isOpen(branch, siblings) {
    const said = this.opened.size > 0 ? this.opened.get(branch.key) : undefined;
    if (said !== undefined) return said;
    if (branch.errors > 0 || branch.kind === "item" || branch.kind === "agent") return true;
    return siblings <= (branch.kind === "run" ? OPEN_RUNS : OPEN_ITERATIONS);
  }

  /** Puts the keyboard on an item that was selected elsewhere. */
  #followSelection() {
    const { selected } = this.view.state;
    if (selected === this.selected) return;
    this.selected = selected;
    const index = this.lines.findIndex(({ branch }) => branch.item === selected);
    if (!selected || index < 0 || this.active === this.lines[index].branch.key) return;
    this.active = this.lines[index].branch.key;
    this.list.reveal(index);
  }

  /**
   * @param {Branch} branch
   * @param {boolean} isOpen
   */
  #toggle(branch, isOpen) {
    this.opened.set(branch.key, isOpen);
    this.#openAll();
    this.view.schedule();
  }

  /**
   * @param {number} index
   * @param {MouseEvent} event
   */
  #click(index, event) {
    const { branch, isOpen } = this.lines[index];
    const isTwisty = /** @type {Element} */ (event.target).closest(".lo-twisty") !== null;
    this.#move(index, { extend: event.shiftKey, open: !isTwisty });
    if (branch.children.length > 0 && (isTwisty || !branch.item)) this.#toggle(branch, !isOpen);
  }

  /**
   * @param {number} index
   * @param {{ extend?: boolean, open?: boolean }} how
   */
  #move(index, how) {
    const { branch } = this.lines[index];
    this.active = branch.key;
    if (branch.item) this.view.select(branch.item, how);
    this.selected = this.view.state.selected;
  }

  /** @param {KeyboardEvent} event */
  #key({ key }) {
    const index = this.lines.findIndex(({ branch }) => branch.key === this.active);
    const line = this.lines[index];
    if (key === "*") this.#toggleAll();
    else if (!line) return false;
    else if (key === "ArrowRight") this.#goIn(line, index);
    else if (key === "ArrowLeft") this.#goOut(line);
    else if (key === "Enter" && line.branch.item) this.view.select(line.branch.item, { open: true });
    else if (key === "Enter") this.#toggle(line.branch, !line.isOpen);
    else return false;
    return true;
  }

  /** Opens everything; closes it if everything is open. */
  #toggleAll() {
    const all = linesOf(this.branches.root, () => true);
    const isOpen = all.length > this.lines.length;
    for (const { branch } of all) if (branch.children.length > 0) this.opened.set(branch.key, isOpen);
    this.#openAll();
  }

  /**
   * @param {TreeLine} line
   * @param {number} index
   */
  #goIn({ branch, isOpen }, index) {
    if (branch.children.length > 0 && !isOpen) this.#toggle(branch, true);
    else if (isOpen) this.#goTo(index + 1);
  }

  /** @param {TreeLine} line */
  #goOut({ branch, isOpen, level }) {
    if (isOpen) {
      this.#toggle(branch, false);
      return;
    }
    let index = this.lines.findIndex((line) => line.branch === branch);
    while (this.lines[index] && this.lines[index].level >= level) index--;
    this.#goTo(index);
  }

  /** @param {number} index */
  #goTo(index) {
    if (!this.lines[index]) return;
    this.#move(index, {});
    this.list.reveal(index);
  }

  /** @returns {Slot} */
  #makeSlot() {
    const twisty = element("span", "twisty");
    const sign = element("span", "sign");
    const label = element("span", "name");
    const bar = element("span", "reach");
    const duration = element("span", "duration");
    const tokens = element("span", "tokens");
    const said = element("span", "preview");
    const head = element("span", "cell", { role: "gridcell" }, twisty, sign, label);
    const track = element("span", "track", { role: "presentation" }, bar);
    const cells = [head, track, duration, tokens, said];
    for (const cell of cells.slice(2)) cell.setAttribute("role", "gridcell");
    const node = element("div", "branch", { role: "row" }, ...cells);
    const show = (/** @type {number} */ index) => {
      const line = this.lines[index];
      const { branch } = line;
      this.#showState(node, line);
      head.style.paddingLeft = `${indentOf(line.level)}px`;
      setText(twisty, branch.children.length === 0 ? "" : line.isOpen ? "▾" : "▸");
      setText(sign, this.#signOf(branch));
      setText(label, this.#labelOf(branch));
      const length = branch.item ? this.view.elapsed(branch.item) : branch.to - branch.from;
      setText(duration, length !== null && length >= 0 ? formatDuration(length) : "");
      setText(tokens, tokensOf(branch));
      setText(said, this.#saidOf(branch));
      this.#showShare(bar, branch);
    };
    return { node, show };
  }

  /**
   * @param {HTMLElement} node
   * @param {TreeLine} line
   */
  #showState(node, { branch, level, isOpen }) {
    const isActive = branch.key === this.active;
    const isSelected = branch.item ? this.view.state.isSelected(branch.item) : isActive;
    node.setAttribute("aria-level", String(level));
    node.setAttribute("aria-selected", String(isSelected));
    if (branch.children.length > 0) node.setAttribute("aria-expanded", String(isOpen));
    else node.removeAttribute("aria-expanded");
    node.dataset["kind"] = branch.kind;
    if (branch.item) node.dataset["family"] = branch.item.family;
    else delete node.dataset["family"];
    node.dataset["state"] = this.#stateOf(branch) ?? "";
  }

  /** @param {Branch} branch */
  #stateOf({ item, kind, label, errors, running }) {
    if (item) return this.times.stateOf(item);
    if (kind === "run") return this.view.link.tallies.get(label)?.status ?? (running ? "running" : "ok");
    return running ? "running" : errors ? "error" : "ok";
  }

  /** @param {Branch} branch */
  #signOf(branch) {
    const state = this.#stateOf(branch);
    return state ? SIGNS[state] : "";
  }

  /** @param {Branch} branch */
  #labelOf({ kind, label, item }) {
    if (item) return titleOf(item);
    if (kind === "iteration") return `iteration ${label}`;
    return firstSeen(kind === "run" ? this.view.nameOf(label) : "", label, kind);
  }

  /** @param {Branch} branch */
  #saidOf({ item, errors, children }) {
    if (!item) return errors > 0 ? counted(errors, "error") : "";
    const end = this.times.endOf(item) ?? item;
    if (this.times.stateOf(item) === "open") return WORDS.open;
    const said = plain((end.error ?? end.preview).slice(0, 300));
    return children.length > 0 && errors > 0 && !end.error ? counted(errors, "error") : said;
  }

  /**
   * A bar that lies in its parent's time as the branch does.
   *
   * @param {HTMLElement} bar
   * @param {Branch} branch
   */
  #showShare(bar, { from, to, parent, kind, item }) {
    const owner = kind === "run" || !parent ? { from, to } : parent;
    const length = owner.to - owner.from;
    const isShown = length > 0 && (item === null || isSpan(item));
    const left = Math.min(Math.max((from - owner.from) / length, 0), 0.98);
    const width = Math.min(Math.max((to - from) / length, 0.02), 1 - left);
    bar.hidden = !isShown;
    if (isShown) bar.style.cssText = `left:${(left * 100).toFixed(1)}%;width:${(width * 100).toFixed(1)}%`;
  }
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
  const steps = Math.min(level, MAX_LEVEL) - 1;
  return Math.min(steps, DEEP) * INDENT + Math.max(0, steps - DEEP) * DEEP_INDENT;
}
