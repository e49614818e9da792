/**
 * The filter language.
 *
 *     tool:search status:error dur>500 -type:agent.think,rag.* "exact words" word
 *
 * `type:=name` is just that event type, `type:name` every one that begins so; of names apart by commas one must fit.
 * All terms must hold, one with a leading "-" must not. Words are looked for in event type, run, preview and error.
 * What cannot be read as a term is looked for as words.
 */

/** @import { Row } from "./row.js" */
/** @import { Test } from "./shown.js" */
/** @typedef {"ok" | "error" | "interrupted" | "running" | "open" | null} State what a sign stands for; open: it never completed */
/**
 * What a test must know of an item besides the item.
 *
 * @typedef {object} Sight
 * @property {(item: Row) => Row | null} endOf
 * @property {(item: Row) => State} stateOf
 * @property {(run: string) => string} nameOf
 */
/** @typedef {{ start: number, end: number, minus: boolean, key: string, operator: string, value: string, quoted: boolean }} Term */

import { lengthOf } from "./row.js";

// As much as Python takes. What a filter costs, each row costs again.
const MAX_LENGTH = 10_000;
const MAX_TERMS = 50;
const TERM = /(-?)(?:([a-z]+)(:|<=|>=|<|>|=)("[^"]*"?|[^\s"]*)|("[^"]*"?)|(\S+))/gi;
const AMOUNT = /^(\d+(?:\.\d+)?|\.\d+)(us|µs|ms|s|m)?$/i;
const UNITS = new Map([
  ["us", 0.001],
  ["µs", 0.001],
  ["ms", 1],
  ["s", 1_000],
  ["m", 60_000],
]);
const STATES = ["ok", "error", "interrupted", "running", "open"];

/** @type {Record<string, (left: number, right: number) => boolean>} */
const COMPARE = {
  "<": (left, right) => left < right,
  "<=": (left, right) => left <= right,
  ">": (left, right) => left > right,
  ">=": (left, right) => left >= right,
  "=": (left, right) => left === right,
  ":": (left, right) => left === right,
};

/** @type {Record<string, (item: Row, end: Row | null) => number | null>} */
const AMOUNTS = {
  dur: lengthOf,
  tokens: ({ tokens }) => tokens && (tokens.inputTokens ?? 0) + (tokens.outputTokens ?? 0),
  iteration: (item) => item.iteration,
  seq: (item) => item.seq,
};

/** @type {Record<string, (item: Row, sight: Sight) => string | null>} */
const TEXTS = {
  tool: (item) => (item.family === "tool" ? item.name : null),
  model: (item) => (item.family === "model" ? item.name : null),
  agent: (item) => item.agent,
  run: (item, sight) => `${item.run}\n${sight.nameOf(item.run)}`,
};

// Not by `in`: every object has a "constructor".
const isAmount = (/** @type {string} */ key) => Object.hasOwn(AMOUNTS, key);
const isKey = (/** @type {string} */ key) =>
  ["type", "status"].includes(key) || isAmount(key) || Object.hasOwn(TEXTS, key);

/**
 * @param {string} text
 * @returns {Term[]} a key of "" stands for words
 */
function termsOf(text) {
  return [...text.slice(0, MAX_LENGTH).matchAll(TERM)].map((match) => {
    const [all, minus, name, operator, value, phrase, word] = match;
    const key = name && isKey(name.toLowerCase()) ? name.toLowerCase() : "";
    const words = name ? `${name}${operator}${value}` : (phrase ?? word);
    return {
      start: match.index,
      end: match.index + all.length,
      minus: minus === "-",
      key,
      operator: operator ?? "",
      value: unquoted(key ? value : words),
      quoted: (key ? value : words).startsWith('"'),
    };
  });
}

/** @param {string} text */
const unquoted = (text) => (text.startsWith('"') ? text.slice(1).replace(/"$/, "") : text);

/** @param {string} text */
const escaped = (text) => text.replace(/[$()*+./?[\\\]^{|}-]/g, "\\$&");

/**
 * Answers for each text once: there are few types and runs, and many rows.
 *
 * @param {(text: string) => boolean} test
 */
function remembered(test) {
  /** @type {Map<string, boolean>} */
  const known = new Map();
  return (/** @type {string} */ text) => {
    const before = known.get(text);
    if (before !== undefined) return before;
    if (known.size > 10_000) known.clear();
    const answer = test(text);
    known.set(text, answer);
    return answer;
  };
}

/**
 * @param {string} words
 * @param {Sight} sight
 * @returns {Test}
 */
function hasWords(words, sight) {
  // A regular expression spares a lower-case copy of each text.
  const pattern = new RegExp(escaped(words), "i");
  const inName = remembered((text) => pattern.test(text));
  const inRun = remembered((run) => pattern.test(run) || pattern.test(sight.nameOf(run)));
  const inRow = (/** @type {Row} */ row) =>
    inName(row.type) || pattern.test(row.preview) || (row.error !== null && pattern.test(row.error));
  return (item) => {
    if (inRun(item.run) || inRow(item)) return true;
    const end = sight.endOf(item);
    return end !== null && inRow(end);
  };
}

/**
 * Not by a regular expression: a type of many stars would take it years.
 *
 * @param {string} name the beginning of a name, or with * for anything all of it
 * @returns {(type: string) => boolean}
 */
function nameTest(name) {
  const pieces = name.split(/\*+/);
  const first = pieces.shift() ?? "";
  const last = pieces.pop();
  if (last === undefined) return (type) => type.startsWith(first);
  return (type) => {
    const end = type.length - last.length;
    let at = first.length;
    if (at > end || !type.startsWith(first) || !type.endsWith(last)) return false;
    for (const piece of pieces) {
      const found = type.indexOf(piece, at);
      at = found + piece.length;
      if (found < 0 || at > end) return false;
    }
    return true;
  };
}

/**
 * @param {string} name as it stands in a filter: after "=" exactly one, else the beginning of names
 * @returns {(type: string) => boolean}
 */
function typeTest(name) {
  if (name.startsWith("=")) return (type) => exactly(type) === name;
  const fits = nameTest(name.toLowerCase());
  return (type) => fits(type.toLowerCase());
}

/**
 * @param {string} value names or beginnings of names with * for anything, apart by commas
 * @param {Sight} sight
 * @returns {Test}
 */
function hasType(value, sight) {
  const names = value.split(",").filter(Boolean).map(typeTest);
  const passes = remembered((type) => names.some((fits) => fits(type)));
  return (item) => passes(sight.endOf(item)?.type ?? item.type);
}

/**
 * @param {Term} term
 * @param {Sight} sight
 * @returns {Test | null} null for a term that cannot be read
 */
function testOf({ key, operator, value, quoted }, sight) {
  if (key === "") return hasWords(value, sight);
  if (isAmount(key)) return hasAmount(key, operator, value, sight);
  if (![":", "="].includes(operator) || value.replaceAll(",", "") === "") return null;
  if (key === "type") return hasType(value, sight);
  if (key === "status") {
    const wanted = value.toLowerCase().split(",").filter(Boolean);
    if (!wanted.every((state) => STATES.includes(state))) return null;
    return (item) => wanted.includes(sight.stateOf(item) ?? "");
  }
  const names = quoted ? [value] : value.split(",").filter(Boolean);
  const pattern = new RegExp(names.map(escaped).join("|"), "i");
  const passes = remembered((text) => pattern.test(text));
  return (item) => passes(TEXTS[key](item, sight) ?? "");
}

/**
 * @param {string} key
 * @param {string} operator
 * @param {string} value
 * @param {Sight} sight
 * @returns {Test | null}
 */
function hasAmount(key, operator, value, sight) {
  const [, digits, unit] = AMOUNT.exec(value) ?? [];
  if (digits === undefined || (unit && key !== "dur")) return null;
  const limit = Number(digits) * (UNITS.get((unit ?? "ms").toLowerCase()) ?? 1);
  const fits = COMPARE[operator];
  // The end of a span is an event of its own, though it has no line of its own.
  if (key === "seq")
    return (item) => fits(item.seq, limit) || fits(sight.endOf(item)?.seq ?? item.seq, limit);
  return (item) => {
    const amount = AMOUNTS[key](item, sight.endOf(item));
    return amount !== null && fits(amount, limit);
  };
}

/** What a text of the filter language stands for. Any text is one: see `hint`. */
export class Query {
  /** @type {Term[]} */
  #terms;
  /** What could not be read as more than words; "" for nothing. */
  hint = "";
  /** @type {Test | null} null when everything passes */
  test = null;

  /**
   * @param {string} text
   * @param {Sight} sight
   */
  constructor(text, sight) {
    this.text = text;
    this.#terms = termsOf(text);
    /** Whether an item may pass, or no longer, because its run has ended. */
    this.asksState = this.#terms.some(({ key }) => key === "status");
    const terms = this.#terms.filter(({ value, key }) => value || key);
    const tests = terms.slice(0, MAX_TERMS).map((term) => this.#read(term, sight));
    if (terms.length > MAX_TERMS) this.hint = `only the first ${MAX_TERMS} terms are looked at`;
    this.hint ||= spaceHint(this.#terms);
    if (tests.length > 0) this.test = (item) => tests.every((test) => test(item));
  }

  /**
   * @param {Term} term
   * @param {Sight} sight
   * @returns {Test}
   */
  #read(term, sight) {
    let test = testOf(term, sight);
    if (test === null) {
      const { key, operator, value } = term;
      this.hint ||= `“${key}${operator}${value}” is looked for as words: ${usage(key)}`;
      const words = `${key} ${value}`.split(/[\s:<>=,]+/).filter(Boolean);
      const tests = words.map((word) => hasWords(word, sight));
      test = (item) => tests.every((one) => one(item));
    }
    const passes = test;
    return term.minus ? (item) => !passes(item) : passes;
  }

  /**
   * Whether only this event type is asked for, or all without it, or neither.
   *
   * @param {string} type
   * @returns {"only" | "without" | ""}
   */
  chip(type) {
    const name = exactly(type);
    const term = this.#terms.find(({ key, value }) => key === "type" && value.split(",").includes(name));
    if (!term) return "";
    return term.minus ? "without" : "only";
  }

  /**
   * The text of the filter after one more click on a type's chip: only this one, without it, neither.
   *
   * @param {string} type
   */
  withChip(type) {
    const state = this.chip(type);
    if (state === "") return this.#withType(type, false, true);
    const rest = this.#withType(type, state === "without", false);
    return state === "only" ? new Query(rest, BLIND).#withType(type, true, true) : rest;
  }

  /**
   * @param {string} type
   * @param {boolean} minus
   * @param {boolean} isIn
   */
  #withType(type, minus, isIn) {
    const name = exactly(type);
    const term = this.#terms.find((one) => one.key === "type" && one.minus === minus);
    const names = (term?.value.split(",") ?? []).filter((one) => one && one !== name);
    if (isIn) names.push(name);
    const value = names.join(",");
    const sign = minus ? "-" : "";
    const text = value && `${sign}type:${/\s/.test(value) ? `"${value}"` : value}`;
    const { start, end } = term ?? { start: this.text.length, end: this.text.length };
    const parts = [this.text.slice(0, start), text, this.text.slice(end)];
    return parts
      .map((part) => part.trim())
      .filter(Boolean)
      .join(" ");
  }
}

/** @type {Sight} knows nothing: for a query that is not asked */
const BLIND = { endOf: () => null, stateOf: () => null, nameOf: () => "" };

/**
 * The words of a filter that mean just one event type. What has a meaning there, or would not stay in an input,
 * is escaped as in an address.
 *
 * @param {string} type
 */
const exactly = (type) =>
  `=${type.replace(/["%,\n\r]/g, (one) => `%${one.charCodeAt(0).toString(16).padStart(2, "0")}`)}`;

/**
 * What to say where a space has torn a term apart: `dur > 500`, `tool: search`, `dur>1 s`.
 *
 * @param {Term[]} terms
 */
function spaceHint(terms) {
  for (const [index, { key, operator, value, quoted }] of terms.entries()) {
    const next = terms[index + 1];
    if (!next || next.key || next.quoted || quoted) continue;
    const isName = key === "" && isKey(value.toLowerCase()) && /^[:<>=]/.test(next.value);
    const isUnit = key === "dur" && UNITS.has(next.value.toLowerCase()) && /\d$/.test(value);
    if (!isName && !isUnit) continue;
    const rest = /^[:<>=]+$/.test(next.value) ? (terms[index + 2]?.value ?? "") : "";
    return `a space ends a term: without one it is “${key}${operator}${value}${next.value}${rest}”`;
  }
  return "";
}

/** @param {string} key */
function usage(key) {
  if (key === "status") return `status: takes ${STATES.join(", ")}`;
  if (key === "dur") return "dur takes < <= > >= = and a time such as 500, 1.5s or 2m";
  return isAmount(key) ? `${key} takes < <= > >= = and a number` : `${key}: takes a name`;
}
