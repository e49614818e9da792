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

/** Each stretch of time stands as a step as wide as it lasted, so that the area is the number of events. */
export class Chart {
  #current = document.createElement("b");
  #others = element("span", "rates");
  #lost = element("span", "loss");
  #scale = document.createElement("small");
  /** Of what was sampled as it should be, of what was not, and where events were dropped. */
  #paths = ["dense", "sparse", "lost"].map((name) => {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("class", `lo-${name}`);
    return path;
  });
  #words = element("div", "chart-head", {}, this.#current, " events/s ", this.#others, " ", this.#lost);
  #svg = document.createElementNS(SVG, "svg");
  node = element("div", "chart");

  constructor() {
    this.#svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
    this.#svg.setAttribute("preserveAspectRatio", "none");
    this.#svg.setAttribute("role", "img");
    this.#svg.append(...this.#paths);
    const axis = element("div", "chart-axis");
    axis.append("60 s ago", document.createElement("i"), "now");
    this.node.append(this.#words, this.#scale, this.#svg, axis);
  }

  /**
   * @param {Sample[]} samples
   * @param {number} silence milliseconds for which none came: the time axis goes on without any
   */
  draw(samples, silence) {
    const now = (samples.at(-1)?.at ?? 0) + silence;
    const spans = spansOf(samples).filter(({ to }) => to > now - SPAN_MS);
    const rates = ratesOf(spans);
    const top = roundUp(rates?.peak ?? 0);
    const height = (/** @type {Span} */ { rate }) => (HEIGHT * rate) / top;
    const [dense, sparse, lost] = this.#paths;
    dense.setAttribute(
      "d",
      boxes(
        spans.filter((span) => !span.sparse),
        now,
        height,
        HEIGHT,
      ),
    );
    sparse.setAttribute(
      "d",
      boxes(
        spans.filter((span) => span.sparse),
        now,
        height,
        HEIGHT,
      ),
    );
    lost.setAttribute(
      "d",
      boxes(
        spans.filter(({ dropped }) => dropped > 0),
        now,
        () => DROP_HEIGHT,
        DROP_HEIGHT,
      ),
    );
    const dropped = spans.reduce((sum, span) => sum + span.dropped, 0);
    setText(this.#scale, rates ? formatRate(top) : "");
    setText(this.#current, rates ? formatRate(rates.current) : "–");
    setText(this.#others, rates ? `mean ${formatRate(rates.mean)} · peak ${formatRate(rates.peak)}` : "");
    setText(this.#lost, dropped > 0 ? `▀ ${count(dropped)} dropped` : "");
    this.#svg.setAttribute("aria-label", `The last 60 seconds: ${this.#words.textContent}`);
  }
}

/**
 * A box for each span, as wide as it lasted.
 *
 * @param {Span[]} spans
 * @param {number} now
 * @param {(span: Span) => number} heightOf
 * @param {number} bottom
 */
function boxes(spans, now, heightOf, bottom) {
  const across = (/** @type {number} */ at) => Math.max(0, WIDTH * (1 - (now - at) / SPAN_MS)).toFixed(2);
  const box = (/** @type {Span} */ span) =>
    `M${across(span.from)} ${bottom}v${(-heightOf(span)).toFixed(2)}H${across(span.to)}V${bottom}Z`;
  return spans.map(box).join("");
}
