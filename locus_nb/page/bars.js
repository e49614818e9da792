/** The spans and marks of one line of the timeline. */

/** @import { Line, Piece } from "./lanes.js" */
/** @import { Timeline } from "./timeline.js" */

import { spell } from "./axis.js";
import { count } from "./format.js";
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
    this.spans = new Pool(timeline.plot, "span");
    this.marks = new Pool(timeline.plot, "mark");
  }

  /**
   * Draws the items of a line.
   *
   * @param {Line} line
   * @param {number} index of the line
   * @param {number} most bars at most
   * @returns {Piece[]} what was drawn, ascending by x
   */
  draw(line, index, most) {
    const { times, window, width, view } = this.timeline;
    const isMarks = line.kind === "marks";
    const pieces = meltLine(this.timeline.itemsOf(line), {
      from: window.from,
      scale: width / window.length,
      width,
      melt: isMarks ? MARK : MELT,
      most,
      until: times.until,
      stopOf: (item) => (isMarks ? item.time : times.stopOf(item)),
      weigh: (item, length) => (isMarks ? RANKS.indexOf(item.family) : length),
      isError: (item) => times.stateOf(item) === "error",
      isChosen: (item) => view.state.isSelected(item),
    });
    for (const [at, piece] of pieces.entries()) {
      if (isMarks) this.#drawMark(piece, index);
      else this.#drawSpan(piece, line, index, pieces[at + 1]?.x);
    }
    return pieces;
  }

  rest() {
    this.spans.rest();
    this.marks.rest();
  }

  /**
   * @param {Piece} piece
   * @param {number} index
   */
  #drawMark({ x, end, item, count: number, error, chosen }, index) {
    const looks = [error ? "error" : item.family, chosen && "chosen", number > 1 && "crowd"];
    this.marks.put(
      place(x - MARK / 2, index * LINE + 6, Math.max(MARK, end - x)),
      error ? "✕" : "",
      looks,
      item.family,
    );
  }

  /**
   * @param {Piece} piece
   * @param {Line} line
   * @param {number} index
   * @param {number} [next] where the next piece begins, in pixels
   */
  #drawSpan(piece, line, index, next) {
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
    this.spans.put(place(x, index * LINE + 3, width), text, looks, item.family);
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
    return { inside: sign ? [sign] : [], beside: isLast ? spell(length) : "" };
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
    const short = sign + (isNever ? "never completed" : spell(times.lengthOf(item)));
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
function place(x, y, width) {
  return `transform:translate(${x.toFixed(1)}px,${y}px);width:${width.toFixed(1)}px`;
}

/** @param {import("./query.js").State} state */
function signOf(state) {
  return state && state !== "ok" && state !== "running" ? `${SIGNS[state]} ` : "";
}
