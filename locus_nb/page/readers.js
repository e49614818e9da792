/** The readers of a bus, worst first. */

/** @import { Reader } from "./wire.js" */

import { element, setText } from "./dom.js";
import { count, hueOf } from "./format.js";
import { firstSeen, NAMELESS } from "./times.js";

const FEW = 8;

/**
 * What lost events comes first, then what is fullest.
 *
 * @param {Reader} a
 * @param {Reader} b
 */
export function byNeed(a, b) {
  return b.dropped - a.dropped || b.backlog / b.capacity - a.backlog / a.capacity || a.id - b.id;
}

/** One line of the list, used for whichever reader stands there. */
class ReaderLine {
  #dot = document.createElement("span");
  #label = element("span", "reader-label", { dir: "auto" });
  #run = element("span", "reader-run", { dir: "auto" });
  /** What is in the queue, what waits for room in it, and the peak. */
  #marks = ["i", "i", "i"].map((tag) => document.createElement(tag));
  #meter = element("span", "meter", { role: "img" }, ...this.#marks);
  #cells = ["backlog", "delivered", "dropped"].map((part) => element("span", `reader-${part}`));
  node = element(
    "div",
    "reader",
    { role: "listitem" },
    element("span", "named", {}, this.#dot, this.#label, this.#run),
    this.#meter,
    ...this.#cells,
  );

  /** @param {Reader} reader */
  draw({ id, label, run, backlog, capacity, overflow, peak, delivered, dropped }) {
    this.node.dataset["reader"] = String(id);
    const name = firstSeen(label, "(no label)");
    setText(this.#label, name);
    setText(this.#run, run === null ? "all runs" : firstSeen(run, NAMELESS));
    this.#dot.hidden = run === null;
    this.#dot.style.setProperty("--l-run-hue", String(hueOf(run ?? "")));
    const percent = (/** @type {number} */ part) => `${Math.min(100, (100 * part) / capacity).toFixed(1)}%`;
    const [queue, over, top] = this.#marks;
    queue.style.width = percent(Math.max(0, backlog - overflow));
    // It may be many queues long; it grows in from the right.
    over.style.width = percent(overflow);
    top.style.left = percent(peak);
    top.hidden = peak === 0;
    const waiting = overflow > 0 ? `, ${count(overflow)} of them wait for room` : "";
    const words = `${count(backlog)} unread of ${count(capacity)}${waiting}; at most ${count(peak)} so far`;
    this.#meter.setAttribute("aria-label", words);
    // A label that reads from right to left must not turn what follows it around.
    this.node.title = `\u2068${name}\u2069 · ${words}`;
    const lost = dropped > 0 ? `${count(dropped)} dropped` : "–";
    const texts = [`${count(backlog)} / ${count(capacity)}`, count(delivered), lost];
    for (const [index, cell] of this.#cells.entries()) setText(cell, texts[index]);
    this.#cells[2].classList.toggle("lo-loss", dropped > 0);
  }
}

/** The worst readers, and at a click all that Python tells of. Their order stays while the pointer is over them. */
export class ReaderList {
  #head = element("div", "reader-head", { "aria-hidden": "true" });
  #list = element("div", "readers", { role: "list", "aria-label": "Readers, worst first" }, this.#head);
  #more = element("button", "more", { type: "button" });
  node = element("div", "readers-box", {}, this.#list, this.#more);
  /** @type {ReaderLine[]} */
  #lines = [];
  /** @type {Reader[]} */
  #readers = [];
  #total = 0;
  #open = false;

  /** @param {AbortSignal} signal */
  constructor(signal) {
    for (const name of ["reader", "queue", "backlog", "delivered", "drops"]) {
      this.#head.append(element("span", "reader-col", {}, name));
    }
    this.#more.addEventListener("click", () => this.#toggle(), { signal });
  }

  #toggle() {
    this.#open = !this.#open;
    this.#draw();
  }

  /**
   * @param {Reader[]} readers
   * @param {number} total how many there are, told of or not
   */
  draw(readers, total) {
    const places = new Map(this.#readers.map(({ id }, place) => [id, place]));
    const placeOf = (/** @type {Reader} */ { id }) => places.get(id) ?? places.size;
    const isHeld = this.#list.matches(":hover");
    this.#readers = [...readers].sort((a, b) => (isHeld && placeOf(a) - placeOf(b)) || byNeed(a, b));
    this.#total = total;
    this.#draw();
  }

  #draw() {
    const shown = this.#readers.slice(0, this.#open ? undefined : FEW);
    while (this.#lines.length < shown.length) {
      const line = new ReaderLine();
      this.#lines.push(line);
      this.#list.append(line.node);
    }
    for (const [index, line] of this.#lines.entries()) {
      line.node.hidden = index >= shown.length;
      if (index < shown.length) line.draw(shown[index]);
    }
    const left = count(Math.max(0, this.#total - shown.length));
    this.#more.hidden = this.#readers.length <= FEW;
    this.#more.setAttribute("aria-expanded", String(this.#open));
    setText(this.#more, this.#open ? `show fewer · ${left} more are not listed` : `and ${left} more`);
    setText(this.#head.children[0], shown.length > 0 ? "reader" : "Nobody reads this bus.");
  }
}
