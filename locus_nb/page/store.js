/** The rows of one widget. */

/** @import { Row } from "./row.js" */

const MAX_ROWS = 200_000;
const MAX_CHARS = 64_000_000;

/**
 * The index of the first row whose seq is not below the given one.
 *
 * @param {Row[]} rows ascending by seq
 * @param {number} seq
 */
export function lowerBound(rows, seq) {
  let low = 0;
  let high = rows.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (rows[middle].seq < seq) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * The rows ascending by seq, each seq once.
 *
 * @param {Row[]} rows
 * @returns {Row[]} the same array when it is in order already
 */
function ascending(rows) {
  if (rows.every((row, index) => index === 0 || rows[index - 1].seq < row.seq)) return rows;
  const sorted = [...rows].sort((a, b) => a.seq - b.seq);
  return sorted.filter((row, index) => index === 0 || sorted[index - 1].seq < row.seq);
}

/**
 * The rows of one widget, ascending by seq, each once, whatever order they came in.
 *
 * Holds at most `maxRows` rows and about `maxChars` characters of text; the oldest leave first and are
 * counted in `dropped`. A row that left does not come back. `head` is the newest seq up to which
 * nothing is lacking.
 */
export class RowStore {
  /** @param {{ maxRows?: number, maxChars?: number }} [limits] */
  constructor({ maxRows = MAX_ROWS, maxChars = MAX_CHARS } = {}) {
    this.maxRows = maxRows;
    this.maxChars = maxChars;
    /** @type {Row[]} */
    this.rows = [];
    this.head = 0;
    this.dropped = 0;
    /** Changes of another kind than appending at the end or dropping at the front. */
    this.edits = 0;
    /** @type {{ prev: number, last: number }[]} */
    this.islands = [];
    this.floor = 0;
    this.chars = 0;
  }

  /** Whether rows between `head` and some later row are lacking. */
  get hasGap() {
    return this.islands.length > 0;
  }

  /**
   * Takes in the rows that follow the row `prev`; known ones are ignored.
   *
   * @param {number} prev seq of the row just before the first one, 0 if there is none
   * @param {Row[]} rows
   */
  merge(prev, rows) {
    const ordered = ascending(rows);
    this.#cover(prev, Math.max(prev, ordered.at(-1)?.seq ?? 0));
    const fresh = ordered.filter((row) => row.seq > this.floor);
    if (fresh.length === 0) return;
    this.#insert(fresh);
    this.#trim();
  }

  /** Gives up the oldest gap: what lies in it is no longer waited for. */
  skipGap() {
    if (this.islands.length === 0) return;
    this.head = this.islands[0].prev;
    this.#settle();
  }

  /** @param {Row[]} fresh ascending */
  #insert(fresh) {
    const tail = this.rows.splice(lowerBound(this.rows, fresh[0].seq));
    let next = 0;
    let edited = false;
    for (const row of fresh) {
      while (next < tail.length && tail[next].seq < row.seq) this.rows.push(tail[next++]);
      if (next < tail.length && tail[next].seq === row.seq) continue;
      edited ||= next < tail.length;
      this.rows.push(row);
      this.chars += row.weight;
    }
    for (; next < tail.length; next++) this.rows.push(tail[next]);
    if (edited) this.edits++;
  }

  #trim() {
    let surplus = 0;
    while (
      this.rows.length - surplus > this.maxRows ||
      (this.chars > this.maxChars && surplus < this.rows.length - 1)
    ) {
      this.chars -= this.rows[surplus++].weight;
    }
    if (surplus === 0) return;
    this.floor = this.rows[surplus - 1].seq;
    this.rows.splice(0, surplus);
    this.dropped += surplus;
  }

  /**
   * @param {number} prev
   * @param {number} last
   */
  #cover(prev, last) {
    this.islands.push({ prev, last });
    this.#settle();
  }

  #settle() {
    this.islands.sort((a, b) => a.prev - b.prev);
    /** @type {{ prev: number, last: number }[]} */
    const apart = [];
    for (const island of this.islands) {
      const before = apart.at(-1);
      if (island.prev <= this.head) this.head = Math.max(this.head, island.last);
      else if (before && island.prev <= before.last) before.last = Math.max(before.last, island.last);
      else apart.push(island);
    }
    this.islands = apart;
  }
}
