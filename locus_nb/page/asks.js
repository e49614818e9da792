/** The questions to the user that are open, each with what it may be answered by. */

/** @import { Link } from "./link.js" */
/** @import { View } from "./view.js" */
/** @import { Question } from "./wire.js" */
/** @typedef {{ option: number } | { text: string }} Answer */

import { element, setText } from "./dom.js";
import { firstSeen, NAMELESS, visible } from "./times.js";

const SECOND_MS = 1_000;
/** So soon Python says that a question is over, if it hears the answer. */
const HEARD_MS = 3_000;

/** One question: buttons for its options, a box for other words. */
class Ask {
  #question;
  #view;
  #run = element("b", "asker", { dir: "auto" });
  #left = element("span", "count lo-left");
  #note = element("span", "count lo-heard", { role: "status" });
  #input = element("textarea", "answer", { rows: "1", "aria-label": "Answer", maxlength: "10000" });
  #isOver = false;
  /** @type {Answer | null} what was sent, and is sent again until it is heard or somebody changes it */
  #answer = null;
  /** When it was sent first, and last, by `performance.now()`. */
  #sentAt = Number.NEGATIVE_INFINITY;
  #againAt = 0;

  /**
   * @param {Question} question
   * @param {View} view
   */
  constructor(question, view) {
    this.#question = question;
    this.#view = view;
    const { text, options, fallback, free } = question;
    const buttons = options.map((option, index) => {
      const label = firstSeen(option, NAMELESS);
      const button = element("button", "option", { type: "button", title: label }, label);
      if (option === fallback) button.append(element("span", "count", {}, " default"));
      this.#listen(button, () => this.#send({ option: index }));
      return button;
    });
    this.#input.placeholder = options.length > 0 ? "or in your own words" : "Your answer";
    const send = element("button", "send", { type: "button" }, "Send");
    this.#listen(send, () => this.#sendText());
    this.#input.addEventListener("keydown", (event) => this.#keyed(event), { signal: view.signal });
    this.#input.addEventListener("input", () => this.#takeBack(), { signal: view.signal });
    this.node = element(
      "div",
      "bar lo-ask",
      { role: "group", "aria-label": "Question to you" },
      this.#run,
      // Said aloud when it comes; what is typed elsewhere goes on.
      element("div", "asked", { role: "alert", dir: "auto" }, visibleLines(text)),
      ...buttons,
      ...(free ? [this.#input, send] : []),
      this.#left,
      this.#note,
    );
    this.node.dataset["question"] = question.id;
  }

  /**
   * @param {HTMLElement} button
   * @param {() => void} act
   */
  #listen(button, act) {
    button.addEventListener("click", act, { signal: this.#view.signal });
  }

  /** @param {KeyboardEvent} event */
  #keyed(event) {
    // Safari ends a composition before the key that ends it, to which it gives this code.
    const isComposing = event.isComposing || event.keyCode === 229;
    if (event.key !== "Enter" || isComposing || event.ctrlKey || event.metaKey) return;
    if (event.shiftKey) {
      // Another line: the notebook would run the cell.
      event.stopPropagation();
    } else {
      event.preventDefault();
      this.#sendText();
    }
  }

  #sendText() {
    if (this.#isOver) return;
    const text = this.#input.value;
    if (text.trim()) this.#send({ text });
    else this.#input.focus();
  }

  /** @param {Answer} answer */
  #send(answer) {
    this.#answer = answer;
    this.#sentAt = performance.now();
    this.#sendAgain();
    this.draw(this.#question);
  }

  /** Sends the answer no more, because another one is on its way. */
  #takeBack() {
    this.#answer = null;
    this.#sentAt = Number.NEGATIVE_INFINITY;
  }

  /** Sends the answer again if it seems to be lost: before JupyterLab has a subshell it waits for the cell's end. */
  remind() {
    if (this.#answer && performance.now() - this.#againAt >= HEARD_MS) this.#sendAgain();
  }

  #sendAgain() {
    this.#againAt = performance.now();
    this.#view.link.send({ kind: "answer", id: this.#question.id, ...this.#answer });
  }

  /** @param {Question} question as it is now */
  draw(question) {
    const { link, model } = this.#view;
    this.#question = question;
    const { run, fallback, options, ends, keyboard, heard } = question;
    this.#run.hidden = model.get("view") !== "runs" || run === "";
    setText(this.#run, firstSeen(this.#view.nameOf(run), run, NAMELESS));
    // Its time goes on also where nothing more is heard.
    const seconds = Math.max(0, Math.ceil((ends - link.toldAt - link.silence) / SECOND_MS));
    const time = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
    const otherwise =
      fallback === null || options.includes(fallback) ? "" : `, else “${firstSeen(fallback)}”`;
    setText(this.#left, `${time} left${otherwise}`);
    const isSent = performance.now() - this.#sentAt < HEARD_MS;
    const isDeaf = keyboard && !heard;
    const inputs = this.node.querySelectorAll("button, textarea");
    for (const node of inputs) node.toggleAttribute("disabled", isSent || isDeaf);
    const late = this.#answer ? "The kernel has not taken the answer yet; it is sent again." : "";
    const quiet = link.isQuiet ? "Nothing is heard from the kernel." : late;
    const elsewhere = keyboard ? "The cell asks for it in a box of its own, too." : quiet;
    const there = "Answer in the box of the cell: no click gets through to the kernel while it waits there.";
    setText(this.#note, isDeaf ? there : isSent ? "Sent …" : elsewhere);
  }

  /**
   * Hears that the question is over, or that no answer gets through any more. What somebody was typing stays, with
   * a word on why nobody takes it, until it is put away.
   *
   * @param {string} cut why nothing gets through; "" if the question is over
   * @returns {boolean} whether the form stays
   */
  end(cut) {
    if (this.#isOver) return true;
    // What was sent was taken, unless it may not have come through.
    const isTaken = this.#answer && !cut;
    if (isTaken || !this.#input.value.trim()) return false;
    this.#isOver = true;
    this.node.dataset["state"] = "over";
    const { id, run, ends } = this.#question;
    const { link } = this.#view;
    const answer = link.fold.find(run, id)?.end?.preview;
    const why = ends <= link.toldAt ? "time was over" : "answered elsewhere, or no longer asked";
    for (const button of this.node.querySelectorAll("button")) button.remove();
    const close = element("button", "send", { type: "button" }, "Close");
    this.#listen(close, () => this.node.remove());
    this.node.append(close);
    this.#left.remove();
    // Typing goes on in it: elsewhere it would command the notebook.
    this.#input.removeAttribute("disabled");
    setText(this.#note, cut ? `Nobody hears it: ${cut}` : `Over: ${answer ?? why}`);
    return true;
  }

  /**
   * Goes on with what was typed in a form that was cut off.
   *
   * @param {Ask} other
   */
  replace(other) {
    const isTyping = other.#input.matches(":focus");
    this.#input.value = other.#input.value;
    other.node.remove();
    if (isTyping) this.#input.focus();
  }

  get isOver() {
    return this.#isOver;
  }

  /** Whether somebody has put it away. */
  get isGone() {
    return !this.node.isConnected;
  }
}

/** All of them, the oldest at the top. */
export class Asks {
  #view;
  /** @type {Map<string, Ask>} */
  #asks = new Map();
  node = element("div", "asks");

  /** @param {View} view */
  constructor(view) {
    this.#view = view;
  }

  draw() {
    const { link } = this.#view;
    const cut = cutBy(link);
    const open = cut ? [] : link.questions;
    for (const [id, ask] of this.#asks) {
      if (open.some((question) => question.id === id)) continue;
      if (ask.end(cut) && !ask.isGone) continue;
      ask.node.remove();
      this.#asks.delete(id);
    }
    for (const question of open) this.#show(question);
    if (open.length > 0) this.#view.soon(SECOND_MS);
  }

  /** @param {Question} question */
  #show(question) {
    const before = this.#asks.get(question.id);
    const ask = before && !before.isOver ? before : this.#add(question);
    ask.draw(question);
    ask.remind();
    // Cut off meanwhile.
    if (before?.isOver) ask.replace(before);
  }

  /** @param {Question} question */
  #add(question) {
    const ask = new Ask(question, this.#view);
    this.#asks.set(question.id, ask);
    this.node.append(ask.node);
    return ask;
  }
}

/**
 * Why nothing that is said here is heard in Python; "" where it is.
 *
 * @param {Link} link
 */
function cutBy({ unreachable, status }) {
  if (unreachable) return "the kernel cannot be reached";
  return status === "failed" ? "this view has failed" : "";
}

/**
 * A text without characters that are not seen or that turn what follows around; its lines stay.
 *
 * @param {string} text
 */
function visibleLines(text) {
  return text.split(/\r?\n/).map(visible).join("\n");
}
