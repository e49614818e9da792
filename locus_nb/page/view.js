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

import { Asked } from "./asked.js";
import { Asks } from "./asks.js";
import { element, setText } from "./dom.js";
import { Drawer } from "./drawer.js";
import { counted, FORGOTTEN_MS, formatDuration } from "./format.js";
import { Header } from "./header.js";
import { keepKeys } from "./keys.js";
import { QUIET_MS } from "./link.js";
import { Query } from "./query.js";
import { Runs } from "./runs.js";
import { Scene } from "./scene.js";
import { Table } from "./table.js";
import { Tabs } from "./tabs.js";
import { Timeline } from "./timeline.js";
import { Toolbar } from "./toolbar.js";
import { Tree } from "./tree.js";
import { twinRules } from "./twin.js";

const GROW_MS = 250;
const SECOND_MS = 1_000;

/** A view. Draws at most once a frame, and only after something changed or while something grows. */
export class View extends Scene {
  #over = new AbortController();
  /** @type {import("./shown.js").Test | null} */
  #test = null;
  /** @type {unknown[]} what `query` and `test` were made of */
  #testKey = [];
  query = new Query("", this);
  #header = new Header(this);
  #asks = new Asks(this);
  #drawer = new Drawer(this);
  #note = element("div", "note", { role: "status" });
  #twin = document.createElement("style");
  #frame = 0;
  #timer = 0;
  #timerAt = 0;
  #inSight = true;
  #sights = new IntersectionObserver((entries) => {
    this.#inSight = entries.at(-1)?.isIntersecting ?? true;
    if (this.#inSight) this.schedule();
  });
  #asked;

  /**
   * @param {Link} link
   * @param {Model} model
   * @param {HTMLElement} el
   */
  constructor(link, model, el) {
    super(link, () => this.schedule());
    this.model = model;
    this.#asked = new Asked(this);
    this.toolbar = new Toolbar(this);
    /** @type {Record<TabName, Tab | null>} */
    this.tabs = { table: new Table(this), timeline: new Timeline(this), tree: new Tree(this) };
    /** @type {Tab | null} the list of runs, beside the tabs of a view of all runs */
    this.runs = model.get("view") === "runs" ? new Runs(this) : null;
    this.tabBar = new Tabs(this);
    const tab = model.get("tab");
    if (Object.hasOwn(this.tabs, tab)) this.state.tab = /** @type {TabName} */ (tab);
    this.root = this.#build();
    el.replaceChildren(this.root);
    this.#listen();
    // In the document already, it need not wait for a frame to be seen in the next one.
    if (el.isConnected) this.#draw();
    else this.schedule();
  }

  #build() {
    const { toolbar } = this;
    toolbar.tools.prepend(this.tabBar.node);
    const body = element("div", "split", {}, ...(this.runs ? [this.runs.node] : []), this.tabBar.panel);
    const tools = [toolbar.tools, toolbar.hint, toolbar.chips];
    return element(
      "div",
      "",
      {},
      this.#twin,
      this.#header.node,
      this.#asks.node,
      ...tools,
      body,
      this.#drawer.node,
      this.#note,
    );
  }

  #listen() {
    const { signal } = this;
    this.link.views.add(this.schedule);
    for (const trait of TRAITS) this.model.on(`change:${trait}`, this.schedule);
    this.root.addEventListener("keydown", (event) => this.#keyed(event), { signal });
    keepKeys(this.root, signal);
    document.addEventListener("visibilitychange", this.schedule, { signal });
    this.#sights.observe(this.root);
  }

  stop = () => {
    this.#over.abort();
    cancelAnimationFrame(this.#frame);
    clearTimeout(this.#timer);
    this.#sights.disconnect();
    this.link.views.delete(this.schedule);
    for (const part of [...Object.values(this.tabs), this.runs, this.#drawer]) part?.stop();
    for (const trait of TRAITS) this.model.off(`change:${trait}`, this.schedule);
    this.root.remove();
  };

  /** Ends with the view: for listeners. */
  get signal() {
    return this.#over.signal;
  }

  /** Draws with the next frame. */
  schedule = () => {
    if (this.#frame || this.#over.signal.aborted) return;
    this.#frame = requestAnimationFrame(() => {
      this.#frame = 0;
      this.#draw();
    });
  };

  /**
   * Draws again within that time, if the view can be seen.
   *
   * @param {number} ms
   */
  soon(ms) {
    if (this.#over.signal.aborted || !this.#inSight || document.hidden) return;
    const at = performance.now() + ms;
    if (this.#timer && this.#timerAt <= at) return;
    clearTimeout(this.#timer);
    this.#timerAt = at;
    this.#timer = window.setTimeout(() => {
      this.#timer = 0;
      this.schedule();
    }, ms);
  }

  /** The run that the view is about: "" for all. */
  get followed() {
    return this.model.get("run") || this.state.run;
  }

  // What the user does.

  /**
   * Makes an item the selected one, or null none; a range if `extend`s from the one before.
   *
   * @param {Row | null} item
   * @param {{ extend?: boolean, open?: boolean, items?: Row[] | null }} [how] `open`: with its payload in the drawer;
   *   `items`: how they stand where it was selected, if not ascending by seq
   */
  select(item, { extend = false, open = this.state.open, items = null } = {}) {
    const anchor = extend ? (this.state.anchor ?? this.state.selected) : null;
    const among = anchor && item && items ? between(items, anchor, item) : null;
    this.state.set({ selected: item, anchor, among, open: open && item !== null });
  }

  focus() {
    this.tabs[this.state.tab]?.focus();
  }

  /** @param {KeyboardEvent} event */
  #keyed(event) {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    const target = /** @type {Element} */ (event.target);
    const isTyping = target.matches("input, textarea, select");
    const hasSpace = target.matches("button, .lo-payload");
    if (!this.#used(event.key, isTyping, hasSpace)) return;
    event.preventDefault();
    // Also a key that the notebook gets otherwise: it was used here.
    event.stopPropagation();
  }

  /**
   * @param {string} key
   * @param {boolean} isTyping
   * @param {boolean} hasSpace whether the space bar has a use of its own there
   */
  #used(key, isTyping, hasSpace) {
    if (key === "Escape") return this.#escape(isTyping);
    if (isTyping) return false;
    if (key === "/") this.toolbar.filter.focus();
    else if (key === " " && !hasSpace) this.pause(!this.state.paused);
    else return false;
    return true;
  }

  /** @param {boolean} isTyping */
  #escape(isTyping) {
    const { state } = this;
    if (isTyping && state.filter) state.set({ filter: "" });
    else if (state.open && state.selected) this.#drawer.close();
    else if (state.filter) state.set({ filter: "" });
    else if (state.selected) this.select(null);
    else return false;
    return true;
  }

  // Drawing.

  #draw() {
    this.#asked.grant();
    this.#choose();
    this.#header.draw();
    this.#asks.draw();
    this.toolbar.draw();
    this.#drawWidths();
    this.runs?.draw();
    this.tabBar.draw();
    this.tabs[this.state.tab]?.draw();
    this.#drawer.draw();
    setText(this.#note, this.#noteText());
    this.#note.hidden = this.#note.textContent === "";
    setText(this.#twin, this.link.heard ? twinRules(this.model.get("twin")) : "");
    this.#asked.tell();
    this.#drawAgain();
  }

  /** Has what changes by time alone drawn again, also that nothing is heard. */
  #drawAgain() {
    const { link } = this;
    if (link.isQuiet) {
      link.knock();
      if (link.silence <= FORGOTTEN_MS) this.soon(SECOND_MS);
    } else if (this.#grows()) this.soon(GROW_MS);
    else if (link.goesOn) this.soon(QUIET_MS - link.silence + 1);
  }

  /** Brings the shown items up to date with the filter and with what has come. */
  #choose() {
    const { state, link } = this;
    const run = this.model.get("run") ? "" : state.run;
    const isOver = (/** @type {{ status: string }} */ { status }) => status !== "running";
    const ended = this.query.asksState ? [...link.tallies.values()].filter(isOver).length : 0;
    const key = [state.filter, run, state.paused, ended, this.query.asksState && link.status];
    if (this.query.text !== state.filter) this.query = new Query(state.filter, this);
    if (key.some((part, index) => part !== this.#testKey[index])) {
      const { test } = this.query;
      this.#testKey = key;
      this.#test = run
        ? (item) => item.run === run && (test === null || test(item))
        : test && ((item) => test(item));
    }
    this.shown.update(this.#test);
  }

  #drawWidths() {
    const { typeWidth, runWidth } = this.toolbar.census;
    const digits = String(this.link.store.rows.at(-1)?.seq ?? 0).length;
    const { style, classList } = this.root;
    style.setProperty("--l-seq-width", `${Math.max(digits, 4)}.5ch`);
    style.setProperty("--l-type-width", `${Math.min(typeWidth, 44) + 2.5}ch`);
    style.setProperty("--l-run-width", this.followed ? "" : `minmax(3ch, ${Math.min(runWidth, 16) + 2.5}ch)`);
    classList.toggle("lo-all-runs", this.followed === "");
  }

  /** What to say where no item is shown. */
  emptyText() {
    if (this.base.items.length > 0) return "No event matches the filter.";
    return this.link.status === "ended" ? "Ended without an event." : "Waiting for the first event …";
  }

  #noteText() {
    const { store, total, unreadable, unfilled, unreachable, status, last } = this.link;
    const notes = [];
    if (this.state.range) notes.push(this.#rangeText());
    const caughtUp = store.head >= last && !store.hasGap && unreadable + unfilled === 0;
    // Let go by this page, or by Python before the page came.
    const earlier = caughtUp ? Math.max(store.dropped, total - store.rows.length) : store.dropped;
    if (earlier > 0) notes.push(`${counted(earlier, "earlier event")} no longer kept`);
    if (status === "failed") notes.push("this view failed and follows no more; the log says why");
    if (unfilled > 0) notes.push(`${counted(unfilled, "gap")} that the kernel did not fill`);
    if (unreadable > 0) notes.push(`${counted(unreadable, "unreadable message")} ignored`);
    if (unreachable) notes.push("the kernel cannot be reached");
    return notes.join(" · ");
  }

  #rangeText() {
    const { selected, anchor } = this.state;
    const ms = Math.abs((selected?.time ?? 0) - (anchor?.time ?? 0));
    return `${counted(this.countSelected(), "row")} selected · ${formatDuration(ms)} between the ends`;
  }

  /** Whether something gets longer by time alone. */
  #grows() {
    const { link, followed } = this;
    if (link.status !== "live") return false;
    if (followed) return link.tallies.get(followed)?.status === "running";
    return [...link.tallies.values()].some(({ status }) => status === "running");
  }
}

const TRAITS = /** @type {const} */ (["run", "twin"]);

/**
 * The items from one to another, ascending by seq; the two alone if one of them is not there.
 *
 * @param {Row[]} items
 * @param {Row} one
 * @param {Row} other
 */
function between(items, one, other) {
  const [from, to] = [items.indexOf(one), items.indexOf(other)].sort((a, b) => a - b);
  const found = from < 0 ? [one, other] : items.slice(from, to + 1);
  return new Set(found.sort((a, b) => a.seq - b.seq));
}
