/** What a user has set in one view. It stays in the page; Python is told, and may wish for some of it. */

/** @import { Row } from "./row.js" */
/** @import { Order } from "./sort.js" */
/** @typedef {"table" | "timeline" | "tree"} TabName */

/** The state of one view. `changed` is called after every change. */
export class ViewState {
  /** @type {TabName} */
  tab = "table";
  /** The filter as the user typed it; see `query.js`. */
  filter = "";
  /** @type {Order | null} null for ascending by seq */
  order = null;
  /** The run that is followed in a view of all runs; "" for all. */
  run = "";
  /** The newest seq that is shown while paused; Infinity when not. */
  until = Number.POSITIVE_INFINITY;
  /** @type {Row | null} */
  selected = null;
  /** @type {Row | null} the other end of a selected range */
  anchor = null;
  /** @type {Set<Row> | null} a range's items, ascending by seq, where they stood in another order than that */
  among = null;
  /** Whether the drawer with the selected item's payload is open. */
  open = false;

  /** @param {() => void} changed */
  constructor(changed) {
    this.changed = changed;
  }

  get paused() {
    return Number.isFinite(this.until);
  }

  /** @type {[first: number, last: number] | null} the seqs at the ends of a selected range */
  get range() {
    const { selected, anchor } = this;
    if (!selected || !anchor || selected === anchor) return null;
    return [Math.min(selected.seq, anchor.seq), Math.max(selected.seq, anchor.seq)];
  }

  /** @param {Row} item */
  isSelected(item) {
    if (item === this.selected) return true;
    const { range, among } = this;
    if (among) return among.has(item);
    return range !== null && range[0] <= item.seq && item.seq <= range[1];
  }

  /** @param {Partial<Omit<ViewState, "changed" | "paused" | "range" | "set" | "isSelected">>} changes */
  set(changes) {
    Object.assign(this, changes);
    this.changed();
  }
}
