/** Python code that gives the events which are selected here. */

/** @import { Row } from "./row.js" */

/**
 * Code for the rows' events; for a range of seqs by its ends.
 *
 * @param {Row[]} rows
 * @param {[first: number, last: number] | null} range
 */
export function pandasFor(rows, range) {
  const runs = new Set(rows.map(({ run }) => run));
  const frame = `events_df(${runs.size === 1 ? quoted([...runs][0]) : ""})`;
  const seqs = rows.map(({ seq }) => seq);
  const condition = range
    ? `${range[0]} <= seq <= ${range[1]}`
    : seqs.length === 1
      ? `seq == ${seqs[0]}`
      : `seq in [${seqs.join(", ")}]`;
  return `${frame}.query("${condition}")`;
}

/**
 * A text as Python source, in visible ASCII: a run's name could hide what a pasted line does.
 *
 * @param {string} text
 */
export function quoted(text) {
  const visible = (/** @type {string} */ character) => {
    const code = (character.codePointAt(0) ?? 0).toString(16);
    return code.length > 4 ? `\\U${code.padStart(8, "0")}` : `\\u${code.padStart(4, "0")}`;
  };
  return `"${text.replace(/["\\]/g, "\\$&").replace(/[^ -~]/gu, visible)}"`;
}
