/** What a bus monitor has heard. */

/** @import { Model } from "./line.js" */
/** @import { Reader, Sample } from "./wire.js" */

import { Line } from "./line.js";
import { readStats } from "./wire.js";

const MAX_SAMPLES = 240;

/** The newest samples of a bus, and its readers. Outlives the views of its widget. */
export class StatsLink extends Line {
  /** @param {Model} model */
  constructor(model) {
    super(model);
    /** @type {Sample[]} ascending by time */
    this.samples = [];
    /** @type {Reader[]} the worst ones; `facts.readers` tells how many there are */
    this.readers = [];
    /** @type {Record<string, number> | null} */
    this.facts = null;
  }

  /**
   * @override
   * @param {unknown} content
   */
  take(content) {
    const message = readStats(content);
    if (message === null) return false;
    this.hear();
    this.readers = message.readers;
    this.facts = message.facts;
    for (const sample of message.samples) {
      if (sample.at > (this.samples.at(-1)?.at ?? Number.NEGATIVE_INFINITY)) this.samples.push(sample);
    }
    this.samples.splice(0, this.samples.length - MAX_SAMPLES);
    this.ack();
    return message.unreadable === 0;
  }
}
