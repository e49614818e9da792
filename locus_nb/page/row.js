/** One event as the page knows it, and what has been folded into it. */

/** @typedef {"start" | "end" | "chunk" | "point"} Phase */
/** @typedef {"model" | "tool" | "think" | "end" | "agent" | "other"} Family */
/** @typedef {"ok" | "error" | "interrupted" | null} RowStatus */
/** @typedef {{ inputTokens: number | null, outputTokens: number | null }} Tokens null for what was never told */

const LENGTH = 18;
const PHASES = ["start", "end", "chunk", "point"];
const FAMILIES = ["model", "tool", "think", "end", "agent", "other"];
const STATUSES = ["ok", "error", "interrupted", null];

/** An event. A row that starts a span takes its end, its chunks and its tokens in: see `Fold`. */
export class Row {
  /** @type {Row | null} the row that ended this span */
  end = null;
  /** @type {Tokens | null} the sum of what was told of the tokens of this span */
  used = null;
  /** @type {Row | null} the newest chunk of this span */
  chunk = null;
  chunks = 0;
  chars = 0;

  /** @param {any[]} fields as `isRow` accepts them */
  constructor(fields) {
    /** @type {number} */
    this.seq = fields[0];
    /** @type {number} Unix epoch in milliseconds */
    this.time = fields[1];
    /** @type {string} */
    this.type = fields[2];
    /** @type {string} */
    this.run = fields[3];
    /** @type {string} */
    this.preview = fields[4];
    /** @type {string} the payload as indented JSON, if it could be told and was not cut */
    this.detail = fields[5];
    /** @type {Phase} */
    this.phase = fields[6];
    /** @type {Family} */
    this.family = fields[7];
    /** @type {RowStatus} */
    this.status = fields[8];
    /** @type {string | null} */
    this.span = fields[9];
    /** @type {string | null} */
    this.parent = fields[10];
    /** @type {string | null} */
    this.agent = fields[11];
    /** @type {number | null} */
    this.iteration = fields[12];
    /** @type {string | null} the tool's or the model's */
    this.name = fields[13];
    /** @type {number | null} milliseconds */
    this.duration = fields[14];
    /** @type {string | null} */
    this.error = fields[15];
    /** @type {number | null} */
    this.inputTokens = fields[16];
    /** @type {number | null} */
    this.outputTokens = fields[17];
  }

  /** Characters that it holds: what bounds a store. */
  get weight() {
    const { preview, detail, error, type, run, span, parent, agent, name } = this;
    const texts = [preview, detail, error, type, run, span, parent, agent, name];
    return texts.reduce((sum, text) => sum + (text?.length ?? 0), 0);
  }

  /**
   * The tokens that it tells of, or that its span used; null for none.
   *
   * @returns {Tokens | null}
   */
  get tokens() {
    const told = this.used ?? this;
    return told.inputTokens === null && told.outputTokens === null ? null : told;
  }

  /** @param {Tokens} more that this span used */
  use({ inputTokens, outputTokens }) {
    const { used } = this;
    this.used = {
      inputTokens: plus(used?.inputTokens ?? null, inputTokens),
      outputTokens: plus(used?.outputTokens ?? null, outputTokens),
    };
  }

  /** Takes back what was folded in. */
  unfold() {
    this.end = this.used = this.chunk = null;
    this.chunks = this.chars = 0;
  }
}

/**
 * @param {number | null} left
 * @param {number | null} right
 */
const plus = (left, right) => (left === null || right === null ? (left ?? right) : left + right);

/** @param {unknown} value */
const isText = (value) => value === null || typeof value === "string";

/** @param {unknown} value */
const isAmount = (value) => value === null || (Number.isFinite(value) && Number(value) >= 0);

/**
 * Whether a value is a row of the wire.
 *
 * @param {unknown} value
 * @returns {value is any[]}
 */
export function isRow(value) {
  if (!Array.isArray(value) || value.length !== LENGTH) return false;
  const [seq, time, type, run, preview, detail, phase, family, status] = value;
  return (
    Number.isSafeInteger(seq) &&
    seq > 0 &&
    Number.isFinite(time) &&
    [type, run, preview, detail].every((text) => typeof text === "string") &&
    PHASES.includes(phase) &&
    FAMILIES.includes(family) &&
    STATUSES.includes(status) &&
    [value[9], value[10], value[11], value[13], value[15]].every(isText) &&
    [value[12], value[14], value[16], value[17]].every(isAmount)
  );
}

/**
 * How long something took, in milliseconds; null for what has no length or has not ended.
 *
 * @param {Row} item
 * @param {Row | null} end
 */
export function lengthOf(item, end) {
  if (end === null) return item.phase === "start" ? null : item.duration;
  return end.duration ?? Math.max(0, end.time - item.time);
}
