/** Which items a view shows: those that pass its filter, up to where it was paused. */

/** @import { Fold } from "./fold.js" */
/** @import { Row } from "./row.js" */
/** @typedef {(item: Row) => boolean} Test */
/** @typedef {Pick<Fold, "items" | "dropped" | "log" | "logged" | "rebuilds" | "floor">} Items a fold, or what one was */

import { lowerBound } from "./store.js";

/** The items of a fold that pass a test, ascending by seq; brought up to date by `update`. */
export class Shown {
  /** @param {Items} fold */
  constructor(fold) {
    this.fold = fold;
    /** @type {Row[]} not to be changed; the fold's own array while everything passes */
    this.items = fold.items;
    /** Counts the updates after which `items` may differ otherwise than by more at the end or fewer at the front. */
    this.version = 0;
    /** Items that left at the front while `version` stayed. */
    this.dropped = 0;
    /** @type {Test | null} */
    this.test = null;
    this.rebuilds = fold.rebuilds;
    this.scanned = 0;
    this.logged = 0;
  }

  /**
   * Takes in what is new in the fold.
   *
   * @param {Test | null} test null: everything passes; another function than before is another filter
   */
  update(test) {
    const { fold } = this;
    const missedChanges = this.logged < fold.logged - fold.log.length;
    if (test === null) this.#takeAll();
    else if (test !== this.test || this.rebuilds !== fold.rebuilds || missedChanges) this.#restart(test);
    else this.#takeNews(test);
    this.test = test;
    this.rebuilds = fold.rebuilds;
    this.scanned = fold.dropped + fold.items.length;
    this.logged = fold.logged;
  }

  #takeAll() {
    const { fold } = this;
    const isSame = this.items === fold.items && this.logged === fold.logged && this.scanned >= fold.dropped;
    if (!isSame) this.version++;
    this.dropped = fold.dropped;
    this.items = fold.items;
  }

  /** @param {Test} test */
  #restart(test) {
    this.items = this.fold.items.filter(test);
    this.version++;
  }

  /** @param {Test} test */
  #takeNews(test) {
    const { fold, items } = this;
    const gone = lowerBound(items, fold.floor + 1);
    if (gone > 0) items.splice(0, gone);
    const start = Math.max(0, this.scanned - fold.dropped);
    // What took something in may pass now, or no longer.
    const changed = new Set(fold.log.slice(fold.log.length - (fold.logged - this.logged)));
    for (const item of changed) {
      if (item.seq > fold.floor && lowerBound(fold.items, item.seq) < start) this.#weigh(item, test);
    }
    if (gone > 0 || changed.size > 0) this.version++;
    for (let index = start; index < fold.items.length; index++) {
      if (test(fold.items[index])) items.push(fold.items[index]);
    }
  }

  /**
   * @param {Row} item
   * @param {Test} test
   */
  #weigh(item, test) {
    const index = lowerBound(this.items, item.seq);
    const isShown = this.items[index] === item;
    if (test(item) === isShown) return;
    this.items.splice(index, isShown ? 1 : 0, ...(isShown ? [] : [item]));
  }
}
