/** The tabs of a view, and the panel that shows one of them. */

/** @import { TabName } from "./state.js" */
/** @import { View } from "./view.js" */

import { element } from "./dom.js";

/** @type {Record<TabName, string>} */
const TITLES = { table: "Table", timeline: "Timeline", tree: "Tree" };

let bars = 0;

export class Tabs {
  /** @type {View} */
  #view;
  /** @type {Map<TabName, HTMLElement>} */
  #buttons = new Map();
  node = element("div", "tabs", { role: "tablist", "aria-label": "Views" });
  panel = element("div", "panel", { role: "tabpanel" });
  #id = `lo-tabs-${++bars}`;

  /** @param {View} view */
  constructor(view) {
    this.#view = view;
    const names = /** @type {TabName[]} */ (Object.keys(TITLES)).filter((name) => view.tabs[name]);
    for (const name of names) this.#buttons.set(name, this.#makeButton(name));
    this.panel.id = `${this.#id}-panel`;
    this.node.append(...this.#buttons.values());
    this.node.addEventListener("keydown", (event) => this.#keyed(event), { signal: view.signal });
    for (const name of names) this.panel.append(view.tabs[name]?.node ?? "");
  }

  /** @param {TabName} name */
  #makeButton(name) {
    const id = `${this.#id}-${name}`;
    const button = element("button", "tab", { type: "button", role: "tab", id }, TITLES[name]);
    button.setAttribute("aria-controls", `${this.#id}-panel`);
    button.addEventListener("click", () => this.#view.state.set({ tab: name }), {
      signal: this.#view.signal,
    });
    return button;
  }

  draw() {
    const { tab } = this.#view.state;
    this.panel.setAttribute("aria-labelledby", `${this.#id}-${tab}`);
    for (const [name, button] of this.#buttons) {
      button.setAttribute("aria-selected", String(name === tab));
      button.tabIndex = name === tab ? 0 : -1;
      const node = this.#view.tabs[name]?.node;
      if (node) node.hidden = name !== tab;
    }
  }

  /** @param {KeyboardEvent} event */
  #keyed(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const names = [...this.#buttons.keys()];
    const now = names.indexOf(this.#view.state.tab);
    /** @type {Record<string, number>} */
    const targets = {
      ArrowRight: now + 1,
      ArrowLeft: now - 1 + names.length,
      Home: 0,
      End: names.length - 1,
    };
    const target = targets[event.key];
    if (target === undefined) return;
    const tab = names[target % names.length];
    this.#view.state.set({ tab });
    this.#buttons.get(tab)?.focus();
    event.preventDefault();
    event.stopPropagation();
  }
}
