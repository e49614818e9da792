/** The table of items. */

/** @import { View } from "./view.js" */

import { element, setText } from "./dom.js";

/** A table whose rows are made as they come into sight. */
export class Table {
  node = element("div", "pane");

  /** @param {View} view */
  constructor(view) {
    this.view = view;
  }

  draw() {
    setText(this.node, String(this.view.shown.items.length));
  }

  focus() {
    this.node.focus();
  }

  stop() {}
}
