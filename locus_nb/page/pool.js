/** Nodes that are used again with every draw. */

import { element, setText } from "./dom.js";

/** @typedef {{ node: HTMLElement, label: HTMLElement | null, key: string }} Spot */

/** Absolutely positioned nodes with a text each: `put` as many as a draw needs, then `rest`. */
export class Pool {
  /** @type {Spot[]} */
  spots = [];
  used = 0;

  /**
   * @param {HTMLElement} parent
   * @param {string} name the part of the view that the nodes are
   */
  constructor(parent, name) {
    this.parent = parent;
    this.name = name;
  }

  /**
   * @param {string} style
   * @param {string} text
   * @param {unknown[]} [looks] words for `data-look`, which the style sheet knows; others than texts are left out
   * @param {string} [family]
   */
  put(style, text, looks = [], family = "") {
    const look = looks.filter(Boolean).join(" ");
    const spot = this.spots[this.used++] ?? this.#make();
    const key = `${style}\n${look}\n${family}\n${text}`;
    if (spot.key === key) return;
    if (spot.key === "") spot.node.hidden = false;
    spot.key = key;
    spot.node.style.cssText = style;
    spot.node.dataset["look"] = look;
    if (family) spot.node.dataset["family"] = family;
    else delete spot.node.dataset["family"];
    // Most bars have no text, and so no need of a node for it.
    if (text) spot.label ??= spot.node.appendChild(document.createElement("span"));
    if (spot.label) setText(spot.label, text);
  }

  /** Hides the nodes that this draw did not need. */
  rest() {
    for (let index = this.used; index < this.spots.length && this.spots[index].key !== ""; index++) {
      this.spots[index].key = "";
      this.spots[index].node.hidden = true;
    }
    this.used = 0;
  }

  #make() {
    const node = element("div", this.name);
    /** @type {Spot} */
    const spot = { node, label: null, key: "" };
    this.parent.append(node);
    this.spots.push(spot);
    return spot;
  }
}
