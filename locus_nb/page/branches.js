/** Items as a tree: runs, their iterations and agents, and the calls in them. */

/** @import { Row } from "./row.js" */
/** @import { Times } from "./times.js" */
/** @typedef {"root" | "run" | "agent" | "iteration" | "item"} Kind */

import { beginOf, isSpan } from "./times.js";

// A span that hangs deeper hangs beside the one that called it, or whoever walks the tree could walk too deep.
const MAX_DEPTH = 200;

/** @type {Branch[]} what has no children shares this, which stays empty */
const NONE = [];

/** Something that opens and closes, with what it sums up of all below it. */
export class Branch {
  /** @type {Branch[]} */
  children = NONE;
  /** @type {Map<string, Branch> | null} the runs, agents and iterations among them */
  named = null;
  /** Unix milliseconds. */
  from = Number.POSITIVE_INFINITY;
  to = Number.NEGATIVE_INFINITY;
  errors = 0;
  running = 0;
  inputTokens = 0;
  outputTokens = 0;
  /** How many stand above it. */
  depth = 0;
  /** Whether it would hang deeper than the tree is. */
  isDeeper = false;
  /** Whether the sums hold whatever the time. */
  settled = false;

  /**
   * @param {Kind} kind
   * @param {string} label
   * @param {Branch | null} parent
   * @param {Row | null} item
   */
  constructor(kind, label, parent, item = null) {
    this.kind = kind;
    this.label = label;
    this.parent = parent;
    this.item = item;
    this.depth = parent ? parent.depth + 1 : 0;
  }

  /** What tells it from all others, also after the tree was made anew. */
  /** @returns {string} */
  get key() {
    if (this.item) return String(this.item.seq);
    return `${this.parent?.key ?? ""}\n${this.kind} ${this.label}`;
  }

  /** Its children as they are shown: one agent alone needs no level of its own. */
  /** @returns {Branch[]} */
  get shown() {
    const [only] = this.children;
    return this.children.length === 1 && only.kind === "agent" ? only.shown : this.children;
  }

  /** Makes it and all above it be summed up again. */
  unsettle() {
    for (let branch = /** @type {Branch | null} */ (this); branch?.settled; branch = branch.parent) {
      branch.settled = false;
    }
  }

  /**
   * The run, agent or iteration of that name below this one.
   *
   * @param {Kind} kind
   * @param {string} label
   */
  at(kind, label) {
    const key = `${kind} ${label}`;
    this.named ??= new Map();
    let branch = this.named.get(key);
    if (!branch) {
      branch = this.add(new Branch(kind, label, this));
      this.named.set(key, branch);
    }
    return branch;
  }

  /** @param {Branch} branch */
  add(branch) {
    // Nearly all branches are leaves, and there may be a hundred thousand.
    if (this.children === NONE) this.children = [];
    this.children.push(branch);
    this.unsettle();
    return branch;
  }

  /**
   * Sums up what has changed since the last time.
   *
   * @param {Times} times
   */
  sum(times) {
    if (this.settled) return;
    this.#begin(times);
    for (const child of this.children) {
      child.sum(times);
      this.from = Math.min(this.from, child.from);
      this.to = Math.max(this.to, child.to);
      this.errors += child.errors;
      this.running += child.running;
      this.inputTokens += child.inputTokens;
      this.outputTokens += child.outputTokens;
      this.settled &&= child.settled;
    }
  }

  /** @param {Times} times */
  #begin(times) {
    const { item } = this;
    const state = item && times.stateOf(item);
    this.from = item ? beginOf(item) : Number.POSITIVE_INFINITY;
    this.to = item ? (isSpan(item) ? times.stopOf(item) : item.time) : Number.NEGATIVE_INFINITY;
    this.errors = state === "error" ? 1 : 0;
    this.running = state === "running" ? 1 : 0;
    this.inputTokens = item?.used?.inputTokens ?? 0;
    this.outputTokens = item?.used?.outputTokens ?? 0;
    this.settled = state !== "running" && state !== "open";
    if (this.kind === "run" && times.view.link.tallies.has(this.label)) {
      // Also while no call goes on, as before the first one or after the last.
      const ended = times.endedAt(this.label);
      this.to = ended ?? times.now();
      this.settled = ended !== null;
    }
  }
}

/** The tree of items, given one by one in the order of their seqs. */
export class Tree {
  root = new Branch("root", "", null);
  /** @type {Map<string, Branch>} by run and span, and by span alone */
  spans = new Map();
  /** @type {Map<Branch, string>} the iteration that each run or agent is in */
  rounds = new Map();

  /** @param {Row} item */
  take(item) {
    const { run, span, agent, family, iteration } = item;
    const above = this.#spanOf(run, item.parent);
    const owner = shallow(above);
    let base = owner ?? this.root.at("run", run);
    if (agent !== null && agent !== owner?.item?.agent) base = base.at("agent", agent);
    if (iteration !== null && (family === "model" || family === "think")) {
      this.rounds.set(base, String(iteration));
    }
    if (!isSpan(item) && item.status !== "error") {
      if (item.tokens) this.spans.get(`${run}\n${span}`)?.unsettle();
      return;
    }
    const round = this.rounds.get(base);
    if (round !== undefined && family !== "end") base = base.at("iteration", round);
    const branch = base.add(new Branch("item", "", base, item));
    branch.isDeeper = owner !== above;
    if (span === null || !isSpan(item)) return;
    this.spans.set(`${run}\n${span}`, branch);
    this.spans.set(span, branch);
  }

  /**
   * @param {string} run
   * @param {string | null} span
   */
  #spanOf(run, span) {
    if (span === null) return undefined;
    return this.spans.get(`${run}\n${span}`) ?? this.spans.get(span);
  }
}

/**
 * The branch, or the one above it below which something may still hang.
 *
 * @param {Branch | undefined} branch
 */
function shallow(branch) {
  let found = branch;
  while (found?.parent && found.depth > MAX_DEPTH) found = found.parent;
  return found;
}

/**
 * The lines of a tree, from the top.
 *
 * @typedef {{ branch: Branch, level: number, isOpen: boolean }} TreeLine
 * @param {Branch} root
 * @param {(branch: Branch, siblings: number) => boolean} isOpen
 * @returns {TreeLine[]}
 */
export function linesOf(root, isOpen) {
  /** @type {TreeLine[]} */
  const lines = [];
  const visit = (/** @type {Branch} */ parent, /** @type {number} */ level) => {
    const { shown } = parent;
    for (const branch of shown) {
      const open = branch.children.length > 0 && isOpen(branch, shown.length);
      lines.push({ branch, level, isOpen: open });
      if (open) visit(branch, level + 1);
    }
  };
  visit(root, 1);
  return lines;
}
