/** Rows folded into items: what a table shows as one line, a timeline as one bar. */

/** @import { Row } from "./row.js" */
/** @import { RowStore } from "./store.js" */

import { lowerBound } from "./store.js";

const LOG_LENGTH = 20_000;

/** @param {{ run: string, span: string | null }} row */
const keyOf = ({ run, span }) => `${run}\n${span}`;

/**
 * The items of a store, ascending by seq, kept up to date by `update`.
 *
 * An item is a row that leads: an event of its own, or the start of a span with its end, its chunks and its
 * tokens folded in, these in sum, as frames give them. What has no start here (it left the store, or never came)
 * leads itself. Tokens are folded in and stay an item too.
 */
export class Fold {
  /** @param {RowStore} store */
  constructor(store) {
    this.store = store;
    /** @type {Row[]} */
    this.items = [];
    /** Items that left at the front, in all. */
    this.dropped = 0;
    /** @type {Row[]} the newest of the items that took something in, in the order in which they did */
    this.log = [];
    /** Entries of the log, also those that it no longer holds. */
    this.logged = 0;
    /** Counts the updates after which `items` was made anew. */
    this.rebuilds = 0;
    this.edits = 0;
    this.scanned = 0;
    this.floor = 0;
    /** @type {Map<string, Row>} the row that leads each span */
    this.spans = new Map();
  }

  /** Takes in what the store has got or dropped since the last call. */
  update() {
    const { store } = this;
    if (store.edits !== this.edits) this.#restart();
    else if (store.floor !== this.floor) this.#dropFront();
    for (let index = Math.max(0, this.scanned - store.dropped); index < store.rows.length; index++) {
      this.#take(store.rows[index]);
    }
    this.scanned = store.dropped + store.rows.length;
  }

  /**
   * @param {string} run
   * @param {string} span
   * @returns {Row | undefined} the row that leads that span
   */
  find(run, span) {
    return this.spans.get(keyOf({ run, span }));
  }

  /** The items as they are now, in a list that stays as it is. What is folded into them goes on changing. */
  snapshot() {
    return { items: [...this.items], dropped: 0, log: [], logged: 0, rebuilds: 0, floor: 0 };
  }

  #restart() {
    this.edits = this.store.edits;
    this.floor = this.store.floor;
    this.rebuilds++;
    for (const item of this.items) item.unfold();
    this.items = [];
    this.dropped = 0;
    this.spans.clear();
    this.scanned = 0;
  }

  #dropFront() {
    this.floor = this.store.floor;
    const gone = this.items.splice(0, lowerBound(this.items, this.floor + 1));
    this.dropped += gone.length;
    for (const item of gone) {
      if (item.span !== null && this.spans.get(keyOf(item)) === item) this.spans.delete(keyOf(item));
    }
  }

  /** @param {Row} row */
  #take(row) {
    const leader = row.span === null ? undefined : this.spans.get(keyOf(row));
    if (row.phase === "point") {
      if (leader && row.tokens) this.#grow(leader).use(row);
      this.items.push(row);
    } else if (row.phase === "end" && leader?.phase === "start" && leader.end === null) {
      this.#grow(leader).end = row;
    } else if (row.phase === "chunk" && leader) {
      this.#addChunk(this.#grow(leader), row);
    } else {
      if (row.phase !== "end") this.spans.set(keyOf(row), row);
      if (row.phase === "chunk") this.#addChunk(row, row);
      this.items.push(row);
    }
  }

  /** @param {Row} item */
  #grow(item) {
    if (this.log.length >= 2 * LOG_LENGTH) this.log.splice(0, LOG_LENGTH);
    this.log.push(item);
    this.logged++;
    return item;
  }

  /**
   * @param {Row} item
   * @param {Row} chunk
   */
  #addChunk(item, chunk) {
    item.chunk = chunk;
    item.chunks++;
    item.chars += chunk.preview.length;
  }
}
