/** What is new for a tab that builds something of the items. */

/** @import { Row } from "./row.js" */
/** @import { View } from "./view.js" */

const REBUILD_MS = 250;

/** Gives each item of a view once, and says when to begin anew. Ends with `stop`. */
export class Fresh {
  /** @type {Row[] | null} */
  items = null;
  until = Number.NaN;
  version = -1;
  rebuilds = -1;
  dropped = 0;
  scanned = 0;
  builtAt = 0;
  timer = 0;

  /** @param {View} view */
  constructor(view) {
    this.view = view;
  }

  /**
   * The items that are new since the last call.
   *
   * A filter makes every change a new beginning; those come at most four times a second.
   *
   * @returns {{ anew: boolean, items: Row[] }} `anew`: forget what was given before
   */
  take() {
    const { shown, state } = this.view;
    const { fold, items, version } = shown;
    const isAll = items === fold.items;
    const isSame = items === this.items && fold.rebuilds === this.rebuilds && state.until === this.until;
    const isGone = isAll && fold.dropped - this.dropped > items.length / 4;
    const hasChanged = !isAll && version !== this.version;
    if (isSame && hasChanged && this.#isEarly()) return { anew: false, items: [] };
    const anew = !isSame || isGone || hasChanged;
    if (anew) {
      Object.assign(this, { items, version, rebuilds: fold.rebuilds, until: state.until, scanned: 0 });
      this.dropped = isAll ? fold.dropped : 0;
      this.builtAt = performance.now();
    }
    const left = isAll ? fold.dropped : 0;
    const start = anew ? 0 : Math.max(0, this.scanned - left);
    this.scanned = left + items.length;
    const news = start === 0 ? items : items.slice(start);
    return { anew, items: state.paused ? news.filter((item) => item.seq <= state.until) : news };
  }

  stop() {
    clearTimeout(this.timer);
  }

  #isEarly() {
    const wait = this.builtAt + REBUILD_MS - performance.now();
    if (wait <= 0) return false;
    clearTimeout(this.timer);
    this.timer = window.setTimeout(this.view.schedule, wait);
    return true;
  }
}
