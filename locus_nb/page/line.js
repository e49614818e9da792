/** The line between a widget's views and Python. */

/** @import { AnyModel } from "@anywidget/types" */
/** @typedef {{ view: string, run: string, twin: string, tab: string }} Traits */
/** @typedef {AnyModel<Traits>} Model */

const ACK_MS = 1_000;

/**
 * What is the same for every widget: it hears Python's messages, says hello and acknowledges. What the messages
 * hold is for `take`. Ends with `stop`, which may be called twice.
 */
export class Line {
  /** @param {Model} model */
  constructor(model) {
    this.model = model;
    this.heard = false;
    this.unreachable = false;
    /** When the last message came, by `performance.now()`. */
    this.heardAt = 0;
    /** Messages that were none, or not all of them. */
    this.unreadable = 0;
    /** @type {Set<() => void>} */
    this.views = new Set();
    this.ackedAt = Number.NEGATIVE_INFINITY;
    this.ackTimer = 0;
    model.on("msg:custom", this.receive);
  }

  stop() {
    this.model.off("msg:custom", this.receive);
    clearTimeout(this.ackTimer);
    this.views.clear();
  }

  /** The newest event up to which the page has all. */
  get head() {
    return 0;
  }

  /**
   * Takes one message.
   *
   * @param {unknown} _content
   * @param {unknown} _buffers
   * @returns {boolean} whether all of it could be read
   */
  take(_content, _buffers) {
    return false;
  }

  /** Notes that Python speaks. */
  hear() {
    this.heard = true;
    this.unreachable = false;
    this.heardAt = performance.now();
  }

  /** Milliseconds since the last message. */
  get silence() {
    return performance.now() - this.heardAt;
  }

  /** @type {(content: unknown, buffers?: unknown) => void} */
  receive = (content, buffers) => {
    if (!this.take(content, buffers)) this.unreadable++;
    this.changed();
  };

  changed() {
    for (const draw of this.views) draw();
  }

  /** Tells Python up to where the page has what it shows; it answers with what follows. */
  hello() {
    this.send({ kind: "hello", last_seq: this.head });
  }

  /** Tells Python that somebody listens, at most once a second. */
  ack() {
    if (this.ackTimer) return;
    const wait = this.ackedAt + ACK_MS - performance.now();
    if (wait <= 0) this.#sendAck();
    else this.ackTimer = window.setTimeout(() => this.#sendAck(), wait);
  }

  #sendAck() {
    this.ackTimer = 0;
    this.ackedAt = performance.now();
    this.send({ kind: "ack", last_seq: this.head });
  }

  /** @param {{ kind: string } & Record<string, unknown>} content */
  send(content) {
    try {
      this.model.send(content);
    } catch {
      // A dead kernel closes the comm; what is there stays readable, and the view says why no more comes.
      this.unreachable = true;
      this.changed();
    }
  }
}
