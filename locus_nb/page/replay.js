/** The replay of a timeline: a cursor in time, and the controls under the chart. */

/** @import { Timeline } from "./timeline.js" */
/** @import { View } from "./view.js" */

import { element, setText } from "./dom.js";
import { formatDuration } from "./format.js";
import { beginOf } from "./times.js";

const STEP_MS = 300;
const NOTCHES = 1_000;
/** How many times as fast as it was; 0: all of it within ten seconds. */
const SPEEDS = { "in 10 s": 0, "1×": 1, "4×": 4, "16×": 16 };

/** Where the user looks back to, and the buttons that move it. Plays by frames, or event by event. */
export class Replay {
  /** @type {number | null} Unix milliseconds; null: now */
  cursor = null;
  playing = false;
  frame = 0;
  timer = 0;
  drawnAt = 0;
  button = element("button", "play", { type: "button" });
  range = element("input", "range", {
    type: "range",
    min: "0",
    max: String(NOTCHES),
    step: "1",
    "aria-label": "Replay: time",
  });
  time = element("span", "clock");
  speed = element("select", "speed", { "aria-label": "Replay: speed" });
  back = element("button", "back", { type: "button", title: "Back to now (Esc)" }, "now");

  /**
   * @param {View} view
   * @param {Timeline} timeline
   */
  constructor(view, timeline) {
    this.view = view;
    this.timeline = timeline;
    for (const [label, speed] of Object.entries(SPEEDS)) {
      this.speed.append(element("option", "option", { value: String(speed) }, label));
    }
    this.node = element("div", "replay", {}, this.button, this.range, this.time, this.speed, this.back);
    this.node.append(...this.#zoomButtons());
    const { signal } = view;
    this.button.addEventListener("click", () => this.toggle(), { signal });
    this.back.addEventListener("click", () => this.leave(), { signal });
    this.range.addEventListener("input", () => this.#seek(), { signal });
  }

  #zoomButtons() {
    const { window } = this.timeline;
    const { signal, schedule } = this.view;
    /** @type {[string, string, () => void][]} */
    const buttons = [
      ["−", "Zoom out (-)", () => window.zoom(1 / 1.5)],
      ["+", "Zoom in (+)", () => window.zoom(1.5)],
      ["fit", "See all (0)", () => window.fit()],
    ];
    return buttons.map(([text, title, act]) => {
      const button = element("button", "zoom", { type: "button", title, "aria-label": title }, text);
      button.addEventListener("click", act, { signal });
      button.addEventListener("click", schedule, { signal });
      return button;
    });
  }

  draw() {
    const [from, to] = this.#ends();
    const at = this.cursor ?? to;
    const name = this.playing ? "Pause the replay (Space)" : "Replay (Space)";
    setText(this.button, this.playing ? "❚❚" : "▶");
    if (this.button.title !== name) {
      this.button.title = name;
      this.button.setAttribute("aria-label", name);
    }
    this.range.value = String(to > from ? ((at - from) / (to - from)) * NOTCHES : NOTCHES);
    const text = `${formatDuration(at - from)} of ${formatDuration(to - from)}`;
    this.range.setAttribute("aria-valuetext", text);
    setText(this.time, text);
    this.back.hidden = this.cursor === null;
  }

  toggle() {
    if (this.playing) this.#halt();
    else this.#play();
    this.view.schedule();
  }

  /** Shows what is now. */
  leave() {
    this.#halt();
    this.cursor = null;
    this.view.schedule();
  }

  stop() {
    this.#halt();
  }

  /** @returns {[from: number, to: number]} */
  #ends() {
    const { window, last } = this.timeline;
    return [window.all[0], Math.max(last, window.all[0])];
  }

  #seek() {
    const [from, to] = this.#ends();
    const notch = Number(this.range.value);
    this.cursor = notch >= NOTCHES ? null : from + ((to - from) * notch) / NOTCHES;
    if (this.cursor === null) this.#halt();
    this.view.schedule();
  }

  #play() {
    this.playing = true;
    this.cursor ??= this.#ends()[0];
    this.drawnAt = performance.now();
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) this.#step();
    else this.frame = requestAnimationFrame(this.#move);
  }

  #halt() {
    this.playing = false;
    cancelAnimationFrame(this.frame);
    clearTimeout(this.timer);
  }

  #move = () => {
    const now = performance.now();
    const [from, to] = this.#ends();
    const speed = Number(this.speed.value) || (to - from) / 10_000;
    if (this.#goTo((this.cursor ?? from) + (now - this.drawnAt) * speed)) {
      this.frame = requestAnimationFrame(this.#move);
    }
    this.drawnAt = now;
  };

  /** To the next begin or end of anything, for those who want no motion. */
  #step = () => {
    const at = this.cursor ?? 0;
    let next = Number.POSITIVE_INFINITY;
    for (const item of this.view.shown.items) {
      for (const time of [beginOf(item), this.view.endOf(item)?.time ?? at]) {
        if (time > at && time < next) next = time;
      }
    }
    if (this.#goTo(next)) this.timer = window.setTimeout(this.#step, STEP_MS);
  };

  /**
   * @param {number} time
   * @returns {boolean} whether there is more to come
   */
  #goTo(time) {
    const isMore = time < this.#ends()[1];
    if (isMore) {
      this.cursor = time;
      this.timeline.window.reveal(time, time);
      this.view.schedule();
    } else {
      this.leave();
    }
    return isMore;
  }
}
