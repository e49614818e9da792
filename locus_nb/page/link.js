/** The line between a widget that shows events and Python. */

/** @typedef {import("./line.js").Model} Model */
/** @import { Question, RowsMessage, Status, Tally, Wish } from "./wire.js" */
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
const SHOWN_MS = 1_000;

/** What a widget has heard from Python, and what it says back. Ends with `stop`, which may be called twice. */
export class Link extends Line {
  /** @param {Model} model */
  constructor(model) {
    super(model);
    this.store = new RowStore();
    this.fold = new Fold(this.store);
    /** @type {Map<string, Tally>} run id to what is known of it, the most recently changed last */
    this.tallies = new Map();
    /** @type {Wish[]} what Python has asked for last, ascending by their numbers */
    this.wishes = [];
    /** @type {Question[]} those that are open, the oldest first */
    this.questions = [];
    /** @type {string[]} those of them of which Python was told that they are shown */
    this.asked = [];
    this.askedAt = 0;
    /** The kernel's time when the last message left, in Unix milliseconds. */
    this.toldAt = 0;
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
  #take({ now, prev, last, missing, total, status, wishes, questions, rows, tallies }) {
    this.hear();
    this.toldAt = now;
    this.missing = missing;
    this.total = total;
    this.last = last;
    const wentOn = !this.isOver;
    this.status = status;
    if (wishes.length > 0) this.wishes = wishes;
    // What was taken for running is looked at again when the view is over.
    if (wentOn && this.isOver) for (const tally of [...this.tallies.values()]) this.#count(tally);
    for (const tally of tallies) this.#count(tally);
    this.store.merge(prev, rows);
    this.fold.update();
    this.#ask(questions);
    this.ack();
    if (this.store.hasGap) this.#resync();
    else this.#rest();
  }

  /** @param {Question[]} questions */
  #ask(questions) {
    this.questions = questions;
    // At once, also where no frame is drawn because nobody looks: Python asks elsewhere otherwise.
    if (this.views.size === 0) return;
    const now = performance.now();
    // Before JupyterLab has made a subshell what is sent waits until the cell is over; so it is said again.
    const again = now - this.askedAt >= SHOWN_MS;
    const news = questions.filter(({ id, heard }) => !this.asked.includes(id) || (again && !heard));
    this.asked = questions.map(({ id }) => id);
    if (news.length === 0) return;
    this.askedAt = now;
    this.send({ kind: "asked", ids: news.map(({ id }) => id) });
  }

  /** @param {Tally} tally */
  #count(tally) {
    const isLeft = this.isOver && tally.status === "running";
    this.tallies.delete(tally.run);
    this.tallies.set(tally.run, isLeft ? { ...tally, status: "open", ended: tally.last } : tally);
    if (this.tallies.size > MAX_TALLIES) this.tallies.delete(this.tallies.keys().next().value ?? "");
  }

  /** Whether Python will say more, if it can. */
  get goesOn() {
    return this.heard && !this.isOver;
  }

  /** Whether the view takes in no more: what still ran then is not known to have ended. */
  get isOver() {
    return this.status === "ended" || this.status === "failed";
  }

  /** Whether nothing more is heard: the kernel is gone, or too busy to speak. */
  get isQuiet() {
    return this.goesOn && (this.unreachable || this.silence > QUIET_MS);
  }

  /** The kernel's time now, in Unix milliseconds: that of the last news while no more come; the page's before any. */
  now() {
    if (!this.heard) return Date.now();
    return this.toldAt + (this.goesOn && !this.isQuiet ? this.silence : 0);
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
