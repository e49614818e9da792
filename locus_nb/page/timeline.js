/** The timeline: a waterfall of spans over time, with a replay. */

/** @import { Line, Piece } from "./lanes.js" */
/** @import { Row } from "./row.js" */
/** @import { View } from "./view.js" */

import { Window } from "./axis.js";
import { Bars, widthOf } from "./bars.js";
import { element, setText } from "./dom.js";
import { counted, formatDate, formatDuration, formatTime } from "./format.js";
import { Fresh } from "./fresh.js";
import { Gestures } from "./gestures.js";
import { Lanes, LINE } from "./lanes.js";
import { Pool } from "./pool.js";
import { Replay } from "./replay.js";
import { SIGNS, WORDS } from "./signs.js";
import { beginOf, firstSeen, isSpan, plain, Times, titleOf } from "./times.js";

const AXIS = 24;
/** Pixels left free after the last bar, for what is written beside it. */
const MARGIN = 44;
const MOST_BARS = 1_200;
const OPEN_RUNS = 6;
/** A waterfall with a line for each lane, under an axis of time. */
export class Timeline {
  window = new Window();
  corner = element("span", "corner");
  ticks = element("div", "ticks");
  axis = element(
    "div",
    "axis",
    { title: "Drag to zoom in, double click to see all" },
    this.corner,
    this.ticks,
  );
  rows = element("div", "lanes");
  plot = element("div", "plot");
  canvas = element("div", "canvas", {}, this.rows, this.plot);
  tip = element("div", "tip", { hidden: "" });
  cursor = element("div", "playhead", { hidden: "" });
  chart = element("div", "waterfall", { tabindex: "0", role: "group" }, this.axis, this.canvas);
  said = element("div", "said", { role: "status" });
  blank = element("div", "empty", { hidden: "" });
  bands = new Pool(this.plot, "band");
  labels = new Pool(this.rows, "lane");
  marks = new Pool(this.ticks, "tick");
  rules = new Pool(this.plot, "rule");
  bars = new Bars(this);
  /** @type {Map<string, boolean>} runs that the user opened or closed */
  opened = new Map();
  /** @type {Line[]} from the top */
  lines = [];
  /** @type {Map<Line, Piece[]>} of the lines in sight */
  pieces = new Map();
  width = 0;
  gutter = 0;
  /** When the last thing happened so far, in Unix milliseconds. */
  last = 0;

  /** @param {View} view */
  constructor(view) {
    this.view = view;
    this.fresh = new Fresh(view);
    /** Everything, and what has happened up to the cursor of the replay. */
    this.whole = new Times(view);
    this.times = new Times(view);
    this.lanes = new Lanes((item) => view.endOf(item));
    this.replay = new Replay(view, this);
    this.node = element("div", "timeline", {}, this.said, this.chart, this.blank, this.tip, this.replay.node);
    this.plot.append(this.cursor);
    this.gestures = new Gestures(view, this);
    this.sizes = new ResizeObserver(view.schedule);
    this.sizes.observe(this.chart);
  }

  focus() {
    this.chart.focus({ preventScroll: true });
  }

  stop() {
    this.sizes.disconnect();
    this.fresh.stop();
    this.replay.stop();
  }

  draw() {
    this.#takeNews();
    const { scrollTop, clientWidth, clientHeight } = this.chart;
    if (clientWidth === 0) return;
    this.gutter = clientWidth < 760 ? 118 : 176;
    this.width = clientWidth - this.gutter;
    this.times.until = this.replay.cursor ?? Number.POSITIVE_INFINITY;
    this.lines = [...this.lanes.lines((run) => this.isOpen(run))].filter((line) => this.#isShown(line));
    this.#measure();
    this.node.style.setProperty("--l-gutter", `${this.gutter}px`);
    this.canvas.style.height = `${this.lines.length * LINE}px`;
    const first = Math.max(0, Math.floor(scrollTop / LINE));
    this.#drawLines(first, Math.min(this.lines.length, Math.ceil((scrollTop + clientHeight) / LINE)));
    this.#drawAxis();
    this.#drawBands();
    for (const pool of [this.bands, this.labels, this.marks, this.rules, this.bars]) pool.rest();
    this.replay.draw();
    this.#say();
  }

  /**
   * Whether a run shows its lanes.
   *
   * @param {string} run
   */
  isOpen(run) {
    return this.opened.get(run) ?? this.lanes.runs.size <= OPEN_RUNS;
  }

  /** @param {string} run */
  toggle(run) {
    if (this.lanes.runs.size < 2) return;
    this.opened.set(run, !this.isOpen(run));
    this.view.schedule();
  }

  toggleAll() {
    const { runs } = this.lanes;
    const isOpen = ![...runs.keys()].every((run) => this.isOpen(run));
    for (const run of runs.keys()) this.opened.set(run, isOpen);
    this.view.schedule();
  }

  /** @param {number} time Unix milliseconds */
  xOf(time) {
    return ((time - this.window.from) / this.window.length) * this.width;
  }

  /** @param {number} x pixels from the left of the plot */
  timeAt(x) {
    return this.window.from + (x / this.width) * this.window.length;
  }

  /**
   * The piece at a place of the page, as it is drawn now.
   *
   * @param {{ clientX: number, clientY: number }} event
   */
  pieceAt({ clientX, clientY }) {
    const box = this.canvas.getBoundingClientRect();
    const line = this.lines[Math.floor((clientY - box.top) / LINE)];
    const x = clientX - box.left - this.gutter;
    if (!line || x < 0) return null;
    const reach = line.kind === "marks" ? 6 : 3;
    const near = (this.pieces.get(line) ?? []).filter((one) => x >= one.x - reach && x <= one.end + reach);
    const distance = (/** @type {Piece} */ one) => Math.max(one.x - x, x - one.end, 0);
    return near.sort((a, b) => distance(a) - distance(b))[0] ?? null;
  }

  /**
   * Selects an item and brings it into sight.
   *
   * @param {Row} item
   * @param {{ extend?: boolean, open?: boolean }} [how]
   */
  choose(item, how) {
    this.view.select(item, how);
    this.window.reveal(beginOf(item), this.whole.stopOf(item));
    const top = this.lineOf(item) * LINE;
    const { scrollTop, clientHeight } = this.chart;
    if (top < scrollTop) this.chart.scrollTop = top;
    else if (top + LINE + AXIS > scrollTop + clientHeight)
      this.chart.scrollTop = top + LINE + AXIS - clientHeight;
    setText(this.said, this.describe(item).split("\n").slice(0, 2).join(", "));
  }

  /** @param {Row} item */
  lineOf(item) {
    return this.lines.findIndex((line) => this.itemsOf(line).includes(item));
  }

  /** @param {Line} line */
  itemsOf(line) {
    return line.kind === "run" && this.isOpen(line.run) ? [] : line.items;
  }

  /**
   * What there is to say of an item, in lines.
   *
   * @param {Row} item
   */
  describe(item) {
    const { times, window } = this;
    const state = times.stateOf(item);
    const begin = beginOf(item);
    const said = isSpan(item) ? formatDuration(times.lengthOf(item)) : plain(item.preview.slice(0, 160));
    const lines = [
      titleOf(item),
      [said, state && `${SIGNS[state]} ${WORDS[state]}`].filter(Boolean).join(" · "),
      `at ${formatDuration(begin - window.all[0])} · ${formatDate(begin)} ${formatTime(begin)}`,
      plain(times.endOf(item)?.error?.slice(0, 200) ?? ""),
    ];
    return lines.filter(Boolean).join("\n");
  }

  #takeNews() {
    const { anew, items } = this.fresh.take();
    if (anew) this.lanes = new Lanes((item) => this.view.endOf(item));
    for (const item of items) this.lanes.take(item);
  }

  /** @param {Line} line */
  #isShown({ kind, run }) {
    const { runs } = this.lanes;
    return kind !== "run" || runs.size > 1 || (runs.get(run)?.bands.length ?? 0) > 0;
  }

  /** Finds the time that all lines cover, also those of closed runs. */
  #measure() {
    let from = Number.POSITIVE_INFINITY;
    let to = Number.NEGATIVE_INFINITY;
    for (const { kind, items } of this.lanes.lines(() => true)) {
      if (kind === "run" || items.length === 0) continue;
      from = Math.min(from, beginOf(items[0]));
      const last = /** @type {Row} */ (items.at(-1));
      to = Math.max(to, isSpan(last) ? this.whole.stopOf(last) : last.time);
    }
    if (!(from <= to)) from = to = this.view.now();
    this.last = to;
    const length = Math.max(((to - from) * this.width) / Math.max(this.width - MARGIN, MARGIN), 0.01);
    // While things come, the bars are not moved with every draw, but once in a while.
    const step = this.view.link.status === "live" ? 2 ** Math.ceil(Math.log2(length / 16)) : length;
    this.window.all = [from, from + Math.ceil(length / step) * step];
  }

  /**
   * @param {number} first
   * @param {number} last
   */
  #drawLines(first, last) {
    this.pieces.clear();
    const most = Math.max(20, Math.floor(MOST_BARS / Math.max(1, last - first)));
    for (let index = first; index < last; index++) {
      const line = this.lines[index];
      this.#drawLabel(line, index);
      this.pieces.set(line, this.bars.draw(line, index, index - first, most));
    }
  }

  /**
   * @param {Line} line
   * @param {number} index
   */
  #drawLabel({ kind, run, label, family }, index) {
    const isDeep = this.lanes.runs.size > 1;
    const isHead = isDeep && kind === "run";
    const state = this.#stateOf(run);
    let text = plain(label.slice(0, 200));
    if (kind === "run") text = "iterations";
    if (isHead) {
      text = `${this.isOpen(run) ? "▾" : "▸"} ${SIGNS[state]} ${firstSeen(this.view.nameOf(run), run, "run")}`;
    }
    const looks = [kind, isHead ? "head" : isDeep && "deep", !label && "more", isHead && state];
    this.labels.put(`top:${index * LINE}px`, text, looks, kind === "lane" && label ? family : "");
  }

  /** @param {string} run */
  #stateOf(run) {
    const said = this.view.link.tallies.get(run)?.status;
    return said ?? (this.times.endedAt(run) === null ? "running" : "ok");
  }

  #drawAxis() {
    const [origin] = this.window.all;
    setText(this.corner, this.window.zoomText);
    for (const { time, label } of this.window.ticks(origin, this.width / 76)) {
      const x = this.xOf(time);
      const style = `transform:translateX(${x.toFixed(1)}px)`;
      this.marks.put(style, x + widthOf(label) > this.width ? "" : label);
      this.rules.put(style, "");
    }
    const { cursor } = this.replay;
    this.cursor.hidden = cursor === null;
    if (cursor !== null) this.cursor.style.transform = `translateX(${this.xOf(cursor).toFixed(1)}px)`;
  }

  #drawBands() {
    for (let index = 0; index < this.lines.length; index++) {
      const { kind, run } = this.lines[index];
      if (kind !== "run" || !this.isOpen(run)) continue;
      let end = index + 1;
      while (end < this.lines.length && this.lines[end].run === run) end++;
      const over = this.times.endedAt(run) ?? Math.min(this.last, this.times.now());
      for (const band of this.lanes.runs.get(run)?.bands ?? []) this.#drawBand(band, over, index, end);
    }
  }

  /**
   * @param {import("./lanes.js").Band} band
   * @param {number} over when the last band ends
   * @param {number} first the lines it lies behind
   * @param {number} last
   */
  #drawBand({ from, to, number }, over, first, last) {
    if (from > this.times.until) return;
    const x = Math.max(this.xOf(from), -2);
    const width =
      Math.min(this.xOf(Math.min(to, Math.max(over, from), this.times.until)), this.width + 2) - x;
    if (width < 3 || x > this.width) return;
    const box = `top:${first * LINE}px;height:${(last - first) * LINE}px;width:${width.toFixed(1)}px`;
    const text = width > 9 + 7 * String(number).length ? String(number) : "";
    this.bands.put(`${box};transform:translateX(${x.toFixed(1)}px)`, text, [number % 2 && "odd"]);
  }

  #say() {
    const { runs } = this.lanes;
    let spans = 0;
    for (const { head } of runs.values()) spans += head.items.length;
    const lanes = this.lines.filter(({ kind }) => kind === "lane").length;
    const [from] = this.window.all;
    const length = formatDuration(Math.max(0, this.last - from));
    const label = `Timeline: ${counted(spans, "span")} in ${counted(lanes, "lane")}, ${length}`;
    if (this.chart.getAttribute("aria-label") !== label) this.chart.setAttribute("aria-label", label);
    this.blank.hidden = runs.size > 0;
    setText(this.blank, this.view.emptyText());
  }
}
