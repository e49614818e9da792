/** How things stand, told by shape beside colour. */

/** @typedef {NonNullable<import("./query.js").State>} Known */

/** @type {Record<Known, string>} */
export const SIGNS = { ok: "✓", error: "✕", interrupted: "■", running: "●", open: "○" };

/**
 * As the filter takes them, but for the last, which is `open` there.
 *
 * @type {Record<Known, string>}
 */
export const WORDS = {
  ok: "ok",
  error: "error",
  interrupted: "interrupted",
  running: "running",
  open: "never completed",
};
