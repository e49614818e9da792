/** Where the lines of a table are, of which failed items have some more. */

/** @import { Row } from "./row.js" */

import { lowerBound } from "./store.js";

/**
 * Lines: one for each item, and below some items one for each part of their error.
 *
 * Knows only the items with more than one line, so that it costs little however many there are.
 */
export class ErrorLines {
  /** @type {Row[]} */
  items = [];
  /** @type {number[]} the items with more than one line, by their index */
  #tall = [];
  /** @type {number[]} for each of these, the further lines of it and of all before it */
  #sums = [];

  /**
   * Takes in other items, or more at the end of the same ones.
   *
   * @param {Row[]} items
   * @param {number} from the first that may be another than before
   * @param {(item: Row) => number} more how many further lines an item has
   */
  update(items, from, more) {
    this.items = items;
    while (this.#tall.length > 0 && (this.#tall.at(-1) ?? 0) >= from) {
      this.#tall.pop();
      this.#sums.pop();
    }
    for (let index = from; index < items.length; index++) {
      const lines = more(items[index]);
      if (lines === 0) continue;
      this.#sums.push((this.#sums.at(-1) ?? 0) + lines);
      this.#tall.push(index);
    }
  }

  /**
   * Forgets items at the front, which have left the array already.
   *
   * @param {number} gone
   */
  shift(gone) {
    const first = this.#tall.findIndex((index) => index >= gone);
    const left = first < 0 ? this.#tall.length : first;
    const lines = this.#sums[left - 1] ?? 0;
    this.#tall = this.#tall.slice(left).map((index) => index - gone);
    this.#sums = this.#sums.slice(left).map((sum) => sum - lines);
  }

  get count() {
    return this.items.length + (this.#sums.at(-1) ?? 0);
  }

  /**
   * @param {number} line
   * @returns {{ item: Row, index: number, part: number }} part 0 is the item's own line
   */
  at(line) {
    let low = 0;
    let high = this.#tall.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#tall[middle] + (this.#sums[middle - 1] ?? 0) < line) low = middle + 1;
      else high = middle;
    }
    // The item before which `low` further ones stand may be the one that this line is of.
    const before = low - 1;
    const above = this.#sums[before] ?? 0;
    const last = before < 0 ? -1 : this.#tall[before] + above;
    const index = line <= last ? this.#tall[before] : line - above;
    const part = line <= last ? line - (this.#tall[before] + (this.#sums[before - 1] ?? 0)) : 0;
    return { item: this.items[index], index, part };
  }

  /** @param {number} index of an item; the line of its own */
  lineOf(index) {
    let low = 0;
    let high = this.#tall.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#tall[middle] < index) low = middle + 1;
      else high = middle;
    }
    return index + (this.#sums[low - 1] ?? 0);
  }

  /** @param {number} seq of an item, where they are ascending by seq */
  lineOfSeq(seq) {
    return this.lineOf(lowerBound(this.items, seq));
  }
}
