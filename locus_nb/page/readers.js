/** The readers of a bus, worst first. */

/** @import { Reader } from "./wire.js" */

import { element, setText } from "./dom.js";
import { count, hueOf } from "./format.js";

const FEW = 8;

/**
 * What lost events comes first, then what is fullest; a refused order keeps its place by number.
 *
 * @param {Reader} a
 * @param {Reader} b
 */
export function byNeed(a, b) {
  return b.dropped - a.dropped || fullness(b) - fullness(a) || a.id - b.id;
}

/** @param {Reader} reader */
const fullness = ({ backlog, capacity }) => backlog / (capacity || 1);

/** @param {number} part */
const percent = (part) => `${(100 * Math.min(1, Math.max(0, part))).toFixed(1)}%`;

/** One line of the list, used for whichever reader stands there. */
class ReaderLine {
  dot = element("span", "dot");
  label = element("span", "reader-label", { dir: "auto" });
  run = element("span", "reader-run", { dir: "auto" });
  fill = element("span", "meter-fill");
  over = element("span", "meter-over");
  peak = element("span", "meter-peak");
  meter = element("span", "meter", { role: "meter", "aria-valuemin": "0" }, this.fill, this.over, this.peak);
  backlog = element("span", "reader-backlog");
  delivered = element("span", "reader-delivered");
  dropped = element("span", "reader-dropped");
  node = element(
    "div",
    "reader",
    { role: "listitem" },
    element("span", "reader-name", {}, this.dot, this.label, this.run),
    this.meter,
    this.backlog,
    this.delivered,
    this.dropped,
  );

  /** @param {Reader} reader */
  draw(reader) {
    const { label, run, backlog, capacity, overflow, peak, delivered, dropped } = reader;
    this.node.dataset["reader"] = String(reader.id);
    setText(this.label, label || "(no label)");
    setText(this.run, run ?? "all runs");
    this.run.title = run ?? "";
    this.label.title = label;
    this.dot.style.setProperty("--locus-run-hue", run === null ? "" : String(hueOf(run)));
    this.dot.hidden = run === null;
    this.#drawMeter(backlog, capacity, overflow, peak);
    setText(this.backlog, `${count(backlog)} / ${count(capacity)}`);
    setText(this.delivered, count(delivered));
    setText(this.dropped, dropped > 0 ? `${count(dropped)} dropped` : "–");
    this.dropped.classList.toggle("locus-live-loss", dropped > 0);
  }

  /**
   * The queue from left to right; what waits for room, which may be many queues, grows in from the right.
   *
   * @param {number} backlog
   * @param {number} capacity
   * @param {number} overflow
   * @param {number} peak
   */
  #drawMeter(backlog, capacity, overflow, peak) {
    const size = capacity || 1;
    this.fill.style.width = percent((backlog - overflow) / size);
    this.over.style.width = percent(overflow / size);
    this.peak.style.left = percent(peak / size);
    this.peak.hidden = peak === 0;
    this.meter.setAttribute("aria-valuemax", String(capacity));
    this.meter.setAttribute("aria-valuenow", String(Math.min(backlog, capacity)));
    const waiting = overflow > 0 ? `, ${count(overflow)} of them wait for room` : "";
    const words = `${count(backlog)} unread of ${count(capacity)}${waiting}; at most ${count(peak)} so far`;
    this.meter.setAttribute("aria-label", words);
    this.meter.title = words;
    this.node.classList.toggle("locus-live-full", overflow > 0);
  }
}

/** The worst readers, and at a click all that Python tells of. Their order stays while the pointer is over them. */
export class ReaderList {
  list = element("div", "readers", { role: "list", "aria-label": "Readers, worst first" });
  more = element("button", "more", { type: "button", "aria-expanded": "false" });
  empty = element("div", "readers-none", {}, "Nobody reads this bus.");
  head = element(
    "div",
    "reader-head",
    { "aria-hidden": "true" },
    element("span", "reader-col", {}, "reader"),
    element("span", "reader-col", {}, "queue"),
    element("span", "reader-col", {}, "backlog"),
    element("span", "reader-col", {}, "delivered"),
    element("span", "reader-col", {}, "drops"),
  );
  node = element("div", "readers-box", {}, this.head, this.list, this.empty, this.more);
  /** @type {ReaderLine[]} */
  lines = [];
  /** @type {Reader[]} */
  readers = [];
  total = 0;
  open = false;

  /** @param {AbortSignal} signal */
  constructor(signal) {
    this.more.addEventListener("click", () => this.#toggle(), { signal });
  }

  #toggle() {
    this.open = !this.open;
    this.more.setAttribute("aria-expanded", String(this.open));
    this.#draw();
  }

  /**
   * @param {Reader[]} readers
   * @param {number} total how many there are, told of or not
   */
  draw(readers, total) {
    const places = new Map(this.readers.map(({ id }, place) => [id, place]));
    const placeOf = (/** @type {Reader} */ { id }) => places.get(id) ?? places.size;
    const isHeld = this.list.matches(":hover");
    this.readers = [...readers].sort((a, b) => (isHeld && placeOf(a) - placeOf(b)) || byNeed(a, b));
    this.total = Math.max(total, readers.length);
    this.#draw();
  }

  #draw() {
    const shown = this.readers.slice(0, this.open ? undefined : FEW);
    while (this.lines.length < shown.length) {
      const line = new ReaderLine();
      this.lines.push(line);
      this.list.append(line.node);
    }
    for (const [index, line] of this.lines.entries()) {
      line.node.hidden = index >= shown.length;
      if (index < shown.length) line.draw(shown[index]);
    }
    this.head.hidden = shown.length === 0;
    this.empty.hidden = shown.length > 0;
    const left = this.total - shown.length;
    this.more.hidden = this.readers.length <= FEW;
    const rest = left > 0 ? ` · and ${count(left)} more that have nothing to tell` : "";
    setText(this.more, this.open ? `Show fewer${rest}` : `and ${count(left)} more`);
  }
}
