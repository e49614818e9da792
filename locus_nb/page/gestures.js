/** What a user does to the timeline with pointer, wheel and keys. */

/** @import { Row } from "./row.js" */
/** @import { Timeline } from "./timeline.js" */
/** @import { View } from "./view.js" */

import { element, setText } from "./dom.js";
import { LINE } from "./lanes.js";
import { lowerBound } from "./store.js";
import { beginOf, isSpan } from "./times.js";

const DRAG_PX = 4;
const WHEEL = 0.0022;

/** Listens to one timeline for as long as its view lasts. */
export class Gestures {
  shade = element("div", "shade", { hidden: "" });
  /** @type {number | null} where a drag over the axis began, in pixels of the plot */
  dragged = null;

  /**
   * @param {View} view
   * @param {Timeline} timeline
   */
  constructor(view, timeline) {
    this.view = view;
    this.timeline = timeline;
    timeline.ticks.append(this.shade);
    this.#listen(timeline);
  }

  /** @param {Timeline} timeline */
  #listen({ node, chart, axis, canvas, tip }) {
    /** @type {[HTMLElement, string, (event: any) => void][]} */
    const listeners = [
      [chart, "scroll", this.view.schedule],
      [chart, "wheel", this.#wheel],
      [chart, "dblclick", this.#reset],
      [chart, "keydown", this.#key],
      [canvas, "click", this.#click],
      [canvas, "pointermove", this.#hover],
      [canvas, "pointerleave", () => this.#hide(tip)],
      [axis, "pointerdown", this.#press],
      [axis, "pointermove", this.#drag],
      [axis, "pointerup", this.#release],
      [axis, "pointercancel", this.#letGo],
      [node, "keydown", this.#keyAnywhere],
    ];
    for (const [target, type, listener] of listeners) {
      target.addEventListener(type, listener, { signal: this.view.signal, passive: false });
    }
  }

  /** @param {HTMLElement} node */
  #hide(node) {
    node.hidden = true;
  }

  /** @param {MouseEvent} event */
  #xOf(event) {
    return event.clientX - this.timeline.plot.getBoundingClientRect().left;
  }

  /** @param {WheelEvent} event */
  #wheel = (event) => {
    const { timeline } = this;
    const { window } = timeline;
    const unit = event.deltaMode === 1 ? LINE : 1;
    const sideways = event.deltaX || (event.shiftKey ? event.deltaY : 0);
    if (event.ctrlKey || event.metaKey) {
      window.zoom(Math.exp(-event.deltaY * unit * WHEEL), timeline.timeAt(this.#xOf(event)));
    } else if (sideways && window.part) {
      window.pan((sideways * unit) / timeline.width);
    } else {
      return;
    }
    event.preventDefault();
    this.view.schedule();
  };

  #reset = () => {
    this.timeline.window.fit();
    this.view.schedule();
  };

  /** @param {MouseEvent} event */
  #click = (event) => {
    const { timeline } = this;
    const piece = timeline.pieceAt(event);
    if (piece) {
      this.view.select(piece.item, { open: true, extend: event.shiftKey });
      return;
    }
    const line =
      timeline.lines[Math.floor((event.clientY - timeline.canvas.getBoundingClientRect().top) / LINE)];
    if (line?.kind === "run" && this.#xOf(event) < 0) timeline.toggle(line.run);
  };

  /** @param {PointerEvent} event */
  #hover = (event) => {
    const { timeline } = this;
    const { tip, node } = timeline;
    const piece = timeline.pieceAt(event);
    tip.hidden = piece === null;
    if (piece === null) return;
    const more = piece.count > 1 ? `\nand ${piece.count - 1} more here` : "";
    setText(tip, timeline.describe(piece.item) + more);
    const box = node.getBoundingClientRect();
    const x = Math.min(event.clientX - box.left + 12, node.clientWidth - tip.offsetWidth - 8);
    const below = event.clientY - box.top + 16;
    const y = below + tip.offsetHeight > node.clientHeight ? below - tip.offsetHeight - 28 : below;
    tip.style.transform = `translate(${Math.max(4, x)}px, ${Math.max(4, y)}px)`;
  };

  /** @param {PointerEvent} event */
  #press = (event) => {
    const x = this.#xOf(event);
    if (event.button !== 0 || x < 0) return;
    this.timeline.axis.setPointerCapture(event.pointerId);
    this.dragged = x;
  };

  /**
   * The pixels that a drag has passed over.
   *
   * @param {PointerEvent} event
   * @returns {[left: number, right: number]}
   */
  #range(event) {
    const x = Math.min(Math.max(this.#xOf(event), 0), this.timeline.width);
    const from = this.dragged ?? x;
    return [Math.min(x, from), Math.max(x, from)];
  }

  /** @param {PointerEvent} event */
  #drag = (event) => {
    if (this.dragged === null) return;
    const [left, right] = this.#range(event);
    this.shade.hidden = false;
    this.shade.style.cssText = `left:${left}px;width:${right - left}px`;
  };

  /** @param {PointerEvent} event */
  #release = (event) => {
    const { timeline } = this;
    const [left, right] = this.#range(event);
    this.#letGo();
    if (right - left < DRAG_PX) return;
    timeline.window.set(timeline.timeAt(left), timeline.timeAt(right));
    this.view.schedule();
  };

  #letGo = () => {
    this.dragged = null;
    this.#hide(this.shade);
  };

  /** @param {KeyboardEvent} event */
  #keyAnywhere = (event) => {
    const { replay } = this.timeline;
    const target = /** @type {HTMLElement} */ (event.target);
    if (event.key === " " && !["BUTTON", "SELECT"].includes(target.tagName)) replay.toggle();
    else if (event.key === "Escape" && replay.cursor !== null) replay.leave();
    else return;
    this.#used(event);
  };

  /** @param {KeyboardEvent} event */
  #key = (event) => {
    if (event.altKey || event.isComposing || (event.key === "Enter" && event.shiftKey)) return;
    const { timeline, view } = this;
    const { window } = timeline;
    const isFar = event.ctrlKey || event.metaKey;
    /** @type {Record<string, () => void>} */
    const far = { ArrowLeft: () => window.pan(-0.1), ArrowRight: () => window.pan(0.1) };
    /** @type {Record<string, () => void>} */
    const near = {
      "+": () => window.zoom(1.5),
      "=": () => window.zoom(1.5),
      "-": () => window.zoom(1 / 1.5),
      0: () => window.fit(),
      "*": () => timeline.toggleAll(),
      PageUp: () => window.pan(-0.8),
      PageDown: () => window.pan(0.8),
      ArrowLeft: () => this.#move(this.#beside(-1), event),
      ArrowRight: () => this.#move(this.#beside(1), event),
      ArrowUp: () => this.#move(this.#across(-1), event),
      ArrowDown: () => this.#move(this.#across(1), event),
      Home: () => this.#move(this.#spanFrom(-1, 1), event),
      End: () => this.#move(this.#spanFrom(view.shown.items.length, -1), event),
      Enter: () => view.state.selected && view.select(view.state.selected, { open: true }),
    };
    const act = (isFar ? far : near)[event.key];
    if (!act) return;
    act();
    this.#used(event);
    view.schedule();
  };

  /** @param {KeyboardEvent} event */
  #used(event) {
    // The notebook has uses of its own for these keys.
    event.preventDefault();
    event.stopPropagation();
  }

  /**
   * @param {Row | null} item
   * @param {KeyboardEvent} event
   */
  #move(item, { shiftKey }) {
    if (item) this.timeline.choose(item, { extend: shiftKey });
  }

  /** @param {1 | -1} step */
  #beside(step) {
    const { items } = this.view.shown;
    const { selected } = this.view.state;
    if (!selected) return this.#spanFrom(step > 0 ? -1 : items.length, step);
    const index = lowerBound(items, selected.seq);
    return this.#spanFrom(items[index] === selected || step < 0 ? index : index - 1, step);
  }

  /**
   * The next span before or after an index.
   *
   * @param {number} index
   * @param {1 | -1} step
   */
  #spanFrom(index, step) {
    const { items } = this.view.shown;
    let at = index + step;
    while (items[at] && !isSpan(items[at])) at += step;
    return items[at] ?? null;
  }

  /**
   * The item of the next line that begins nearest to the selected one.
   *
   * @param {1 | -1} step
   */
  #across(step) {
    const { timeline } = this;
    const { selected } = this.view.state;
    if (!selected) return this.#beside(step);
    let index = timeline.lineOf(selected) + step;
    while (timeline.lines[index] && timeline.itemsOf(timeline.lines[index]).length === 0) index += step;
    const line = timeline.lines[index];
    if (!line) return null;
    const away = (/** @type {Row} */ item) => Math.abs(beginOf(item) - beginOf(selected));
    return timeline.itemsOf(line).reduce((best, item) => (away(item) < away(best) ? item : best));
  }
}
