/** Numbers and times as people read them. */

/** After that long without news nobody counts the seconds any more. */
export const FORGOTTEN_MS = 60_000;

const GOLDEN = (Math.sqrt(5) - 1) / 2;

const integers = new Intl.NumberFormat("en-US");
const rates = new Intl.NumberFormat("en-US", { maximumSignificantDigits: 3 });
const round = new Intl.NumberFormat("en-US", { notation: "compact", maximumFractionDigits: 0 });
const short = new Intl.NumberFormat("en-US", { notation: "compact", maximumSignificantDigits: 3 });

/** @param {number} number */
export const count = (number) => integers.format(number);

/**
 * A number with its noun: "1 event", "1,200 events".
 *
 * @param {number} number
 * @param {string} noun
 */
export function counted(number, noun) {
  return `${integers.format(number)} ${noun}${number === 1 ? "" : "s"}`;
}

/**
 * The local time of day as HH:MM:SS.mmm.
 *
 * @param {number} timeMs Unix epoch
 */
export function formatTime(timeMs) {
  const time = new Date(timeMs);
  if (Number.isNaN(time.getTime())) return "–";
  const parts = [time.getHours(), time.getMinutes(), time.getSeconds()];
  const clock = parts.map((part) => String(part).padStart(2, "0")).join(":");
  return `${clock}.${String(time.getMilliseconds()).padStart(3, "0")}`;
}

/**
 * The local date as YYYY-MM-DD.
 *
 * @param {number} timeMs Unix epoch
 */
export function formatDate(timeMs) {
  const time = new Date(timeMs);
  if (Number.isNaN(time.getTime())) return "";
  const day = [time.getMonth() + 1, time.getDate()].map((part) => String(part).padStart(2, "0"));
  return `${time.getFullYear()}-${day.join("-")}`;
}

/**
 * A length of time in at most three figures: "0 s", "850 µs", "3.2 ms", "1.24 s", "2 m 05 s", "1 h 02 m".
 *
 * @param {number} ms
 */
export function formatDuration(ms) {
  if (!Number.isFinite(ms)) return "–";
  if (ms < 0.0005) return "0 s";
  if (ms < 0.9995) return `${Math.round(ms * 1000)} µs`;
  if (ms < 999.5) return `${Number(ms.toPrecision(3))} ms`;
  if (ms < 59_950) return `${Number((ms / 1000).toPrecision(3))} s`;
  const seconds = Math.round(ms / 1000);
  const two = (/** @type {number} */ part) => String(part).padStart(2, "0");
  if (seconds < 3600) return `${Math.floor(seconds / 60)} m ${two(seconds % 60)} s`;
  return `${count(Math.floor(seconds / 3600))} h ${two(Math.floor((seconds % 3600) / 60))} m`;
}

/**
 * A hue of the colour circle, the same for the same text; never a red, which stands for errors.
 *
 * @param {string} text
 */
export function hueOf(text) {
  let hash = 0;
  for (let index = 0; index < text.length; index++) hash = (hash * 31 + text.charCodeAt(index)) | 0;
  // By the golden section those of texts that differ in a number lie far apart.
  return 50 + Math.floor(270 * ((Math.abs(hash) * GOLDEN) % 1));
}

/**
 * A rate in at most three figures: "0", "0.25", "12.5", "850", "12,300".
 *
 * @param {number} rate
 */
export function formatRate(rate) {
  return rates.format(rate);
}

/**
 * A rate in at most three characters: "0.1", "9.5", "850", "12K".
 *
 * @param {number} rate
 */
export function shortRate(rate) {
  return rate < 9.95 ? rate.toFixed(1) : round.format(rate);
}

/**
 * A number in at most three figures: "850", "12.3K", "4M".
 *
 * @param {number} number
 */
export function compact(number) {
  return short.format(number);
}

/**
 * For how long nothing has been heard: "no news for 12 s".
 *
 * @param {number} ms
 */
export function formatSilence(ms) {
  const isLong = ms > FORGOTTEN_MS;
  const age = formatDuration(isLong ? FORGOTTEN_MS : 1_000 * Math.round(ms / 1_000));
  return `no news for ${isLong ? "more than " : ""}${age}`;
}

/**
 * How long ago something was, in one figure: "12 s", "5 m", "3 h", "2 d".
 *
 * @param {number} ms
 */
export function formatAge(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (!Number.isFinite(seconds)) return "–";
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} m`;
  return seconds < 86_400 ? `${Math.floor(seconds / 3_600)} h` : `${count(Math.floor(seconds / 86_400))} d`;
}
