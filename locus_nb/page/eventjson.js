/** Events as JSON, to read and to copy: always valid, also where their payload is here in part only. */

/** @import { Row } from "./row.js" */

import { HIDDEN } from "./times.js";

// How Python ends a payload that it has cut. No JSON ends so.
const CUT = /\n\.\.\. cut here: .*$/;
// A text, whose last quote may be lacking, or what else tells where a value ends.
const TOKEN = /"(?:\\u[\da-f]{4}|\\[^u]|[^"\\])*("?)|[[\]{},]/g;

const SEEN = /^[ -~\n]*$/;

/** @param {Row} row */
export const isCut = (row) => CUT.test(row.detail.slice(-200));

/**
 * An event as an object, indented by two. Of a payload that was cut, `data` is the beginning, and `data_cut` says
 * so; one that is no JSON stands in `data_text`. What cannot be seen is escaped.
 *
 * @param {Row} row
 */
export function eventJson(row) {
  const { seq, run, type, time, detail } = row;
  const facts = { seq, run_id: run, event_type: type, timestamp: isoTime(time) };
  const head = Object.entries(facts).map(([name, value]) => `"${name}": ${JSON.stringify(value)}`);
  if (isCut(row)) head.push('"data_cut": true');
  const data = isCut(row) ? closed(detail.slice(0, detail.lastIndexOf("\n"))) : valid(detail);
  // As it stands, because a number may be larger than JavaScript's. No text in JSON holds a new line.
  if (data !== null) head.push(`"data": ${data.replaceAll("\n", "\n  ")}`);
  else head.push(`"data_text": ${JSON.stringify(detail)}`);
  return seen(`{\n  ${head.join(",\n  ")}\n}`);
}

/**
 * JSON in which the characters that are not seen, or that turn what follows around, are escaped.
 *
 * @param {string} json
 */
function seen(json) {
  if (SEEN.test(json)) return json;
  return json.replace(HIDDEN, (char) => (char === "\n" ? char : escaped(char)));
}

/**
 * @param {string} text
 * @returns {string} as it may stand in a text of JSON, every unit by its number
 */
function escaped(text) {
  const units = Array.from({ length: text.length }, (_, index) => text.charCodeAt(index));
  return units.map((unit) => `\\u${unit.toString(16).padStart(4, "0")}`).join("");
}

/**
 * Events as an array, one alone as an object.
 *
 * @param {Row[]} rows
 */
export function eventsJson(rows) {
  const texts = rows.map(eventJson);
  return texts.length === 1 ? texts[0] : `[\n${texts.join(",\n")}\n]`;
}

/**
 * As Python writes it: in UTC, with microseconds where there are any; null for what is no date.
 *
 * @param {number} ms Unix epoch
 */
function isoTime(ms) {
  const micros = Math.round(ms * 1000);
  const second = new Date(Math.floor(micros / 1e6) * 1000);
  if (Number.isNaN(second.getTime())) return null;
  const rest = micros - second.getTime() * 1000;
  const fraction = rest > 0 ? `.${String(rest).padStart(6, "0")}` : "";
  return `${second.toISOString().slice(0, -5)}${fraction}+00:00`;
}

/**
 * @param {string} text
 * @returns {string | null} the same if it is JSON
 */
function valid(text) {
  try {
    JSON.parse(text);
    return text;
  } catch {
    return null;
  }
}

/**
 * The beginning of a JSON text as JSON: a text that was cut in two ends in an ellipsis, what else is not whole is
 * left out, and all that is open is closed.
 *
 * @param {string} text
 * @returns {string | null} null if it does not begin as JSON
 */
function closed(text) {
  const { closers, begun, whole } = endOf(text);
  const end = closers && `\n${closers}`;
  return (
    (begun && valid(`${text.slice(0, begun)}…"${end}`)) ||
    valid(text + end) ||
    valid(text.slice(0, whole) + end)
  );
}

/**
 * Where the beginning of a JSON text ends: what closes all that is open, up to where a text that is open has whole
 * characters (0 if none is), and up to where all members are whole.
 *
 * @param {string} text
 */
function endOf(text) {
  let closers = "";
  let begun = 0;
  let whole = 0;
  for (const { 0: token, 1: quote, index } of text.matchAll(TOKEN)) {
    begun = quote === "" ? index + token.length : 0;
    if (token[0] === '"') continue;
    whole = token === "," ? index : index + 1;
    if (token === "}" || token === "]") closers = closers.slice(1);
    else if (token !== ",") closers = (token === "{" ? "}" : "]") + closers;
  }
  return { closers, begun, whole };
}
