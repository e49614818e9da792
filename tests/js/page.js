/**
 * Stands in for anywidget 0.11 in the page that tests and benchmarks open: the same calls in the same order,
 * a model proxy of its own for each call, cleanup by abort. It also keeps count of what the page leaves behind.
 */

/** @typedef {any[]} WireRow a row as Python sends it */
/** @typedef {(...args: any[]) => void} Callback */
/** @typedef {{ kind: string, last_seq: number }} Sent */

/** Whether the shipped ESM makes this call, and not the page, the test or playwright. */
const isShipped = () => String(new Error().stack).includes("/live.js");

/** Timers, frames and listeners that the shipped ESM started and did not end. */
class Leftovers {
  /** @type {Set<number>} */
  timers = new Set();
  /** @type {Set<number>} */
  frames = new Set();
  /** @type {{ target: EventTarget, type: string, listener: unknown, signal?: AbortSignal }[]} */
  listeners = [];
  started = 0;

  watch() {
    this.#watchTimers();
    this.#watchFrames();
    this.#watchListeners();
  }

  count() {
    const listeners = this.listeners.filter(({ signal }) => !signal?.aborted).length;
    return { timers: this.timers.size, frames: this.frames.size, listeners };
  }

  /**
   * @param {Set<number>} running
   * @param {number} id
   */
  #start(running, id) {
    this.started++;
    running.add(id);
  }

  #watchTimers() {
    const { setTimeout, clearTimeout } = window;
    const { timers } = this;
    window.setTimeout = /** @type {typeof window.setTimeout} */ (
      (/** @type {Callback} */ callback, /** @type {number} */ ms) => {
        const id = setTimeout(() => {
          timers.delete(id);
          callback();
        }, ms);
        if (isShipped()) this.#start(timers, id);
        return id;
      }
    );
    window.clearTimeout = (id) => {
      timers.delete(Number(id));
      clearTimeout(id);
    };
  }

  #watchFrames() {
    const { requestAnimationFrame, cancelAnimationFrame } = window;
    const { frames } = this;
    window.requestAnimationFrame = (callback) => {
      const id = requestAnimationFrame((now) => {
        frames.delete(id);
        callback(now);
      });
      if (isShipped()) this.#start(frames, id);
      return id;
    };
    window.cancelAnimationFrame = (id) => {
      frames.delete(id);
      cancelAnimationFrame(id);
    };
  }

  #watchListeners() {
    const { addEventListener, removeEventListener } = EventTarget.prototype;
    const { listeners } = this;
    EventTarget.prototype.addEventListener = function (type, listener, options) {
      const signal = typeof options === "object" ? options.signal : undefined;
      const lasts = this instanceof Node || this === window;
      if (lasts && isShipped()) listeners.push({ target: this, type, listener, signal });
      addEventListener.call(this, type, listener, options);
    };
    EventTarget.prototype.removeEventListener = function (type, listener, options) {
      const index = listeners.findIndex(
        (one) => one.target === this && one.type === type && one.listener === listener,
      );
      if (index >= 0) listeners.splice(index, 1);
      removeEventListener.call(this, type, listener, options);
    };
  }
}

/** The front end's model of one widget. */
export class FakeModel {
  /** @param {Record<string, unknown>} state */
  constructor(state) {
    this.state = state;
    /** @type {Sent[]} */
    this.sent = [];
    /** @type {{ name: string, callback: Callback, context: unknown }[]} */
    this.handlers = [];
    this.dead = false;
  }

  /** @param {unknown} context */
  proxy(context) {
    return {
      get: (/** @type {string} */ name) => this.state[name],
      send: (/** @type {Sent} */ content) => {
        if (this.dead) throw new Error("Cannot send: the comm is closed.");
        this.sent.push(content);
      },
      on: (/** @type {string} */ name, /** @type {Callback} */ callback) => {
        this.handlers.push({ name, callback, context });
      },
      off: (/** @type {string} */ name, /** @type {Callback} */ callback) => {
        this.handlers = this.handlers.filter(
          (one) => one.name !== name || one.callback !== callback || one.context !== context,
        );
      },
    };
  }

  /**
   * @param {string} name
   * @param {unknown[]} args
   */
  trigger(name, ...args) {
    for (const one of [...this.handlers]) if (one.name === name) one.callback(...args);
  }

  /**
   * @param {string} name
   * @param {unknown} value
   */
  change(name, value) {
    this.state[name] = value;
    this.trigger(`change:${name}`);
  }
}

/** One widget on the page, driven by a test. */
export class FakeWidget {
  /**
   * @param {Record<string, unknown>} state
   * @param {string} module address of the ESM
   */
  static async open(state, module = "/live.js") {
    const { default: factory } = await import(module);
    const widget = new FakeWidget(
      new FakeModel({ view: state["run"] ? "run" : "runs", run: "", twin: "", ...state }),
      await factory(),
    );
    await widget.definition.initialize({
      model: widget.model.proxy(widget),
      signal: widget.controller.signal,
    });
    return widget;
  }

  /**
   * @param {FakeModel} model
   * @param {{ initialize: Callback, render: Callback }} definition
   */
  constructor(model, definition) {
    this.model = model;
    this.definition = definition;
    this.controller = new AbortController();
    /** @type {{ el: HTMLElement, controller: AbortController }[]} */
    this.views = [];
    this.newest = 0;
    this.total = 0;
    /** By how many milliseconds the kernel's clock is ahead: as if the last row had just been made. */
    this.ahead = 0;
  }

  /** Shows the widget in an output of its own, at the end of the page. */
  async show() {
    const output = document.createElement("div");
    output.className = "jp-OutputArea-child output";
    const el = document.createElement("div");
    output.append(el);
    document.body.append(output);
    return this.render(el);
  }

  /** @param {HTMLElement} el */
  async render(el) {
    const controller = new AbortController();
    const signal = AbortSignal.any([this.controller.signal, controller.signal]);
    await this.definition.render({ model: this.model.proxy(el), el, signal });
    this.views.push({ el, controller });
    return el;
  }

  /** @param {number} index */
  hide(index) {
    this.views[index].controller.abort();
  }

  close() {
    this.controller.abort();
  }

  /**
   * A message with these rows as Python sends it.
   *
   * @param {unknown[]} rows
   * @param {Record<string, unknown>} [changes] other values for the content
   * @param {unknown[]} [tallies]
   */
  deliver(rows, changes = {}, tallies = []) {
    const prev = this.newest;
    for (const row of rows) if (Array.isArray(row)) this.newest = Math.max(this.newest, row[0]);
    this.total += rows.length;
    const last = rows.at(-1);
    const time = Array.isArray(last) ? Number(last[1]) : Number.NaN;
    if (!Number.isNaN(time)) this.ahead = time - Date.now();
    const { run } = this.model.state;
    const content = {
      now: Date.now() + this.ahead,
      prev,
      last: this.newest,
      count: rows.length,
      missing: 0,
      status: "live",
      total: this.total,
      run,
      wishes: [],
      ...changes,
    };
    this.deliverText(JSON.stringify(rows), { kind: "rows", ...content }, JSON.stringify(tallies));
  }

  /**
   * @param {string} rows
   * @param {Record<string, unknown>} content
   * @param {string} [tallies]
   */
  deliverText(rows, content, tallies = "[]") {
    const buffers = [rows, tallies].map((text) => new DataView(new TextEncoder().encode(text).buffer));
    this.model.trigger("msg:custom", content, buffers);
  }
}

/** Resolves when everything scheduled for the next frame is drawn. */
export function drawn() {
  return new Promise((resolve) => {
    requestAnimationFrame(() => requestAnimationFrame(() => resolve(undefined)));
  });
}

/**
 * A row as Python sends it.
 *
 * @param {number} seq
 * @param {string} type
 * @param {Record<string, any>} [fields] what it holds besides, by the names below
 * @returns {WireRow}
 */
export function wireRow(seq, type, fields = {}) {
  /** @type {Record<string, any>} */
  const given = {
    ...ROW,
    time: START + seq,
    detail: JSON.stringify(fields["payload"] ?? {}, null, 2),
    ...fields,
  };
  const facts = [
    given.phase,
    given.family,
    given.status,
    given.span,
    given.parent,
    given.agent,
    given.iteration,
  ];
  const ends = [given.name, given.duration, given.error, given.inputTokens, given.outputTokens];
  return [seq, given.time, type, given.run, given.preview, given.detail, ...facts, ...ends];
}

const START = Date.UTC(2026, 0, 5, 9, 30);

/** @type {Record<string, any>} */
const ROW = {
  run: "run-A",
  preview: "",
  phase: "point",
  family: "other",
  status: null,
  span: null,
  parent: null,
  agent: null,
  iteration: null,
  name: null,
  duration: null,
  error: null,
  inputTokens: null,
  outputTokens: null,
};

/**
 * Rows as an agent would make them, one a millisecond: six make an iteration.
 *
 * @param {number} first seq of the first one
 * @param {number} count
 * @param {string} [run]
 * @returns {WireRow[]}
 */
export function agentRows(first, count, run = "run-A") {
  return Array.from({ length: count }, (_, index) => {
    const seq = first + index;
    const [type, preview, facts, payload] = AGENT_EVENTS[seq % AGENT_EVENTS.length];
    const round = Math.floor(seq / AGENT_EVENTS.length);
    const span = facts["of"] ? `${facts["of"]}-${round}` : null;
    const iteration = facts["counted"] ? round + 1 : null;
    return wireRow(seq, type, { ...facts, run, span, iteration, preview: `${preview} (${seq})`, payload });
  });
}

/** @type {[type: string, preview: string, facts: Record<string, any>, payload: Record<string, unknown>][]} */
const AGENT_EVENTS = [
  [
    "agent.model.started",
    "mock-1 · 3 messages · 2 tools",
    { phase: "start", family: "model", of: "model", counted: true, name: "mock-1" },
    { model: "mock-1", message_count: 3, tool_count: 2 },
  ],
  [
    "agent.model.completed",
    "Let me look that up: calling get_weather for both cities.",
    { phase: "end", family: "model", status: "ok", of: "model", name: "mock-1", duration: 1 },
    { content_preview: "Let me look that up.", tool_call_count: 2, model: "mock-1", duration_ms: 1 },
  ],
  [
    "agent.tokens.used",
    "812 + 64 tokens",
    { family: "model", of: "model", name: "mock-1", inputTokens: 812, outputTokens: 64 },
    { prompt_tokens: 812, completion_tokens: 64, total_tokens: 876, model: "mock-1" },
  ],
  [
    "agent.think",
    "I need the weather in Oslo and in Lima before I can compare the two.",
    { family: "think", counted: true },
    { reasoning_preview: "I need the weather.", has_tool_calls: true, tool_call_count: 2 },
  ],
  [
    "agent.tool.started",
    "get_weather(city, unit)",
    { phase: "start", family: "tool", of: "tool", name: "get_weather" },
    { tool_name: "get_weather", arg_keys: ["city", "unit"] },
  ],
  [
    "agent.tool.completed",
    "get_weather → 12 °C, light rain",
    { phase: "end", family: "tool", status: "ok", of: "tool", name: "get_weather", duration: 1 },
    {
      tool_name: "get_weather",
      success: true,
      duration_ms: 1,
      output_preview: "12 °C, light rain",
      error: null,
    },
  ],
];

/**
 * Rows of the same types, each an event of its own.
 *
 * @param {number} first seq of the first one
 * @param {number} count
 * @param {string} [run]
 * @returns {WireRow[]}
 */
export function pointRows(first, count, run = "run-A") {
  return Array.from({ length: count }, (_, index) => {
    const seq = first + index;
    const [type, preview, { family }, payload] = AGENT_EVENTS[seq % AGENT_EVENTS.length];
    return wireRow(seq, type, { family, run, preview: `${preview} (${seq})`, payload });
  });
}

export const leftovers = new Leftovers();

Object.assign(window, { FakeWidget, drawn, wireRow, agentRows, pointRows, leftovers });
