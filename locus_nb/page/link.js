/** The line between a widget that shows events and Python. */

/** @typedef {import("./line.js").Model} Model */
/** @import { Row } from "./row.js" */
/** @import { RowsMessage, Status, Tally, Wish } from "./wire.js" */
/** @typedef {{ selected: number[], filter: string, paused: boolean, run: string, wish: number }} Told */

import { Fold } from "./fold.js";
import { Line } from "./line.js";
import { RowStore } from "./store.js";
import { readRows } from "./wire.js";

const TELL_MS = 100;
/** Python says something every 3 s, unless it cannot. */
export const QUIET_MS = 8_000;
const KNOCK_MS = 30_000;
const RESYNC_MS = 1_000;
const RESYNC_TRIES = 6;
const MAX_TALLIES = 2_000;
// So many messages tell how far the kernel's clock is ahead: this part of them by no more than is taken. Most are
// late by the same little, history by much.
const CLOCK_MESSAGES = 20;
const CLOCK_PART = 0.8;
const CLOCK_ROWS = 5;

/** What a widget has heard from Python, and what it says back. Ends with `stop`, which may be called twice. */
export class Link extends Line {
  /** @type {number[]} by how much each of the newest messages was ahead */
  #aheads = [];

  /** @param {Model} model */
  constructor(model) {
    super(model);
    this.store = new RowStore();
    this.fold = new Fold(this.store);
    /** @type {Map<string, Tally>} run id to what is known of it, the most recently changed last */
    this.tallies = new Map();
    /** @type {Wish[]} what Python has asked for last, ascending by their numbers */
    this.wishes = [];
    /** Milliseconds by which the kernel's clock is ahead of the page's, as far as its messages tell. */
    this.ahead = Number.NEGATIVE_INFINITY;
    /** The newest wish that a view has fulfilled. */
    this.fulfilled = 0;
    /** @type {Status} */
    this.status = "waiting";
    this.missing = 0;
    this.total = 0;
    /** The newest row that Python has. */
    this.last = 0;
    this.unfilled = 0;
    this.helloAt = 0;
    this.helloTimer = 0;
    this.helloTries = 0;
    this.helloHead = 0;
    /** @type {Told | null} */
    this.told = null;
    this.tellTimer = 0;
  }

  /** @override */
  stop() {
    super.stop();
    clearTimeout(this.tellTimer);
    this.#rest();
  }

  /** @override */
  get head() {
    return this.store.head;
  }

  /**
   * @override
   * @param {unknown} content
   * @param {unknown} buffers
   */
  take(content, buffers) {
    const message = readRows(content, buffers);
    if (message !== null) this.#take(message);
    return message?.unreadable === 0;
  }

  /** @override */
  hello() {
    this.helloAt = performance.now();
    super.hello();
  }

  /** @param {RowsMessage} message */
  #take({ prev, last, missing, total, status, wishes, rows, tallies }) {
    this.hear();
    this.missing = missing;
    this.total = total;
    this.last = last;
    this.status = status;
    if (wishes.length > 0) this.wishes = wishes;
    for (const tally of tallies) this.#count(tally);
    if (rows.length > 0) this.#setClock(usualTime(rows) - Date.now());
    this.store.merge(prev, rows);
    this.fold.update();
    this.ack();
    if (this.store.hasGap) this.#resync();
    else this.#rest();
  }

  /**
   * Follows the kernel's clock by the messages that took the shortest of late; a single event that is dated
   * into the future does not carry it away.
   *
   * @param {number} ahead of the newest message's last event
   */
  #setClock(ahead) {
    this.#aheads.push(ahead);
    if (this.#aheads.length > CLOCK_MESSAGES) this.#aheads.shift();
    const ascending = [...this.#aheads].sort((a, b) => a - b);
    this.ahead = ascending[Math.ceil((ascending.length - 1) * CLOCK_PART)];
  }

  /** @param {Tally} tally */
  #count(tally) {
    this.tallies.delete(tally.run);
    this.tallies.set(tally.run, tally);
    if (this.tallies.size > MAX_TALLIES) this.tallies.delete([...this.tallies.keys()][0]);
  }

  /** Whether Python will say more, if it can. */
  get goesOn() {
    return this.heard && (this.status === "live" || this.status === "waiting");
  }

  /** Whether nothing more is heard: the kernel is gone, or too busy to speak. */
  get isQuiet() {
    return this.goesOn && (this.unreachable || this.silence > QUIET_MS);
  }

  /**
   * The kernel's time now, in Unix milliseconds; the newest row's until something live has come, and that of
   * the last news while none comes.
   */
  now() {
    const { rows } = this.store;
    const here = Date.now() - (this.isQuiet ? this.silence : 0);
    return Math.max(rows.length > 0 ? usualTime(rows) : here, here + this.ahead);
  }

  /** Says hello to one that has not been heard for long: it may have given the page up. At most twice a minute. */
  knock() {
    if (performance.now() - this.helloAt > KNOCK_MS) this.hello();
  }

  #rest() {
    clearTimeout(this.helloTimer);
    this.helloTimer = 0;
  }

  /** Asks again for what is lacking, ever more rarely, and gives a gap up that nobody fills. */
  #resync() {
    if (this.helloTimer) return;
    if (this.helloHead !== this.store.head) this.helloTries = 0;
    this.helloHead = this.store.head;
    const pause = RESYNC_MS * 2 ** Math.max(0, this.helloTries - 1);
    const wait = Math.max(0, this.helloAt + pause - performance.now());
    this.helloTimer = window.setTimeout(() => this.#askAgain(), wait);
  }

  #askAgain() {
    this.helloTimer = 0;
    if (!this.store.hasGap) return;
    if (this.helloHead === this.store.head && this.helloTries >= RESYNC_TRIES) {
      this.unfilled++;
      this.store.skipGap();
      this.changed();
    } else {
      this.hello();
      this.helloTries++;
    }
    if (this.store.hasGap) this.#resync();
  }

  /**
   * Tells Python what the user did in a view, at most every 100 ms and with the newest state.
   *
   * @param {Told} told
   */
  tell(told) {
    this.told = told;
    if (this.tellTimer) return;
    this.tellTimer = window.setTimeout(() => {
      this.tellTimer = 0;
      if (this.told) this.send({ kind: "view", ...this.told });
    }, TELL_MS);
  }
}

/**
 * The middle one of the newest rows' times: one of them may be dated into the future.
 *
 * @param {Row[]} rows at least one
 */
function usualTime(rows) {
  const times = rows.slice(-CLOCK_ROWS).map(({ time }) => time);
  return times.sort((a, b) => a - b)[(times.length - 1) >> 1];
}
