/**
 * Rates from totals. Samples may be late or lacking, when the kernel was blocked or the page away: a rate is the
 * difference of two totals by the difference of their times, and holds for the whole time between them.
 */

/** @import { Sample } from "./wire.js" */
/**
 * The time between two samples.
 *
 * @typedef {object} Span
 * @property {number} from milliseconds
 * @property {number} to
 * @property {number} rate events published per second
 * @property {number} dropped events
 * @property {boolean} sparse whether samples lack in between: the rate is a mean over more than was meant
 */
/**
 * @typedef {object} Rates
 * @property {number} current events per second, over the last second at least
 * @property {number} mean
 * @property {number} peak
 */

const SPARSE_MS = 1_500;
const CURRENT_MS = 1_000;

/**
 * What lies between the samples, but for where the bus was replaced and its totals began anew.
 *
 * @param {Sample[]} samples ascending by time
 * @returns {Span[]}
 */
export function spansOf(samples) {
  /** @type {Span[]} */
  const spans = [];
  for (let index = 1; index < samples.length; index++) {
    const before = samples[index - 1];
    const after = samples[index];
    const ms = after.at - before.at;
    if (after.published < before.published || ms <= 0) continue;
    spans.push({
      from: before.at,
      to: after.at,
      rate: ((after.published - before.published) * 1000) / ms,
      dropped: Math.max(0, after.dropped - before.dropped),
      sparse: ms > SPARSE_MS,
    });
  }
  return spans;
}

/**
 * @param {Span[]} spans
 * @returns {Rates | null} null before there are two samples
 */
export function ratesOf(spans) {
  const last = spans.at(-1);
  if (!last) return null;
  const recent = spans.filter(({ from }) => from >= last.to - CURRENT_MS);
  return {
    current: meanOf(recent.length > 0 ? recent : [last]),
    mean: meanOf(spans),
    peak: Math.max(...spans.map(({ rate }) => rate)),
  };
}

/** @param {Span[]} spans */
function meanOf(spans) {
  let events = 0;
  let ms = 0;
  for (const { from, to, rate } of spans) {
    events += rate * (to - from);
    ms += to - from;
  }
  return events / ms;
}

/**
 * The least of 1, 2, 5, 10, 20, 50 ... that is not below a number, and at least 1.
 *
 * @param {number} number
 */
export function roundUp(number) {
  if (!(number > 1)) return 1;
  const ten = 10 ** Math.floor(Math.log10(number));
  return ten * ([1, 2, 5].find((step) => step * ten >= number) ?? 10);
}
