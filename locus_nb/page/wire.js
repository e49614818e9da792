/** What Python says, read with suspicion. */

import { isRow, Row } from "./row.js";

/** @typedef {"waiting" | "live" | "ended" | "failed"} Status */
/** @typedef {"running" | "ok" | "error" | "interrupted" | "open"} RunStatus open: it still ran when the view was over */
/** @typedef {{ n: number, filter: string | null, paused: boolean | null }} Wish null: to stay as it is */
/**
 * A question to the user that is open.
 *
 * @typedef {object} Question
 * @property {string} id
 * @property {string} run "" outside of a run
 * @property {string} text
 * @property {string[]} options
 * @property {string | null} fallback what counts as the answer when nobody answers
 * @property {boolean} free whether it may be answered in other words than the options
 * @property {number} ends until when it may be answered, in Unix milliseconds of the kernel
 * @property {boolean} keyboard whether the kernel asks it by `input()` too
 * @property {boolean} heard whether the kernel knows that a page shows it
 */
/**
 * What is known of a run, over all its events.
 *
 * @typedef {object} Tally
 * @property {string} run
 * @property {string} name
 * @property {RunStatus} status
 * @property {number} started Unix epoch in milliseconds, as the next two
 * @property {number | null} ended
 * @property {number} last
 * @property {number} events
 * @property {number} iterations
 * @property {number} modelCalls
 * @property {number} toolCalls
 * @property {number} errors
 * @property {number} inputTokens
 * @property {number} outputTokens
 */
/**
 * @typedef {object} RowsMessage
 * @property {"rows"} kind
 * @property {number} now the kernel's time when the message left, in Unix milliseconds
 * @property {number} prev
 * @property {number} last
 * @property {number} missing
 * @property {number} total
 * @property {Status} status
 * @property {Wish[]} wishes
 * @property {Question[]} questions
 * @property {Row[]} rows
 * @property {Tally[]} tallies
 * @property {number} unreadable rows and tallies that are none
 */

/**
 * The bus's totals at one moment.
 *
 * @typedef {object} Sample
 * @property {number} at milliseconds of a clock that never goes back
 * @property {number} published
 * @property {number} dropped
 * @property {number} backlog
 */
/**
 * @typedef {object} Reader
 * @property {number} id
 * @property {string} label
 * @property {string | null} run null: all runs
 * @property {number} backlog
 * @property {number} capacity
 * @property {number} overflow
 * @property {number} peak
 * @property {number} offered
 * @property {number} delivered
 * @property {number} dropped
 */
/**
 * @typedef {object} StatsMessage
 * @property {"stats"} kind
 * @property {Sample[]} samples
 * @property {Reader[]} readers
 * @property {Record<string, number>} facts
 * @property {number} unreadable samples and readers that are none
 */

const FACTS = [
  "active_runs",
  "history_runs",
  "max_runs",
  "history_per_run",
  "published",
  "dropped",
  "late",
  "refused",
  "evicted",
  "trimmed",
  "emit_failures",
  "readers",
  "resets",
];
const STATUSES = ["waiting", "live", "ended", "failed"];
const RUN_STATUSES = ["running", "ok", "error", "interrupted"];

/** @param {unknown} value */
export const isCount = (value) => Number.isSafeInteger(value) && Number(value) >= 0;

/**
 * Reads one message about rows.
 *
 * @param {unknown} content
 * @param {unknown} buffers
 * @returns {RowsMessage | null} null for anything that is none; single bad rows are counted
 */
export function readRows(content, buffers) {
  const message = /** @type {Record<string, unknown> | null | undefined} */ (content);
  if (typeof message !== "object" || message?.kind !== "rows") return null;
  const { now, prev, last, count, missing, total, status } = message;
  if (!Number.isFinite(now)) return null;
  if (![prev, last, count, missing, total].every(isCount)) return null;
  if (typeof status !== "string" || !STATUSES.includes(status)) return null;
  const values = readBuffer(buffers, 0);
  const tallies = readBuffer(buffers, 1);
  if (values === null || tallies === null || values.length !== count) return null;
  const rows = values.filter(isRow).map((fields) => new Row(fields));
  const known = tallies.map(readTally).filter((tally) => tally !== null);
  return {
    kind: "rows",
    now: Number(now),
    prev: Number(prev),
    last: Number(last),
    missing: Number(missing),
    total: Number(total),
    status: /** @type {Status} */ (status),
    wishes: readWishes(message.wishes),
    questions: readQuestions(message.questions),
    rows,
    tallies: known,
    unreadable: values.length - rows.length + tallies.length - known.length,
  };
}

/**
 * Reads one message about the bus.
 *
 * @param {unknown} content
 * @returns {StatsMessage | null} null for anything that is none; single bad samples and readers are counted
 */
export function readStats(content) {
  const message = /** @type {Record<string, unknown> | null | undefined} */ (content);
  if (typeof message !== "object" || message?.kind !== "stats") return null;
  const { samples, readers } = message;
  const facts = /** @type {Record<string, unknown>} */ (message.facts ?? {});
  if (!Array.isArray(samples) || !Array.isArray(readers)) return null;
  if (!FACTS.every((name) => isCount(facts[name]))) return null;
  const taken = samples.map(readSample).filter((sample) => sample !== null);
  const known = readers.map(readReader).filter((reader) => reader !== null);
  return {
    kind: "stats",
    samples: taken,
    readers: known,
    facts: Object.fromEntries(FACTS.map((name) => [name, Number(facts[name])])),
    unreadable: samples.length - taken.length + readers.length - known.length,
  };
}

/**
 * @param {unknown} value
 * @returns {Sample | null}
 */
function readSample(value) {
  if (!Array.isArray(value) || value.length !== 4) return null;
  const [at, published, dropped, backlog] = value;
  if (!Number.isFinite(at) || ![published, dropped, backlog].every(isCount)) return null;
  return { at, published, dropped, backlog };
}

/**
 * @param {unknown} value
 * @returns {Reader | null}
 */
function readReader(value) {
  if (!Array.isArray(value) || value.length !== 10) return null;
  const [id, label, run, ...counts] = value;
  if (!isCount(id) || typeof label !== "string" || !(run === null || typeof run === "string")) return null;
  if (!counts.every(isCount) || counts[1] === 0) return null;
  const [backlog, capacity, overflow, peak, offered, delivered, dropped] = counts;
  return { id, label, run, backlog, capacity, overflow, peak, offered, delivered, dropped };
}

/**
 * @param {unknown} value
 * @returns {Wish[]}
 */
function readWishes(value) {
  return (Array.isArray(value) ? value : []).filter(
    (wish) =>
      isCount(wish?.n) &&
      (wish.filter === null || typeof wish.filter === "string") &&
      (wish.paused === null || typeof wish.paused === "boolean"),
  );
}

/**
 * @param {unknown} value
 * @returns {Question[]}
 */
function readQuestions(value) {
  const isText = (/** @type {unknown} */ text) => typeof text === "string";
  return (Array.isArray(value) ? value : [])
    .filter(
      (one) =>
        [one?.id, one?.run, one?.text, one?.default ?? ""].every(isText) &&
        Array.isArray(one.options) &&
        one.options.every(isText) &&
        Number.isFinite(one.ends),
    )
    .map(({ id, run, text, options, default: fallback = null, ends, ...flags }) => {
      const [free, keyboard, heard] = [flags.free, flags.keyboard, flags.heard].map((flag) => flag === true);
      return { id, run, text, options, fallback, free, ends, keyboard, heard };
    });
}

/**
 * @param {unknown} value
 * @returns {Tally | null}
 */
function readTally(value) {
  if (!Array.isArray(value) || value.length !== 13) return null;
  const [run, name, status, started, ended, last, ...counts] = value;
  if (typeof run !== "string" || typeof name !== "string" || !RUN_STATUSES.includes(status)) return null;
  if (!Number.isFinite(started) || !Number.isFinite(last) || !(ended === null || Number.isFinite(ended)))
    return null;
  if (!counts.every(isCount)) return null;
  const [events, iterations, modelCalls, toolCalls, errors, inputTokens, outputTokens] = counts;
  return {
    run,
    name,
    status,
    started,
    ended,
    last,
    events,
    iterations,
    modelCalls,
    toolCalls,
    errors,
    inputTokens,
    outputTokens,
  };
}

/**
 * @param {unknown} buffers
 * @param {number} index
 * @returns {unknown[] | null} null when there is no such buffer with a JSON array in UTF-8
 */
function readBuffer(buffers, index) {
  const buffer = Array.isArray(buffers) ? buffers[index] : undefined;
  if (!(buffer instanceof ArrayBuffer || ArrayBuffer.isView(buffer))) return null;
  try {
    const values = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(buffer));
    return Array.isArray(values) ? values : null;
  } catch {
    return null;
  }
}
