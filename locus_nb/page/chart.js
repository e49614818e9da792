/** The picture of events per second over the last minute. */

/** @import { Sample } from "./wire.js" */
/** @import { Span } from "./rates.js" */

import { element, setText } from "./dom.js";
import { count, formatRate } from "./format.js";
import { ratesOf, roundUp, spansOf } from "./rates.js";

const SVG = "http://www.w3.org/2000/svg";
const SPAN_MS = 60_000;
const WIDTH = 600;
const HEIGHT = 64;
const DROP_HEIGHT = 4;

/**
 * @param {"svg" | "path" | "line"} tag
 * @param {Record<string, string>} attributes
 */
function shape(tag, attributes) {
  const node = document.createElementNS(SVG, tag);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  return node;
}

/** Each stretch of time stands as a step as wide as it lasted, so that the area is the number of events. */
export class Chart {
  current = element("b", "rate-now");
  others = element("span", "rate-others");
  lost = element("span", "rate-drops locus-live-loss");
  scale = element("span", "chart-scale");
  area = shape("path", { class: "locus-live-chart-area" });
  sparse = shape("path", { class: "locus-live-chart-area locus-live-sparse" });
  drops = shape("path", { class: "locus-live-chart-drops" });
  svg = this.#picture();
  node = element(
    "div",
    "chart",
    {},
    element("div", "rates", {}, this.current, " events/s", this.others, this.lost),
    element("div", "chart-box", {}, this.svg, this.scale),
    element(
      "div",
      "chart-axis",
      {},
      element("span", "axis-end", {}, "60 s ago"),
      element("span", "axis-end", {}, "now"),
    ),
  );

  #picture() {
    const grid = [0, HEIGHT / 2].map((y) =>
      shape("line", { class: "locus-live-chart-line", x1: "0", x2: String(WIDTH), y1: `${y}`, y2: `${y}` }),
    );
    const svg = shape("svg", {
      viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
      preserveAspectRatio: "none",
      role: "img",
    });
    svg.append(...grid, this.area, this.sparse, this.drops);
    return svg;
  }

  /**
   * @param {Sample[]} samples
   * @param {number} silence milliseconds since the newest sample: the time axis goes on without any
   */
  draw(samples, silence) {
    const now = (samples.at(-1)?.at ?? 0) + silence;
    const spans = spansOf(samples).filter(({ to }) => to > now - SPAN_MS);
    const rates = ratesOf(spans);
    const top = roundUp(rates?.peak ?? 0);
    this.area.setAttribute(
      "d",
      steps(
        spans.filter(({ sparse }) => !sparse),
        now,
        top,
      ),
    );
    this.sparse.setAttribute(
      "d",
      steps(
        spans.filter(({ sparse }) => sparse),
        now,
        top,
      ),
    );
    this.drops.setAttribute(
      "d",
      marks(
        spans.filter(({ dropped }) => dropped > 0),
        now,
      ),
    );
    setText(this.scale, rates ? formatRate(top) : "");
    setText(this.current, rates ? formatRate(rates.current) : "–");
    const words = rates ? `mean ${formatRate(rates.mean)} · peak ${formatRate(rates.peak)}` : "";
    setText(this.others, words);
    const dropped = spans.reduce((sum, span) => sum + span.dropped, 0);
    setText(this.lost, dropped > 0 ? `▀ ${count(dropped)} dropped` : "");
    const spoken = rates
      ? `${formatRate(rates.current)} events per second, ${words}, ${count(dropped)} dropped`
      : "no samples yet";
    this.svg.setAttribute("aria-label", `The last 60 seconds: ${spoken}`);
  }
}

/**
 * @param {number} at
 * @param {number} now
 */
const across = (at, now) => Math.max(0, WIDTH * (1 - (now - at) / SPAN_MS)).toFixed(2);

/**
 * @param {Span[]} spans
 * @param {number} now
 * @param {number} top the rate at the upper edge
 */
function steps(spans, now, top) {
  const step = (/** @type {Span} */ { from, to, rate }) => {
    const y = (HEIGHT * (1 - rate / top)).toFixed(2);
    return `M${across(from, now)} ${HEIGHT}V${y}H${across(to, now)}V${HEIGHT}Z`;
  };
  return spans.map(step).join("");
}

/**
 * @param {Span[]} spans
 * @param {number} now
 */
function marks(spans, now) {
  const mark = (/** @type {Span} */ { from, to }) => {
    const right = Number(across(to, now));
    const left = Math.min(Number(across(from, now)), right - 2);
    return `M${left} 0H${right}V${DROP_HEIGHT}H${left}Z`;
  };
  return spans.map(mark).join("");
}
