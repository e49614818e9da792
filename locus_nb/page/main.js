/**
 * The page side of the live views.
 *
 *     model "msg:custom" -> Link (decode, hello, ack) -> RowStore -> Fold -> Shown -> View, one per output
 *
 * A Link belongs to the widget and outlives its views, so a moved or reopened output shows its rows at
 * once, also while the kernel is busy. Filter, scroll, selection and details stay in the view.
 *
 * What comes:       line.js link.js wire.js row.js, for the monitor stats.js; kept in store.js, folded in fold.js
 * What is shown:    scene.js state.js shown.js query.js sort.js; asked.js is what Python wishes and is told
 * The frame:        view.js with header.js asks.js toolbar.js tabs.js drawer.js (eventjson.js pandas.js), twin.js
 * The table:        table.js tablerow.js errors.js list.js
 * The timeline:     timeline.js lanes.js bars.js axis.js times.js gestures.js replay.js pool.js fresh.js
 * The tree:         tree.js branches.js
 * The list of runs: runs.js runline.js tempo.js
 * The monitor:      monitor.js readers.js chart.js rates.js
 * Everywhere:       dom.js format.js keys.js signs.js
 */

/** @import { Model } from "./line.js" */

import { Link } from "./link.js";
import { Monitor } from "./monitor.js";
import { StatsLink } from "./stats.js";
import { View } from "./view.js";

/**
 * Ties a stop to the signal that anywidget gives; hosts without one call the function returned.
 *
 * @param {AbortSignal | undefined} signal
 * @param {() => void} stop
 */
function stopWith(signal, stop) {
  signal?.addEventListener("abort", stop, { once: true });
  return stop;
}

/** The widget as anywidget asks for it: called once per widget, since each call gets its own model proxy. */
export default function live() {
  /** @type {Link | StatsLink | undefined} */
  let link;
  return {
    /** @param {{ model: Model, signal?: AbortSignal }} props */
    initialize({ model, signal }) {
      const made = model.get("view") === "monitor" ? new StatsLink(model) : new Link(model);
      link = made;
      return stopWith(signal, () => made.stop());
    },

    /** @param {{ model: Model, el: HTMLElement, signal?: AbortSignal }} props */
    render({ model, el, signal }) {
      if (!link) throw new Error("The view was rendered before it was initialized; call initialize first.");
      const view = link instanceof Link ? new View(link, model, el) : new Monitor(link, model, el);
      link.hello();
      return stopWith(signal, view.stop);
    },
  };
}
