/** What Python asks of a view, and what it is told of it. */

/** @import { View } from "./view.js" */

const MAX_TOLD = 10_000;

/** One view's side of that. What has been fulfilled is known to the link, which outlives the view. */
export class Asked {
  #view;
  /** The number of the newest wish that this view has seen to, or that was fulfilled before it was made. */
  #wished;
  /** Whether all that Python had was here once: a page is made with that, and it is not new to it. */
  #complete = false;
  /** The last that Python was told. */
  #told = "";

  /** @param {View} view */
  constructor(view) {
    this.#view = view;
    this.#wished = view.link.fulfilled;
  }

  /** Does what Python has asked for, once: what the user does afterwards stays. */
  grant() {
    const { link, state } = this.#view;
    this.#complete ||= link.heard && link.store.head >= link.last;
    for (const { n, filter, paused } of link.wishes) {
      if (n <= this.#wished) continue;
      if (paused && !this.#complete) return;
      this.#wished = n;
      link.fulfilled = Math.max(link.fulfilled, n);
      if (filter !== null) state.set({ filter });
      if (paused !== null) this.#view.pause(paused);
    }
  }

  /** Tells Python how the view stands, at first and whenever something differs from the last time. */
  tell() {
    const { link, state } = this.#view;
    const { filter, paused, run } = state;
    const selected = this.#view.selectedRows(MAX_TOLD).map(({ seq }) => seq);
    const told = { selected, filter, paused, run, wish: link.fulfilled };
    const text = JSON.stringify(told);
    if (text === this.#told) return;
    this.#told = text;
    link.tell(told);
  }
}
