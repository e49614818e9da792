/** How fast runs go, from successive tallies. */

/** @import { Tally } from "./wire.js" */

const SMOOTH_MS = 2_000;
const STILL = 0.05;

/** Events per second of each run, smoothed over about two seconds; 0 of one that has ended. */
export class Tempo {
  /** @type {Map<string, { events: number, at: number, rate: number }>} */
  #known = new Map();

  /** Whether some rate still goes down, without any news. */
  moving = false;

  /**
   * Takes the tallies in as they are now; runs that are no longer among them are forgotten.
   *
   * @param {Iterable<Tally>} tallies
   * @param {number} now milliseconds, ascending
   */
  update(tallies, now) {
    const before = this.#known;
    this.#known = new Map();
    this.moving = false;
    for (const { run, events, status } of tallies) {
      const known = before.get(run) ?? { events, at: now, rate: 0 };
      const ms = now - known.at;
      // What is lost and told again is no speed.
      const rate = ms > 0 ? (Math.max(0, events - known.events) * 1000) / ms : known.rate;
      const smooth = known.rate + (rate - known.rate) * (1 - Math.exp(-ms / SMOOTH_MS));
      const shown = smooth < STILL || status !== "running" ? 0 : smooth;
      this.#known.set(run, { events, at: now, rate: shown });
      this.moving ||= shown > 0;
    }
  }

  /** @param {string} run */
  of(run) {
    return this.#known.get(run)?.rate ?? 0;
  }
}
