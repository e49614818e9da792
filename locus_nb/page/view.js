/** One view of a widget in one output. */

/** @import { Link, Model } from "./link.js" */
/** @import { Row } from "./row.js" */
/** @import { TabName } from "./state.js" */
/**
 * What shows the items in its own way: the table, the timeline, the tree.
 *
 * @typedef {object} Tab
 * @property {HTMLElement} node
 * @property {() => void} draw called within a frame, while `node` is visible, after anything changed
 * @property {() => void} focus
 * @property {() => void} stop
 */

import { element, setText } from "./dom.js";
import { Shown } from "./shown.js";
import { ViewState } from "./state.js";
import { Table } from "./table.js";

/** A view. Draws at most once a frame, and only after something changed. */
export class View {
  state = new ViewState(() => this.schedule());
  over = new AbortController();
  note = element("div", "note", { role: "status" });
  twin = document.createElement("style");
  frame = 0;

  /**
   * @param {Link} link
   * @param {Model} model
   * @param {HTMLElement} el
   */
  constructor(link, model, el) {
    this.link = link;
    this.model = model;
    this.shown = new Shown(link.fold);
    /** @type {Record<TabName, Tab | null>} */
    this.tabs = { table: new Table(this), timeline: null, tree: null };
    this.root = element(
      "div",
      "",
      {},
      this.twin,
      .../** @type {Tab[]} */ (Object.values(this.tabs).filter(Boolean)).map(({ node }) => node),
      this.note,
    );
    el.replaceChildren(this.root);
    link.views.add(this.schedule);
    for (const trait of /** @type {const} */ (["run", "twin"])) model.on(`change:${trait}`, this.schedule);
    this.schedule();
  }

  /** Ends with the view: for listeners. */
  get signal() {
    return this.over.signal;
  }

  stop = () => {
    this.over.abort();
    cancelAnimationFrame(this.frame);
    this.link.views.delete(this.schedule);
    for (const tab of Object.values(this.tabs)) tab?.stop();
    for (const trait of /** @type {const} */ (["run", "twin"]))
      this.model.off(`change:${trait}`, this.schedule);
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

  /**
   * The row that ended a span as far as the view shows it: none while paused before it.
   *
   * @param {Row} item
   */
  endOf(item) {
    return item.end && item.end.seq <= this.state.until ? item.end : null;
  }

  /** The time up to which the view shows things, in Unix milliseconds: now, or when it was paused. */
  now() {
    return this.link.now();
  }

  /**
   * Makes an item the selected one, or null none; a range if `extend`s from the one before.
   *
   * @param {Row | null} item
   * @param {{ extend?: boolean, open?: boolean }} [how] `open`: with its payload in the drawer
   */
  select(item, { extend = false, open = this.state.open } = {}) {
    const anchor = extend ? (this.state.anchor ?? this.state.selected) : null;
    this.state.set({ selected: item, anchor, open: open && item !== null });
  }

  #draw() {
    if (!this.state.paused) this.shown.update(null);
    this.tabs[this.state.tab]?.draw();
    setText(this.note, "");
  }
}
