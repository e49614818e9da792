/** The spans and marks of one line of the timeline. */

/** @import { Line, Piece } from "./lanes.js" */
/** @import { Timeline } from "./timeline.js" */

import { count, formatDuration } from "./format.js";
import { LINE, meltLine } from "./lanes.js";
import { Pool } from "./pool.js";
import { SIGNS } from "./signs.js";
import { beginOf, titleOf } from "./times.js";

const MELT = 2;
const MARK = 9;
const CHAR = 6.4;
/** Of marks that are too close to be told apart, the last of these is drawn. */
const RANKS = ["model", "tool", "other", "agent", "think", "end"];

/** @param {string} text */
export const widthOf = (text) => text.length * CHAR + 10;

/** Draws a timeline's bars into nodes that are used again. */
export class Bars {
  /** @param {Timeline} timeline */
  constructor(timeline) {
    this.timeline = timeline;
    /** @type {{ spans: Pool, marks: Pool }[]} of each line in sight, so that most bars keep their nodes */
    this.pools = [];
    /** @type {WeakMap<Line, { key: string, among: unknown, pieces: Piece[] }>} */
    this.known = new WeakMap();
  }

  /**
   * Draws the items of a line.
   *
   * @param {Line} line
   * @param {number} index of the line
   * @param {number} place of the line among those in sight
   * @param {number} most bars at most
   * @returns {Piece[]} what was drawn, ascending by x
   */
  draw(line, index, place, most) {
    const pieces = this.#piecesOf(line, most);
    const isMarks = line.kind === "marks";
    const { plot } = this.timeline;
    this.pools[place] ??= { spans: new Pool(plot, "span"), marks: new Pool(plot, "mark") };
    const { spans, marks } = this.pools[place];
    for (const [at, piece] of pieces.entries()) {
      if (isMarks) this.#drawMark(marks, piece, index);
      else this.#drawSpan(spans, piece, line, index, pieces[at + 1]?.x);
    }
    return pieces;
  }

  /**
   * The pieces of a line; those of before, if nothing in it has changed but the time.
   *
   * @param {Line} line
   * @param {number} most
   */
  #piecesOf(line, most) {
    const { times, window, width, view } = this.timeline;
    const { selected, range, among, until } = view.state;
    const [first, last] = range ?? [selected?.seq ?? 0, selected?.seq ?? 0];
    const isMarks = line.kind === "marks";
    const items = this.timeline.itemsOf(line);
    const news = [items.length, view.link.fold.logged, until, times.until];
    const key = String([...news, window.from, window.length, width, most, first, last]);
    const known = this.known.get(line);
    if (known?.key === key && known.among === among) return known.pieces;
    let grows = false;
    const pieces = meltLine(items, {
      from: window.from,
      scale: width / window.length,
      width,
      melt: isMarks ? MARK : MELT,
      most,
      until: times.until,
      endOf: (item) => (isMarks ? item : times.endOf(item)),
      stopOf: (item) => {
        grows = true;
        return times.stopOf(item);
      },
      weigh: (item, length) => (isMarks ? RANKS.indexOf(item.family) : length),
      isChosen: (item) => among?.has(item) ?? (first <= item.seq && item.seq <= last),
    });
    if (grows) this.known.delete(line);
    else this.known.set(line, { key, among, pieces });
    return pieces;
  }

  rest() {
    for (const { spans, marks } of this.pools) {
      spans.rest();
      marks.rest();
    }
  }

  /**
   * @param {Pool} pool
   * @param {Piece} piece
   * @param {number} index
   */
  #drawMark(pool, { x, end, item, count: number, error, chosen }, index) {
    const looks = [error ? "error" : item.family, chosen && "chosen", number > 1 && "crowd"];
    // What happened at the very beginning is seen as a whole, too.
    const left = x < 0 ? x - MARK / 2 : Math.max(x - MARK / 2, 0);
    pool.put(styleOf(left, index * LINE + 6, Math.max(MARK, end - x)), error ? "✕" : "", looks, item.family);
  }

  /**
   * @param {Pool} pool
   * @param {Piece} piece
   * @param {Line} line
   * @param {number} index
   * @param {number} [next] where the next piece begins, in pixels
   */
  #drawSpan(pool, piece, line, index, next) {
    const { times, width: full } = this.timeline;
    const { item, error, chosen, count: number } = piece;
    const state = error ? "error" : times.stateOf(item);
    const sign = signOf(state);
    const x = Math.max(piece.x, -6);
    const end = Math.min(piece.end, full + 6);
    const width = Math.max(end - x, MELT);
    const isCrowd = number > 1 && piece.weight < 0.8 * (piece.end - piece.x);
    const room = Math.min(next ?? full, full) - end;
    const { inside, beside } =
      line.kind === "run"
        ? this.#total(piece, line, sign, next === undefined)
        : this.#captions(piece, sign, isCrowd);
    const fits = inside.find((text) => widthOf(text) <= width);
    const isOut = fits === undefined && beside !== "" && widthOf(beside) <= room;
    const looks = [state, isCrowd && "crowd", chosen && "chosen", isOut && "out", width < 8 && "thin"];
    const text = fits ?? (isOut ? beside : width < 14 ? "" : sign);
    pool.put(styleOf(x, index * LINE + 3, width), text, looks, item.family);
  }

  /**
   * What may stand in a closed run, and how long all of it took, which stands after its last piece.
   *
   * @param {Piece} piece
   * @param {Line} line
   * @param {string} sign
   * @param {boolean} isLast
   */
  #total({ end }, { items }, sign, isLast) {
    const length = Math.max(0, this.timeline.timeAt(end) - beginOf(items[0]));
    return { inside: sign ? [sign] : [], beside: isLast ? formatDuration(length) : "" };
  }

  /**
   * What may stand inside of a bar, the best first, and beside it.
   *
   * @param {Piece} piece
   * @param {string} sign
   * @param {boolean} isCrowd
   */
  #captions({ item, count: number }, sign, isCrowd) {
    const { times } = this.timeline;
    if (isCrowd) return { inside: [`${sign}×${count(number)}`], beside: "" };
    const isNever = times.stateOf(item) === "open";
    const short = sign + (isNever ? "never completed" : formatDuration(times.lengthOf(item)));
    // A name that reads from right to left must not turn what follows it around.
    const full = `${sign}\u2068${titleOf(item).slice(0, 60)}\u2069  ${short.slice(sign.length)}`;
    return { inside: [full, short], beside: short };
  }
}

/**
 * @param {number} x
 * @param {number} y
 * @param {number} width
 */
function styleOf(x, y, width) {
  return `transform:translate(${x.toFixed(1)}px,${y}px);width:${width.toFixed(1)}px`;
}

/** @param {import("./query.js").State} state */
function signOf(state) {
  return state && state !== "ok" && state !== "running" ? `${SIGNS[state]} ` : "";
}
