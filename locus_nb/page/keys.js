/** Which keys, pressed in a view, are for the notebook around it. */

/**
 * Whether a key is the notebook's: to leave the view, to run the cell, or with a modifier.
 *
 * @param {KeyboardEvent} event
 */
export function isForNotebook({ key, ctrlKey, metaKey, altKey, shiftKey }) {
  return ctrlKey || metaKey || altKey || key === "Escape" || (key === "Enter" && shiftKey);
}

/**
 * Keeps all other keys from the notebook, which would merge or delete the cell at some of them, and takes from a
 * slider the arrows that move it. What they do by themselves, they still do. Lumino's own attribute for that would
 * keep every key.
 *
 * @param {HTMLElement} root
 * @param {AbortSignal} signal
 */
export function keepKeys(root, signal) {
  const keep = (/** @type {KeyboardEvent} */ event) => {
    if (!isForNotebook(event)) event.stopPropagation();
  };
  root.addEventListener("keydown", keep, { signal });
}
