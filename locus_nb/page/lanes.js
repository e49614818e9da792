/** Items laid out in lanes: what a waterfall draws, line by line. */

/** @import { Row } from "./row.js" */
/**
 * A line of the waterfall. No two items of a lane overlap, but for the last lane of a group that ran out of
 * them; `items` ascend by their begin.
 *
 * @typedef {{ kind: "run" | "agent" | "marks" | "lane", run: string, label: string, family: string, items: Row[] }} Line
 */
/** @typedef {{ from: number, to: number, number: number }} Band an iteration; `to` is Infinity while it is the last */
/**
 * @typedef {object} RunLanes
 * @property {Line} head with all spans of the run, which overlap
 * @property {Line} marks
 * @property {Band[]} bands
 * @property {string | null} teller the agent whose iterations the bands are
 * @property {Map<string, { head: Line, groups: Map<string, Line[]> }>} agents
 */

import { beginOf, isSpan, titleOf } from "./times.js";

/** The height of a line, in pixels. */
export const LINE = 22;
const RANKS = ["agent", "model", "tool", "think", "end", "other"];
const MAX_PARALLEL = 12;

/**
 * Puts an item into a list at the place of its begin, which nearly always is the end.
 *
 * @param {Row[]} items
 * @param {Row} item
 */
function insert(items, item) {
  const begin = beginOf(item);
  let low = 0;
  let high = items.length;
  if (high === 0 || beginOf(items[high - 1]) <= begin) low = high;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (beginOf(items[middle]) <= begin) low = middle + 1;
    else high = middle;
  }
  items.splice(low, 0, item);
}

/**
 * The lanes of items, given one by one in the order of their seqs.
 *
 * The rule: by run, by agent where one is named, then agents' spans, model calls, each tool and every other kind
 * of span by its name, those of a kind in order of appearance. A span goes to the first lane of its group whose
 * last one has ended by then, else to a new one, up to twelve. Points go to the line of marks.
 */
export class Lanes {
  /** @type {Map<string, RunLanes>} */
  runs = new Map();
  /** Counts the lines made so far. */
  made = 0;

  /** @param {(item: Row) => Row | null} endOf the row that ended a span, if it has */
  constructor(endOf) {
    this.endOf = endOf;
  }

  /** @param {Row} item */
  take(item) {
    const run = this.#runOf(item.run);
    this.#number(run, item);
    // What tokens a span used is told with the span.
    if (item.phase === "point" && item.tokens && item.span !== null) return;
    if (!isSpan(item)) {
      insert(run.marks.items, item);
      return;
    }
    insert(run.head.items, item);
    insert(this.#laneOf(run, item).items, item);
  }

  /**
   * The lines from the top.
   *
   * @param {(run: string) => boolean} isOpen whether a run shows its lanes, or only its head
   */
  *lines(isOpen) {
    for (const { head, marks, agents } of this.runs.values()) {
      yield head;
      if (!isOpen(head.run)) continue;
      if (marks.items.length > 0) yield marks;
      for (const agent of agents.values()) {
        if (agent.head.label) yield agent.head;
        const groups = [...agent.groups.values()];
        groups.sort(([a], [b]) => RANKS.indexOf(a.family) - RANKS.indexOf(b.family));
        for (const lanes of groups) yield* lanes;
      }
    }
  }

  /**
   * @param {Line["kind"]} kind
   * @param {string} run
   * @param {string} label
   * @param {string} [family]
   * @returns {Line}
   */
  #line(kind, run, label, family = "other") {
    this.made++;
    return { kind, run, label, family, items: [] };
  }

  /** @param {string} id */
  #runOf(id) {
    let run = this.runs.get(id);
    if (!run) {
      const head = this.#line("run", id, id);
      const marks = this.#line("marks", id, "events");
      run = { head, marks, bands: [], teller: null, agents: new Map() };
      this.runs.set(id, run);
    }
    return run;
  }

  /**
   * @param {RunLanes} run
   * @param {Row} item
   */
  #laneOf({ agents }, item) {
    const name = item.agent ?? "";
    let agent = agents.get(name);
    if (!agent) {
      agent = { head: this.#line("agent", item.run, name, "agent"), groups: new Map() };
      agents.set(name, agent);
    }
    const label = item.family === "model" ? "model" : titleOf(item);
    const key = `${item.family}\n${label}`;
    const lanes = agent.groups.get(key) ?? [];
    agent.groups.set(key, lanes);
    const begin = beginOf(item);
    let lane = lanes.find((one) => this.#isFree(one, begin));
    if (!lane && lanes.length < MAX_PARALLEL) {
      lane = this.#line("lane", item.run, lanes.length === 0 ? label : "", item.family);
      lanes.push(lane);
    }
    return lane ?? lanes[MAX_PARALLEL - 1];
  }

  /**
   * @param {Line} lane
   * @param {number} time
   */
  #isFree(lane, time) {
    const last = /** @type {Row} */ (lane.items.at(-1));
    const end = last.phase === "start" ? this.endOf(last) : last;
    // Of two that begin at once neither waits for the other, however short it was.
    return end !== null && Math.max(end.time, beginOf(last)) <= time && beginOf(last) < time;
  }

  /**
   * Begins a band when the run's first agent begins an iteration, and ends it when that agent terminates.
   *
   * @param {RunLanes} run
   * @param {Row} item
   */
  #number(run, { iteration, family, agent, time }) {
    const last = run.bands.at(-1);
    const isOver = last === undefined || last.to !== Number.POSITIVE_INFINITY;
    if (family === "end" && !isOver && agent === run.teller) last.to = Math.max(time, last.from);
    if (iteration === null || (family !== "model" && family !== "think")) return;
    if (!last) run.teller = agent;
    if (agent !== run.teller || (!isOver && iteration <= last.number)) return;
    const from = Math.max(time, last?.from ?? time);
    if (last && !isOver) last.to = from;
    run.bands.push({ from, to: Number.POSITIVE_INFINITY, number: iteration });
  }
}

/**
 * The lanes of these items.
 *
 * @param {Row[]} items ascending by seq
 * @param {(item: Row) => Row | null} [endOf]
 */
export function layOut(items, endOf = (item) => item.end) {
  const lanes = new Lanes(endOf);
  for (const item of items) lanes.take(item);
  return lanes;
}

/**
 * What is drawn as one: an item, or several that are too close to be told apart.
 *
 * @typedef {{ x: number, end: number, item: Row, weight: number, count: number, error: boolean, chosen: boolean }} Piece
 */

/**
 * The pieces of a line, in pixels from the left of the window.
 *
 * @param {Row[]} items ascending by their begin
 * @param {object} how
 * @param {number} how.from Unix milliseconds at pixel 0
 * @param {number} how.scale pixels per millisecond
 * @param {number} how.width pixels
 * @param {number} how.melt pixels under which two begins are one piece
 * @param {number} how.most pieces at most
 * @param {number} how.until Unix milliseconds; what begins later is left out
 * @param {(item: Row) => Row | null} how.endOf
 * @param {(item: Row) => number} how.stopOf of what has no end
 * @param {(item: Row, width: number) => number} how.weigh the heaviest of a crowd stands for it
 * @param {(item: Row) => boolean} how.isChosen whether it is selected
 * @returns {Piece[]} ascending by x
 */
export function meltLine(items, how) {
  const { from, scale, width, melt, most, until, endOf, stopOf, weigh, isChosen } = how;
  /** @type {Piece[]} */
  let pieces = [];
  for (const item of items) {
    const x = (beginOf(item) - from) * scale;
    if (x > width || beginOf(item) > until) break;
    const row = endOf(item);
    const end = Math.max(x, ((row ? row.time : stopOf(item)) - from) * scale);
    if (end < 0) continue;
    const weight = weigh(item, end - x);
    const error = (row ?? item).status === "error";
    add(pieces, { x, end, item, weight, count: 1, error, chosen: isChosen(item) }, melt);
  }
  for (let wider = 2 * melt; pieces.length > most; wider *= 2) {
    /** @type {Piece[]} */
    const fewer = [];
    for (const piece of pieces) add(fewer, piece, wider);
    pieces = fewer;
  }
  return pieces;
}

/**
 * Adds a piece to those before it, or joins it to the last one. Then an error stands for both before anything
 * else does.
 *
 * @param {Piece[]} pieces
 * @param {Piece} piece
 * @param {number} melt
 */
function add(pieces, piece, melt) {
  const last = pieces[pieces.length - 1];
  if (!last || Math.max(piece.x, 0) - Math.max(last.x, 0) >= melt) {
    pieces.push(piece);
    return;
  }
  if (piece.error === last.error ? piece.weight > last.weight : piece.error) {
    last.item = piece.item;
    last.weight = piece.weight;
    last.error = piece.error;
  }
  last.count += piece.count;
  last.end = Math.max(last.end, piece.end);
  last.chosen ||= piece.chosen;
}
