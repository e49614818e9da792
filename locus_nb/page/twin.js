/** The static twin of a view, which stays in the notebook when the page has gone. */

/**
 * The rules that hide a view's static twin while the view is on the page.
 *
 * @param {string} twin the twin's class
 */
export function twinRules(twin) {
  if (!twin) return "";
  const name = CSS.escape(twin);
  // Only the innermost output: an output may hold others, and the view among them.
  const output = `.jp-OutputArea-child:has(.${name}):not(:has(.jp-OutputArea-child .${name}))`;
  // Two rules: a browser that does not know :has() must still follow the first.
  return `.${name} { display: none !important } ${output} { display: none !important }`;
}
