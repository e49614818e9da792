/** What a user has set in one view. It stays in the page; Python is told, and may wish for some of it. */

/** @import { Row } from "./row.js" */
/** @typedef {"table" | "timeline" | "tree"} TabName */

/** The state of one view. `changed` is called after every change. */
export class ViewState {
  /** @type {TabName} */
  tab = "table";
  /** The filter as the user typed it; see `query.js`. */
  filter = "";
  /** @type {Set<string>} event types that the chips have switched off */
  hidden = new Set();
  /** The run that is followed in a view of all runs; "" for all. */
  run = "";
  /** The newest seq that is shown while paused; Infinity when not. */
  until = Number.POSITIVE_INFINITY;
  /** @type {Row | null} */
  selected = null;
  /** @type {Row | null} the other end of a selected range */
  anchor = null;
  /** Whether the drawer with the selected item's payload is open. */
  open = false;

  /** @param {() => void} changed */
  constructor(changed) {
    this.changed = changed;
  }

  get paused() {
    return Number.isFinite(this.until);
  }

  /** @param {Partial<Omit<ViewState, "changed" | "paused" | "set">>} changes */
  set(changes) {
    Object.assign(this, changes);
    this.changed();
  }
}
