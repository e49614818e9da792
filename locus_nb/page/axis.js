/** The time axis: which stretch of time is in sight, and where its ticks are. */

const SHORTEST_MS = 0.02;
const STEPS_S = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 43200, 86400];

/**
 * The smallest round step that gives at most so many ticks, in milliseconds.
 *
 * @param {number} length milliseconds
 * @param {number} most
 */
export function tickStep(length, most) {
  const least = length / Math.max(1, most);
  const round = least > 1_000 && STEPS_S.find((step) => step * 1_000 >= least);
  if (round) return round * 1_000;
  const power = 10 ** Math.floor(Math.log10(least));
  return power * ([1, 2, 5].find((factor) => factor * power >= least * 0.999_999) ?? 10);
}

/**
 * A tick in the unit of its size, as exact as its step: "0", "200 ms", "1.5 s", "2:05".
 *
 * @param {number} ms
 * @param {number} step milliseconds
 */
export function tickLabel(ms, step) {
  const size = Math.abs(ms);
  if (size < step / 2) return "0";
  const decimals = (/** @type {number} */ unit) =>
    Math.min(6, Math.max(0, Math.ceil(-Math.log10(step / unit) - 1e-9)));
  if (size < 0.999_999) return `${Math.round(ms * 1000)} µs`;
  if (size < 999.999) return `${Number(ms.toFixed(decimals(1)))} ms`;
  if (size < 59_999.999) return `${Number((ms / 1000).toFixed(decimals(1000)))} s`;
  const digits = decimals(1000);
  const seconds = Number((size / 1000).toFixed(digits));
  const rest = (seconds % 60).toFixed(digits).padStart(digits > 0 ? digits + 3 : 2, "0");
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes}:${rest}`;
  return `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, "0")}:${rest}`;
}

/** The stretch of time in sight: all of it ("fitted"), or a part that the user chose. */
export class Window {
  /** @type {[from: number, to: number]} all there is, in Unix milliseconds */
  all = [0, 1];
  /** @type {[from: number, to: number] | null} */
  part = null;

  get from() {
    return (this.part ?? this.all)[0];
  }

  get to() {
    return (this.part ?? this.all)[1];
  }

  get length() {
    return this.to - this.from;
  }

  /** How many times larger than fitted, as text. */
  get zoomText() {
    if (!this.part) return "fit";
    return `${Number(((this.all[1] - this.all[0]) / this.length).toPrecision(2)).toLocaleString("en-US")}×`;
  }

  /**
   * @param {number} from
   * @param {number} to
   */
  set(from, to) {
    const [first, last] = this.all;
    const length = Math.min(Math.max(to - from, SHORTEST_MS), last - first);
    const start = Math.min(Math.max(from, first), last - length);
    this.part = length >= (last - first) * 0.999 ? null : [start, start + length];
  }

  fit() {
    this.part = null;
  }

  /**
   * @param {number} factor above 1 shows less
   * @param {number} [at] the time that stays in its place; the middle by default
   */
  zoom(factor, at = (this.from + this.to) / 2) {
    this.set(at - (at - this.from) / factor, at + (this.to - at) / factor);
  }

  /** @param {number} share of the length; above 0 is later */
  pan(share) {
    const by = this.length * share;
    if (this.part) this.set(this.from + by, this.to + by);
  }

  /**
   * Shows a stretch, moving no more than it takes.
   *
   * @param {number} from
   * @param {number} to
   */
  reveal(from, to) {
    if (!this.part || (from >= this.from && to <= this.to)) return;
    const margin = this.length * 0.1;
    const start = from < this.from || to - from > this.length ? from - margin : to - this.length + margin;
    this.set(start, start + this.length);
  }

  /**
   * The ticks in sight: their times and labels, counted from `origin`.
   *
   * @param {number} origin Unix milliseconds
   * @param {number} most
   */
  ticks(origin, most) {
    const step = tickStep(this.length, most);
    const first = Math.ceil((this.from - origin) / step - 1e-6);
    const last = Math.floor((this.to - origin) / step + 1e-6);
    return Array.from({ length: Math.max(0, last - first + 1) }, (_, index) => {
      const ms = (first + index) * step;
      return { time: origin + ms, label: tickLabel(ms, step) };
    });
  }
}
