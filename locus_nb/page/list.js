/** A list of lines of one height, of which only those in sight are in the document. */

import { element } from "./dom.js";
import { isForNotebook } from "./keys.js";

export const LINE_HEIGHT = 24;
const OVERSCAN = 6;
const HIDDEN_FRAMES = 3;
const STILL_PX = 4;

/**
 * A line of the page. It shows other things as the list scrolls.
 *
 * @typedef {object} Slot
 * @property {HTMLElement} node
 * @property {(index: number) => void} show
 */
/**
 * What a list shows, and who hears what a reader does with it.
 *
 * @typedef {object} Lines
 * @property {() => number} count
 * @property {() => Slot} makeSlot
 * @property {() => number} active the line where the keyboard is; -1 for none
 * @property {(index: number, event: MouseEvent, target: Element) => void} click `target`: what was pressed
 * @property {(index: number, event: KeyboardEvent) => void} move a key led to that line
 * @property {(event: KeyboardEvent) => boolean} [key] any other key; true if it was used
 * @property {(index: number) => any} [keyAt] what stands in a line, so that it can be found again
 * @property {(key: any) => number} [indexOf] the line where that stands now, or would stand
 */

/** @typedef {{ key: any, index: number }} Place a line, and what stands in it if that can be found again */

let lists = 0;

/** A list. It draws when it is told to, and asks for that with `schedule`. */
export class VirtualList {
  /** @type {Lines} */
  #lines;
  /** @type {() => void} */
  #schedule;
  /** @type {HTMLElement | null} */
  #head;
  /** Whether it sticks to its end. */
  follow = false;
  #body = element("div", "body", { role: "rowgroup" });
  #window = element("div", "window", { role: "presentation" });
  /** @type {Slot[]} */
  #slots = [];
  #id = `lo-${++lists}`;
  /** The first line that has a slot. */
  #first = 0;
  #hidden = 0;
  #lastTop = 0;
  /** @type {Place} */
  #place = { key: null, index: 0 };
  /** @type {Place & { x: number, y: number, target: Element } | null} the line that was pressed last */
  #pressed = null;

  /**
   * @param {Lines} lines
   * @param {object} how
   * @param {AbortSignal} how.signal
   * @param {() => void} how.schedule
   * @param {string} how.label
   * @param {string} [how.role]
   * @param {string} [how.name] the part of the view
   * @param {HTMLElement | null} [how.head] a row that stays at the top
   * @param {boolean} [how.follows] whether it sticks to its end until the reader scrolls away
   */
  constructor(
    lines,
    { signal, schedule, label, role = "grid", name = "grid", head = null, follows = false },
  ) {
    this.#lines = lines;
    this.#schedule = schedule;
    this.#head = head;
    this.follows = this.follow = follows;
    this.node = element("div", name, { role, tabindex: "0", "aria-label": label });
    this.node.style.setProperty("--l-row-height", `${LINE_HEIGHT}px`);
    this.#body.append(this.#window);
    if (head) this.node.append(element("div", "headgroup", { role: "rowgroup" }, head));
    this.node.append(this.#body);
    this.#listen(signal);
  }

  /** @param {AbortSignal} signal */
  #listen(signal) {
    const { node } = this;
    const sizes = new ResizeObserver(this.#schedule);
    sizes.observe(node);
    signal.addEventListener("abort", () => sizes.disconnect(), { once: true });
    node.addEventListener("scroll", () => this.#scrolled(), { signal, passive: true });
    node.addEventListener("wheel", (event) => this.#wheeled(event), { signal, passive: true });
    node.addEventListener("pointerdown", (event) => this.#hold(event), { signal });
    node.addEventListener("click", (event) => this.#clicked(event), { signal });
    node.addEventListener("keydown", (event) => this.#keyed(event), { signal });
  }

  /** Shows the lines as they are now. Within a frame. */
  draw() {
    if (this.#isHidden()) return;
    // Read before the list shrinks, which moves it.
    const { scrollTop } = this.node;
    const height = this.#lines.count() * LINE_HEIGHT;
    this.#body.style.height = `${height}px`;
    this.node.style.setProperty("--l-height", `${height + LINE_HEIGHT + 1}px`);
    const moved = this.#indexOf(this.#place) - this.#place.index;
    if (this.follow) this.#scrollTo(this.#bottom);
    else if (moved !== 0) this.#scrollTo(scrollTop + moved * LINE_HEIGHT);
    this.#drawSlots();
  }

  /**
   * Whether nothing can be seen of it, so that no line must be taken away for lack of room. A host that
   * hides it for a moment, as JupyterLab does to change its theme, is not always reported as a resize.
   */
  #isHidden() {
    if (this.node.clientHeight > 0) {
      this.#hidden = 0;
      return false;
    }
    if (this.#hidden++ < HIDDEN_FRAMES) this.#schedule();
    return true;
  }

  /** @param {Place} place */
  #indexOf({ key, index }) {
    return key === null || !this.#lines.indexOf ? index : this.#lines.indexOf(key);
  }

  #drawSlots() {
    const count = this.#lines.count();
    const top = Math.min(Math.floor(this.node.scrollTop / LINE_HEIGHT), Math.max(0, count - 1));
    const first = Math.max(0, top - OVERSCAN);
    const last = Math.min(count, top + Math.ceil(this.#viewHeight / LINE_HEIGHT) + 1 + OVERSCAN);
    if (count > 0) this.#place = { key: this.#lines.keyAt?.(top) ?? null, index: top };
    else this.#place.index = this.#indexOf(this.#place);
    this.#makeSlots(last - first);
    this.#window.style.transform = `translateY(${first * LINE_HEIGHT}px)`;
    this.#first = first;
    for (const [at, { node, show }] of this.#slots.entries()) {
      const index = first + at;
      node.hidden = index >= last;
      if (node.hidden) continue;
      node.setAttribute("aria-rowindex", String(index + (this.#head ? 2 : 1)));
      show(index);
    }
    const active = this.#slots[this.#lines.active() - first];
    this.node.setAttribute("aria-activedescendant", active && !active.node.hidden ? active.node.id : "");
    this.node.setAttribute("aria-rowcount", String(count + (this.#head ? 1 : 0)));
  }

  /** @param {number} needed */
  #makeSlots(needed) {
    while (this.#slots.length < needed) {
      const { node, show } = this.#lines.makeSlot();
      node.id = `${this.#id}-${this.#slots.length}`;
      this.#slots.push({ node, show });
      this.#window.append(node);
    }
  }

  /** The height that lines can be seen in. */
  get #viewHeight() {
    return Math.max(0, this.node.clientHeight - (this.#head?.offsetHeight ?? 0));
  }

  get #bottom() {
    return Math.max(0, this.#lines.count() * LINE_HEIGHT - this.#viewHeight);
  }

  /** How many lines stand below the last one in sight. */
  get below() {
    const seen = Math.floor((this.node.scrollTop + this.#viewHeight + 2) / LINE_HEIGHT);
    return Math.max(0, this.#lines.count() - seen);
  }

  /** Whether the last line is in sight. */
  get atEnd() {
    return this.node.scrollTop >= this.#bottom - 2;
  }

  /**
   * Scrolls as little as brings the line into sight, and no longer follows.
   *
   * @param {number} index
   */
  reveal(index) {
    this.follow = false;
    const top = index * LINE_HEIGHT;
    const { scrollTop } = this.node;
    this.#scrollTo(Math.min(Math.max(scrollTop, top + LINE_HEIGHT - this.#viewHeight), top));
    this.#place = { key: null, index: Math.floor(this.node.scrollTop / LINE_HEIGHT) };
    this.#schedule();
  }

  focus() {
    this.node.focus({ preventScroll: true });
  }

  /** @param {number} top */
  #scrollTo(top) {
    if (Math.abs(this.node.scrollTop - top) >= 1) this.node.scrollTop = top;
    this.#lastTop = this.node.scrollTop;
  }

  #scrolled() {
    // The browser scrolls what it hides; the reader did not.
    if (this.#hidden === 0 && this.node.clientHeight > 0) {
      const { scrollTop } = this.node;
      if (scrollTop < this.#lastTop && !this.atEnd) this.follow = false;
      else if (scrollTop > this.#lastTop && this.atEnd) this.follow = this.follows;
      this.#lastTop = scrollTop;
    }
    this.#schedule();
  }

  /** @param {WheelEvent} event */
  #wheeled(event) {
    // A smooth scroll starts with less than a pixel, which alone would not be told from the bottom.
    if (event.deltaY < 0 && this.#bottom > 0) this.follow = false;
  }

  /**
   * @param {Event} event
   * @returns {number} the line in which it happened, -1 for none
   */
  #lineAt(event) {
    const target = /** @type {Node} */ (event.target);
    const slot = this.#slots.findIndex(({ node }) => !node.hidden && node.contains(target));
    return slot < 0 ? -1 : this.#first + slot;
  }

  /**
   * Stops following as soon as a line is pressed, or it would move away before it is clicked.
   *
   * @param {PointerEvent} event
   */
  #hold(event) {
    const index = this.#lineAt(event);
    this.#pressed = null;
    if (event.button !== 0 || index < 0) return;
    this.follow = false;
    const { clientX: x, clientY: y } = event;
    const key = this.#lines.keyAt?.(index) ?? null;
    this.#pressed = { key, index, x, y, target: /** @type {Element} */ (event.target) };
  }

  /** @param {MouseEvent} event */
  #clicked(event) {
    const pressed = this.#pressed;
    this.#pressed = null;
    // Where the pointer has not moved, the line that was pressed is meant: another may have been drawn there since.
    const isStill = pressed && Math.hypot(event.clientX - pressed.x, event.clientY - pressed.y) < STILL_PX;
    const index = isStill ? this.#indexOf(pressed) : this.#lineAt(event);
    if (index < 0 || index >= this.#lines.count()) return;
    const target = isStill ? pressed.target : /** @type {Element} */ (event.target);
    this.#lines.click(index, event, target);
    this.#schedule();
  }

  /** @param {KeyboardEvent} event */
  #keyed(event) {
    if ((isForNotebook(event) && event.key !== "Escape") || event.isComposing) return;
    const index = this.#indexAfter(event.key);
    if (index !== null && this.#lines.count() > 0) {
      const target = Math.min(Math.max(index, 0), this.#lines.count() - 1);
      this.reveal(target);
      this.#lines.move(target, event);
    } else if (index === null && !this.#lines.key?.(event)) {
      return;
    }
    // The notebook has uses of its own for these keys.
    event.preventDefault();
    event.stopPropagation();
    this.#schedule();
  }

  /**
   * @param {string} key
   * @returns {number | null} the line a key leads to, null for other keys
   */
  #indexAfter(key) {
    const last = this.#lines.count() - 1;
    const page = Math.max(1, Math.floor(this.#viewHeight / LINE_HEIGHT) - 1);
    const active = this.#lines.active();
    const isUp = key === "ArrowUp" || key === "PageUp";
    const edge = isUp ? last + 1 - this.below : Math.floor(this.node.scrollTop / LINE_HEIGHT) - 1;
    const from = active >= 0 ? active : edge;
    /** @type {Record<string, number>} */
    const targets = { ArrowDown: from + 1, ArrowUp: from - 1, PageDown: from + page, PageUp: from - page };
    return { ...targets, Home: 0, End: last }[key] ?? null;
  }
}
