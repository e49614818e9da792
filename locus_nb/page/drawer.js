/** What is known of the selected item: its facts and its payload, to read and to copy. */

/** @import { Row } from "./row.js" */
/** @import { View } from "./view.js" */

import { element, setText } from "./dom.js";
import { eventJson, eventsJson, isCut } from "./eventjson.js";
import { count, counted, formatDate, formatDuration, formatTime } from "./format.js";
import { pandasFor } from "./pandas.js";
import { SIGNS, WORDS } from "./signs.js";
import { firstSeen, NAMELESS, plain } from "./times.js";

const COPIED_MS = 1_500;
const MAX_COPIED = 10_000;
const ONLY = ": of large payloads only the beginning";

/** An event with the words over it. */
class Part {
  title = element("div", "part-title");
  text = element("div", "payload", { role: "group", tabindex: "0" });
  node = element("div", "part", {}, this.title, this.text);
  /** @type {Row | null} */
  row = null;

  /**
   * @param {Row | null} row
   * @param {boolean} isAlone the head of the drawer says all of it
   */
  show(row, isAlone) {
    this.node.hidden = row === null;
    this.title.hidden = isAlone;
    if (row === this.row) return;
    this.row = row;
    const type = firstSeen(row?.type ?? "", NAMELESS);
    setText(this.title, row ? `#${row.seq} · ${formatTime(row.time)} · ${type}` : "");
    setText(this.text, row ? eventJson(row) : "");
    this.text.setAttribute("aria-label", row ? `JSON of ${type}` : "");
    this.text.scrollTop = 0;
  }
}

export class Drawer {
  /** @type {View} */
  #view;
  #seq = element("span", "seq");
  #type = element("strong", "type");
  #sign = element("span", "sign");
  #facts = element("span", "drawer-facts");
  #copied = element("span", "copied", { role: "status" });
  #copying = element("button", "copy", { type: "button" }, "Copy");
  #pandas = element("button", "pandas", {
    type: "button",
    title: "Copy Python code that gives these events",
  });
  #closing = element("button", "close", { type: "button", "aria-label": "Close details", title: "Esc" }, "×");
  #parts = [new Part(), new Part()];
  #payloads = element("div", "payloads", {}, ...this.#parts.map(({ node }) => node));
  #shownFacts = "";
  #timer = 0;

  /** @param {View} view */
  constructor(view) {
    this.#view = view;
    this.#pandas.append("Copy as pandas");
    const buttons = element("span", "buttons", {}, this.#copied, this.#copying, this.#pandas, this.#closing);
    const head = element("div", "details-head", {}, this.#seq, this.#sign, this.#type, this.#facts, buttons);
    this.node = element("section", "details", { "aria-label": "Event details" }, head, this.#payloads);
    this.node.hidden = true;
    const { signal } = view;
    this.#copying.addEventListener("click", () => this.#copyEvents(), { signal });
    this.#pandas.addEventListener("click", () => this.#copy(pandasFor(this.#rows())), { signal });
    this.#closing.addEventListener("click", () => this.close(), { signal });
  }

  close() {
    this.#view.state.set({ open: false });
    this.#view.focus();
  }

  draw() {
    const view = this.#view;
    const { selected: item, open } = view.state;
    this.node.hidden = !open || item === null;
    if (item === null || !open) return;
    const last = view.endOf(item) ?? view.chunkOf(item)?.chunk ?? null;
    const state = view.stateOf(item);
    setText(this.#seq, `#${item.seq}`);
    setText(this.#sign, state ? SIGNS[state] : "");
    this.#sign.title = state ? WORDS[state] : "";
    this.node.dataset["state"] = state ?? "";
    this.node.dataset["family"] = item.family;
    setText(this.#type, firstSeen(view.typeOf(item), NAMELESS));
    this.#showFacts(this.#factsOf(item));
    const other = last === item ? null : last;
    this.#parts[0].show(item, other === null);
    this.#parts[1].show(other, false);
    this.#copying.title = `Copy as JSON${[item, other].some((row) => row && isCut(row)) ? ONLY : ""}`;
  }

  /** @param {string[]} facts each in an element of its own, so that no name turns the others around */
  #showFacts(facts) {
    const key = facts.join("\n");
    if (key === this.#shownFacts) return;
    this.#shownFacts = key;
    this.#facts.replaceChildren(...facts.map((fact) => element("span", "drawer-fact", {}, plain(fact))));
  }

  /** @param {Row} item */
  #factsOf(item) {
    const view = this.#view;
    const state = view.stateOf(item);
    const elapsed = view.elapsed(item);
    const { tokens } = item;
    const facts = [view.nameOf(item.run), `${formatDate(item.time)} ${formatTime(item.time)}`];
    if (elapsed !== null) facts.push(formatDuration(elapsed));
    if (state !== null) facts.push(WORDS[state]);
    if (item.name) facts.push(item.name);
    if (item.agent) facts.push(item.agent);
    if (item.iteration !== null) facts.push(`iteration ${item.iteration}`);
    if (tokens)
      facts.push(`${count(tokens.inputTokens ?? 0)} + ${counted(tokens.outputTokens ?? 0, "token")}`);
    return facts;
  }

  #rows() {
    return this.#view.selectedRows(MAX_COPIED);
  }

  #copyEvents() {
    const rows = this.#rows();
    this.#copy(eventsJson(rows), rows.some(isCut) ? ONLY : "");
  }

  /**
   * @param {string} text
   * @param {string} [what] more to say of it
   */
  async #copy(text, what = "") {
    const isDone = await copyText(text, this.node);
    if (this.#view.signal.aborted) return;
    setText(this.#copied, isDone ? `copied${what}` : "the browser does not allow copying");
    clearTimeout(this.#timer);
    this.#timer = window.setTimeout(() => setText(this.#copied, ""), COPIED_MS);
  }

  stop() {
    clearTimeout(this.#timer);
  }
}

/**
 * @param {string} text
 * @param {Element} near
 * @returns {Promise<boolean>} whether it is in the clipboard
 */
async function copyText(text, near) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // Without HTTPS or in a frame that may not, the old way still works.
    return copyBySelection(text, near);
  }
}

/**
 * @param {string} text
 * @param {Element} near
 */
function copyBySelection(text, near) {
  const { activeElement } = document;
  const area = element("textarea", "clipboard", { "aria-hidden": "true", tabindex: "-1" });
  area.value = text;
  near.append(area);
  area.select();
  const isDone = document.execCommand("copy");
  area.remove();
  if (activeElement instanceof HTMLElement) activeElement.focus({ preventScroll: true });
  return isDone;
}
