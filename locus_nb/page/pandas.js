/** Python code that gives the events which are selected here. */

/** @import { Row } from "./row.js" */

const MAX_NAMED = 300;
// How Python ends a long run id, by which it no longer finds the run; a seq alone names an event, too.
const CUT = /…[0-9a-f]{12}$/;

/**
 * Code for just these events; of more than 300, for all between the first and the last of them in their runs,
 * of which a filter may hide some.
 *
 * @param {Row[]} rows ascending by seq, at least one
 */
export function pandasFor(rows) {
  const runs = [...new Set(rows.map(({ run }) => run))];
  const areKnown = runs.length <= MAX_NAMED && !runs.some((run) => CUT.test(run));
  const name = areKnown ? (runs.length === 1 ? quoted(runs[0]) : `[${runs.map(quoted).join(", ")}]`) : "";
  const seqs = rows.map(({ seq }) => seq);
  const condition =
    seqs.length > MAX_NAMED ? `${seqs[0]} <= seq <= ${seqs.at(-1)}` : `seq in [${seqs.join(", ")}]`;
  return `from locus_nb import events_df\nevents_df(${name}).query("${condition}")`;
}

/**
 * A text as Python source, in visible ASCII: a run's name could hide what a pasted line does.
 *
 * What stands for half a character comes from Python as its escape (`\\ud800`, six characters), and is that
 * half again in the code, by which the run is known there.
 *
 * @param {string} text
 */
export function quoted(text) {
  const visible = (/** @type {string} */ character) => {
    const code = (character.codePointAt(0) ?? 0).toString(16);
    return code.length > 4 ? `\\U${code.padStart(8, "0")}` : `\\u${code.padStart(4, "0")}`;
  };
  const parts = text.split(/(\\ud[89a-f][0-9a-f]{2})/);
  const escaped = parts.map((part, index) => (index % 2 ? part : part.replace(/["\\]/g, "\\$&")));
  return `"${escaped.join("").replace(/[^ -~]/gu, visible)}"`;
}
