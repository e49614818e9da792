/** The tree tab: runs, iterations and calls, one below the other. */

/** @import { Branch, TreeLine } from "./branches.js" */
/** @import { Slot } from "./list.js" */
/** @import { Row } from "./row.js" */
/** @import { View } from "./view.js" */

import { Tree as Branches, linesOf } from "./branches.js";
import { element, setText } from "./dom.js";
import { Fresh } from "./fresh.js";
import { VirtualList } from "./list.js";
import { Times } from "./times.js";
import { makeHead, TreeRow } from "./treerow.js";

const OPEN_RUNS = 3;
const OPEN_ITERATIONS = 20;
const REBUILD_MS = 250;

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
        click: (index, event, target) => this.#click(index, event, target),
        move: (index, event) => this.#move(index, { extend: event.shiftKey }),
        key: (event) => this.#key(event),
      },
      {
        signal: view.signal,
        schedule: view.schedule,
        label: "Tree of calls",
        role: "treegrid",
        head: makeHead(),
      },
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
   * @param {Element} target
   */
  #click(index, event, target) {
    const { branch, isOpen } = this.lines[index];
    const isTwisty = target.closest(".lo-twisty") !== null;
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
    const row = new TreeRow(this.view, this.times);
    const show = (/** @type {number} */ index) => {
      const line = this.lines[index];
      row.show(line, line.branch.key === this.active);
    };
    return { node: row.node, show };
  }
}
