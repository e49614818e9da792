/**
 * The page side of the live table: one ESM without imports, because anywidget loads it from a blob URL.
 *
 *     model "msg:custom" -> Link (decode, hello, ack) -> RowStore -> TableView, one per output
 *
 * A Link belongs to the widget and outlives its views, so a moved or reopened output shows its rows at
 * once, also while the kernel is busy. Filter, scroll, selection and details stay in the view.
 *
 * What is shown is untrusted: it goes into text nodes only.
 */

/** @typedef {[seq: number, timeMs: number, eventType: string, runId: string, preview: string, detail: string]} Row */
/** @typedef {"waiting" | "live" | "ended" | "failed"} Status */
/** @typedef {{ prev: number, last: number, missing: number, total: number, status: Status, rows: Row[], unreadable: number }} RowsMessage */
/** @typedef {"error" | "model" | "tool" | "think" | "end" | "other"} Family */
/** @typedef {{ run: string, twin: string }} State */
/** @typedef {import("@anywidget/types").AnyModel<State>} Model */

const SEQ = 0;
const TIME = 1;
const TYPE = 2;
const RUN = 3;
const PREVIEW = 4;
const DETAIL = 5;

const ROW_HEIGHT = 24;
const OVERSCAN = 6;
const MAX_ROWS = 200_000;
const MAX_CHARS = 64_000_000;
const ACK_MS = 1_000;
const RESYNC_MS = 1_000;
const RESYNC_TRIES = 6;
const HIDDEN_FRAMES = 3;
const STATUSES = ["waiting", "live", "ended", "failed"];

const integers = new Intl.NumberFormat("en-US");

/**
 * The index of the first row whose seq is not below the given one.
 *
 * @param {Row[]} rows ascending by seq
 * @param {number} seq
 */
export function lowerBound(rows, seq) {
  let low = 0;
  let high = rows.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (rows[middle][SEQ] < seq) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * The rows ascending by seq, each seq once.
 *
 * @param {Row[]} rows
 * @returns {Row[]} the same array when it is in order already
 */
function ascending(rows) {
  if (rows.every((row, index) => index === 0 || rows[index - 1][SEQ] < row[SEQ])) return rows;
  const sorted = [...rows].sort((a, b) => a[SEQ] - b[SEQ]);
  return sorted.filter((row, index) => index === 0 || sorted[index - 1][SEQ] < row[SEQ]);
}

/** @param {Row} row */
const weight = (row) => row[PREVIEW].length + row[DETAIL].length;

/**
 * The rows of one widget, ascending by seq, each once, whatever order they came in.
 *
 * Holds at most `maxRows` rows and about `maxChars` characters of text; the oldest leave first and are
 * counted in `dropped`. A row that left does not come back. `head` is the newest seq up to which
 * nothing is lacking.
 */
export class RowStore {
  /** @param {{ maxRows?: number, maxChars?: number }} [limits] */
  constructor({ maxRows = MAX_ROWS, maxChars = MAX_CHARS } = {}) {
    this.maxRows = maxRows;
    this.maxChars = maxChars;
    /** @type {Row[]} */
    this.rows = [];
    this.head = 0;
    this.dropped = 0;
    /** Changes of another kind than appending at the end or dropping at the front. */
    this.edits = 0;
    /** @type {{ prev: number, last: number }[]} */
    this.islands = [];
    this.floor = 0;
    this.chars = 0;
  }

  /** Whether rows between `head` and some later row are lacking. */
  get hasGap() {
    return this.islands.length > 0;
  }

  /**
   * Takes in the rows that follow the row `prev`; known ones are ignored.
   *
   * @param {number} prev seq of the row just before the first one, 0 if there is none
   * @param {Row[]} rows
   */
  merge(prev, rows) {
    const ordered = ascending(rows);
    this.#cover(prev, Math.max(prev, ordered.at(-1)?.[SEQ] ?? 0));
    const fresh = ordered.filter((row) => row[SEQ] > this.floor);
    if (fresh.length === 0) return;
    this.#insert(fresh);
    this.#trim();
  }

  /** Gives up the oldest gap: what lies in it is no longer waited for. */
  skipGap() {
    if (this.islands.length === 0) return;
    this.head = this.islands[0].prev;
    this.#settle();
  }

  /** @param {Row[]} fresh ascending */
  #insert(fresh) {
    const tail = this.rows.splice(lowerBound(this.rows, fresh[0][SEQ]));
    let next = 0;
    let edited = false;
    for (const row of fresh) {
      while (next < tail.length && tail[next][SEQ] < row[SEQ]) this.rows.push(tail[next++]);
      if (next < tail.length && tail[next][SEQ] === row[SEQ]) continue;
      edited ||= next < tail.length;
      this.rows.push(row);
      this.chars += weight(row);
    }
    for (; next < tail.length; next++) this.rows.push(tail[next]);
    if (edited) this.edits++;
  }

  #trim() {
    let surplus = 0;
    while (
      this.rows.length - surplus > this.maxRows ||
      (this.chars > this.maxChars && surplus < this.rows.length - 1)
    ) {
      this.chars -= weight(this.rows[surplus++]);
    }
    if (surplus === 0) return;
    this.floor = this.rows[surplus - 1][SEQ];
    this.rows.splice(0, surplus);
    this.dropped += surplus;
  }

  /**
   * @param {number} prev
   * @param {number} last
   */
  #cover(prev, last) {
    this.islands.push({ prev, last });
    this.#settle();
  }

  #settle() {
    this.islands.sort((a, b) => a.prev - b.prev);
    /** @type {{ prev: number, last: number }[]} */
    const apart = [];
    for (const island of this.islands) {
      const before = apart.at(-1);
      if (island.prev <= this.head) this.head = Math.max(this.head, island.last);
      else if (before && island.prev <= before.last) before.last = Math.max(before.last, island.last);
      else apart.push(island);
    }
    this.islands = apart;
  }
}

/** @param {unknown} value */
const isCount = (value) => Number.isSafeInteger(value) && Number(value) >= 0;

/**
 * @param {unknown} value
 * @returns {value is Row}
 */
function isRow(value) {
  return (
    Array.isArray(value) &&
    value.length === 6 &&
    isCount(value[SEQ]) &&
    value[SEQ] > 0 &&
    Number.isFinite(value[TIME]) &&
    value.slice(TYPE).every((text) => typeof text === "string")
  );
}

/**
 * Reads one message of the wire.
 *
 * @param {unknown} content
 * @param {unknown} buffers
 * @returns {RowsMessage | null} null for anything that is no rows message; single bad rows are counted
 */
export function readMessage(content, buffers) {
  const message = /** @type {Record<string, unknown> | null | undefined} */ (content);
  if (typeof message !== "object" || message?.kind !== "rows") return null;
  const { prev, last, count, missing, total, status } = message;
  if (![prev, last, count, missing, total].every(isCount)) return null;
  if (typeof status !== "string" || !STATUSES.includes(status)) return null;
  const values = readBuffer(buffers);
  if (values === null || values.length !== count) return null;
  const rows = values.filter(isRow);
  return {
    prev: Number(prev),
    last: Number(last),
    missing: Number(missing),
    total: Number(total),
    status: /** @type {Status} */ (status),
    rows,
    unreadable: values.length - rows.length,
  };
}

/**
 * @param {unknown} buffers
 * @returns {unknown[] | null} null when there is no buffer with a JSON array in UTF-8
 */
function readBuffer(buffers) {
  const buffer = Array.isArray(buffers) ? buffers[0] : undefined;
  if (!(buffer instanceof ArrayBuffer || ArrayBuffer.isView(buffer))) return null;
  try {
    const values = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(buffer));
    return Array.isArray(values) ? values : null;
  } catch {
    return null;
  }
}

/**
 * The local time of day as HH:MM:SS.mmm.
 *
 * @param {number} timeMs Unix epoch
 */
export function formatTime(timeMs) {
  const time = new Date(timeMs);
  if (Number.isNaN(time.getTime())) return "–";
  const parts = [time.getHours(), time.getMinutes(), time.getSeconds()];
  const clock = parts.map((part) => String(part).padStart(2, "0")).join(":");
  return `${clock}.${String(time.getMilliseconds()).padStart(3, "0")}`;
}

/**
 * The local date as YYYY-MM-DD.
 *
 * @param {number} timeMs Unix epoch
 */
function formatDate(timeMs) {
  const time = new Date(timeMs);
  if (Number.isNaN(time.getTime())) return "";
  const day = [time.getMonth() + 1, time.getDate()].map((part) => String(part).padStart(2, "0"));
  return `${time.getFullYear()}-${day.join("-")}`;
}

/**
 * A number with its noun: "1 event", "1,200 events".
 *
 * @param {number} number
 * @param {string} noun
 */
export function counted(number, noun) {
  return `${integers.format(number)} ${noun}${number === 1 ? "" : "s"}`;
}

/**
 * The test that a text filter stands for: each word occurs in the event type, run or preview,
 * whatever its case.
 *
 * @param {string} query
 * @returns {((row: Row) => boolean) | null} null when every row passes
 */
export function rowFilter(query) {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return null;
  return (row) => {
    const text = `${row[TYPE]}\n${row[RUN]}\n${row[PREVIEW]}`.toLowerCase();
    return words.every((word) => text.includes(word));
  };
}

/**
 * The family that gives a row its colour.
 *
 * @param {Row} row
 * @returns {Family}
 */
export function familyOf(row) {
  const type = row[TYPE];
  if (/(^|[._])(error|failed|failure|exception)([._]|$)/.test(type)) return "error";
  if (type === "agent.tool.completed" && /^ {1,4}"success": false\b/m.test(row[DETAIL])) return "error";
  if (type === "agent.terminate") return /^ {1,4}"reason": "error"/m.test(row[DETAIL]) ? "error" : "end";
  if (type.startsWith("agent.model.") || type.startsWith("agent.tokens.")) return "model";
  if (type.startsWith("agent.tool.")) return "tool";
  return type.startsWith("agent.think") ? "think" : "other";
}

/**
 * A hue of the colour circle, the same for the same text; never a red, which stands for errors.
 *
 * @param {string} text
 */
export function hueOf(text) {
  let hash = 0;
  for (let index = 0; index < text.length; index++) hash = (hash * 31 + text.charCodeAt(index)) | 0;
  return 50 + (Math.abs(hash * 97) % 270);
}

/** What a widget has heard from Python, and what it says back. Ends with `stop`, which may be called twice. */
class Link {
  /** @param {Model} model */
  constructor(model) {
    this.model = model;
    this.store = new RowStore();
    /** @type {Status} */
    this.status = "waiting";
    this.missing = 0;
    this.total = 0;
    /** The newest row that Python has. */
    this.last = 0;
    this.unreadable = 0;
    this.unfilled = 0;
    this.heard = false;
    this.unreachable = false;
    this.typeWidth = 10;
    this.runWidth = 3;
    /** @type {Set<() => void>} */
    this.views = new Set();
    this.ackedAt = 0;
    this.ackTimer = 0;
    this.helloAt = 0;
    this.helloTimer = 0;
    this.helloTries = 0;
    this.helloHead = 0;
    model.on("msg:custom", this.receive);
  }

  stop = () => {
    this.model.off("msg:custom", this.receive);
    clearTimeout(this.ackTimer);
    this.#rest();
    this.views.clear();
  };

  /** @type {(content: unknown, buffers?: unknown) => void} */
  receive = (content, buffers) => {
    const message = readMessage(content, buffers);
    if (message === null) this.unreadable++;
    else this.#take(message);
    this.#changed();
  };

  #changed() {
    for (const draw of this.views) draw();
  }

  /** Tells Python up to where the page has its rows; it answers with what follows. */
  hello() {
    this.helloAt = performance.now();
    this.#send({ kind: "hello", last_seq: this.store.head });
  }

  /** @param {RowsMessage} message */
  #take({ prev, last, missing, total, status, rows, unreadable }) {
    this.heard = true;
    this.unreachable = false;
    this.missing = missing;
    this.total = total;
    this.last = last;
    this.status = status;
    if (unreadable > 0) this.unreadable++;
    for (const row of rows) {
      this.typeWidth = Math.max(this.typeWidth, row[TYPE].length);
      this.runWidth = Math.max(this.runWidth, row[RUN].length);
    }
    this.store.merge(prev, rows);
    if (rows.length > 0) this.#ack();
    if (this.store.hasGap) this.#resync();
    else this.#rest();
  }

  #rest() {
    clearTimeout(this.helloTimer);
    this.helloTimer = 0;
  }

  #ack() {
    if (this.ackTimer) return;
    const wait = this.ackedAt + ACK_MS - performance.now();
    if (wait <= 0) this.#sendAck();
    else this.ackTimer = window.setTimeout(() => this.#sendAck(), wait);
  }

  #sendAck() {
    this.ackTimer = 0;
    this.ackedAt = performance.now();
    this.#send({ kind: "ack", last_seq: this.store.head });
  }

  /** Asks again for what is lacking, ever more rarely, and gives a gap up that nobody fills. */
  #resync() {
    if (this.helloTimer) return;
    if (this.helloHead !== this.store.head) this.helloTries = 0;
    this.helloHead = this.store.head;
    const pause = RESYNC_MS * 2 ** Math.max(0, this.helloTries - 1);
    const wait = Math.max(0, this.helloAt + pause - performance.now());
    this.helloTimer = window.setTimeout(() => this.#askAgain(), wait);
  }

  #askAgain() {
    this.helloTimer = 0;
    if (!this.store.hasGap) return;
    if (this.helloHead === this.store.head && this.helloTries >= RESYNC_TRIES) {
      this.unfilled++;
      this.store.skipGap();
      this.#changed();
    } else {
      this.hello();
      this.helloTries++;
    }
    if (this.store.hasGap) this.#resync();
  }

  /** @param {{ kind: "hello" | "ack", last_seq: number }} content */
  #send(content) {
    try {
      this.model.send(content);
    } catch {
      // A dead kernel closes the comm; the rows stay readable and the note under the table says why none come.
      this.unreachable = true;
      this.#changed();
    }
  }
}

/**
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {string} name the part of the table, which makes the class
 * @param {Record<string, string>} [attributes]
 * @param {(Node | string)[]} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
function element(tag, name, attributes = {}, ...children) {
  const node = document.createElement(tag);
  node.className = name ? `locus-live-${name}` : "locus-live";
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}

/**
 * @param {Node} node
 * @param {string} text
 */
function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

const COLUMNS = ["seq", "time", "type", "run", "preview"];

const columnHeads = () => COLUMNS.map((name) => element("div", name, { role: "columnheader" }, name));

/** One row of the page's table; it shows different events as the table scrolls. */
class Slot {
  /** @param {string} id */
  constructor(id) {
    const cells = COLUMNS.map((name) => {
      const text = document.createTextNode("");
      return { text, cell: element("div", name, { role: "gridcell" }, text) };
    });
    this.texts = cells.map(({ text }) => text);
    this.run = cells[RUN].cell;
    this.node = element("div", "row", { role: "row", id }, ...cells.map(({ cell }) => cell));
    /** @type {Row | null} */
    this.row = null;
  }

  /**
   * @param {Row} row
   * @param {number} index
   * @param {boolean} selected
   */
  show(row, index, selected) {
    this.node.hidden = false;
    this.node.setAttribute("aria-rowindex", String(index + 2));
    this.node.setAttribute("aria-selected", String(selected));
    if (this.row === row) return;
    this.row = row;
    this.texts[SEQ].data = String(row[SEQ]);
    this.texts[TIME].data = formatTime(row[TIME]);
    this.texts[TYPE].data = row[TYPE];
    this.texts[RUN].data = row[RUN];
    this.texts[PREVIEW].data = row[PREVIEW];
    this.node.dataset.family = familyOf(row);
    this.run.style.setProperty("--locus-run-hue", String(hueOf(row[RUN])));
  }

  hide() {
    this.node.hidden = true;
    this.row = null;
  }
}

/** The line over the table: what is watched, how it stands, and the filter. */
class Bar {
  title = element("strong", "title");
  status = element("span", "status", { role: "status" });
  count = element("span", "count");
  missing = element("span", "missing", { role: "status" });
  filter = element("input", "filter", {
    type: "search",
    placeholder: "Filter",
    "aria-label": "Filter by event type, run or preview",
    spellcheck: "false",
    autocomplete: "off",
  });
  node = element("div", "bar", {}, this.title, this.status, this.count, this.missing, this.filter);

  /**
   * @param {Link} link
   * @param {string} run "" for all runs
   * @param {number | null} passing how many rows pass the filter, null without one
   */
  show(link, run, passing) {
    setText(this.title, run || "all runs");
    this.title.classList.toggle("locus-live-run-id", Boolean(run));
    setText(this.status, link.status);
    this.status.dataset.status = link.status;
    const total = counted(Math.max(link.total, link.store.rows.length), "event");
    setText(this.count, passing === null ? total : `${integers.format(passing)} of ${total}`);
    this.missing.hidden = link.missing === 0;
    setText(this.missing, link.missing === 0 ? "" : `${counted(link.missing, "event")} missing`);
  }
}

/** The details of one event under the table. */
class Details {
  seq = element("span", "seq");
  type = element("strong", "type");
  run = element("span", "run");
  time = element("span", "time");
  closing = element("button", "close", { type: "button", "aria-label": "Close details" }, "×");
  text = element("pre", "payload", { tabindex: "0", "aria-label": "Payload" });
  head = element("div", "details-head", {}, this.seq, this.type, this.run, this.time, this.closing);
  node = element("section", "details", { "aria-label": "Event details", hidden: "" }, this.head, this.text);

  get open() {
    return !this.node.hidden;
  }

  /** @param {Row} row */
  show(row) {
    setText(this.seq, `#${row[SEQ]}`);
    setText(this.type, row[TYPE]);
    setText(this.run, row[RUN]);
    setText(this.time, `${formatDate(row[TIME])} ${formatTime(row[TIME])}`);
    setText(this.text, row[DETAIL]);
    this.text.scrollTop = 0;
    this.node.dataset.family = familyOf(row);
    this.node.hidden = false;
  }

  close() {
    this.node.hidden = true;
  }
}

let views = 0;

/** The table in one output. Draws at most once a frame, and only after something changed. */
class TableView {
  bar = new Bar();
  head = element("div", "head", { role: "row", "aria-rowindex": "1" }, ...columnHeads());
  body = element("div", "body", { role: "rowgroup" });
  window = element("div", "window", { role: "presentation" });
  grid = element("div", "grid", { role: "grid", tabindex: "0", "aria-label": "Events" });
  empty = element("div", "empty");
  jump = element("button", "jump", { type: "button" });
  details = new Details();
  note = element("div", "note", { role: "status" });
  twin = document.createElement("style");
  root = this.#build();

  /**
   * @param {Link} link
   * @param {Model} model
   * @param {HTMLElement} el
   */
  constructor(link, model, el) {
    this.link = link;
    this.model = model;
    this.id = `locus-live-${++views}`;
    this.over = new AbortController();
    this.frame = 0;
    this.hidden = 0;
    this.follow = true;
    this.lastTop = 0;
    /** @type {Row | null} */
    this.selected = null;
    /** @type {{ seq: number, index: number }} */
    this.place = { seq: 0, index: 0 };
    /** @type {Slot[]} */
    this.slots = [];
    /** @type {Row[]} */
    this.shown = link.store.rows;
    this.query = "";
    this.edits = 0;
    this.scanned = 0;
    this.sizes = new ResizeObserver(this.schedule);
    el.replaceChildren(this.root);
    this.#listen();
    this.schedule();
  }

  stop = () => {
    this.over.abort();
    cancelAnimationFrame(this.frame);
    this.sizes.disconnect();
    this.link.views.delete(this.schedule);
    for (const trait of ["run", "twin"]) this.model.off(`change:${trait}`, this.schedule);
    this.root.remove();
  };

  /** Draws with the next frame. */
  schedule = () => {
    if (this.frame || this.over.signal.aborted) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      this.#draw();
    });
  };

  #build() {
    const head = element("div", "headgroup", { role: "rowgroup" }, this.head);
    this.body.append(this.window);
    this.grid.append(head, this.body);
    this.jump.hidden = true;
    const pane = element("div", "pane", {}, this.grid, this.empty, this.jump);
    const root = element("div", "", {}, this.twin, this.bar.node, pane, this.details.node, this.note);
    root.style.setProperty("--locus-row-height", `${ROW_HEIGHT}px`);
    return root;
  }

  #listen() {
    const { signal } = this.over;
    this.grid.addEventListener("scroll", () => this.#scrolled(), { signal, passive: true });
    this.grid.addEventListener("wheel", (event) => this.#wheeled(event), { signal, passive: true });
    this.grid.addEventListener("pointerdown", (event) => this.#hold(event), { signal });
    this.grid.addEventListener("click", (event) => this.#clicked(event), { signal });
    this.grid.addEventListener("keydown", (event) => this.#moved(event), { signal });
    this.root.addEventListener("keydown", (event) => this.#escaped(event), { signal });
    this.bar.filter.addEventListener("input", this.schedule, { signal });
    this.jump.addEventListener("click", () => this.#jumped(), { signal });
    this.details.closing.addEventListener("click", () => this.#closeDetails(), { signal });
    this.sizes.observe(this.grid);
    this.link.views.add(this.schedule);
    for (const trait of ["run", "twin"]) this.model.on(`change:${trait}`, this.schedule);
  }

  #draw() {
    // Read before the table shrinks, which moves it.
    const { scrollTop } = this.grid;
    this.#choose();
    this.#drawWords();
    if (this.#isHidden()) return;
    this.body.style.height = `${this.shown.length * ROW_HEIGHT}px`;
    this.#keepPlace(scrollTop);
    this.#drawRows();
  }

  /**
   * Whether nothing can be seen of the table, so that no row must be taken away for lack of room. A host that
   * hides it for a moment, as JupyterLab does to change its theme, is not always reported as a resize.
   */
  #isHidden() {
    if (this.grid.clientHeight > 0) {
      this.hidden = 0;
      return false;
    }
    if (this.hidden++ < HIDDEN_FRAMES) this.schedule();
    return true;
  }

  /** Brings `shown` up to date with the store and the filter. */
  #choose() {
    const { store } = this.link;
    const query = this.bar.filter.value;
    const passes = rowFilter(query);
    const again = query !== this.query || this.edits !== store.edits;
    const seen = again || this.shown === store.rows ? 0 : Math.max(0, this.scanned - store.dropped);
    if (passes === null) {
      this.shown = store.rows;
    } else if (seen === 0) {
      this.shown = store.rows.filter(passes);
    } else {
      this.shown.splice(0, lowerBound(this.shown, store.floor + 1));
      for (let index = seen; index < store.rows.length; index++) {
        if (passes(store.rows[index])) this.shown.push(store.rows[index]);
      }
    }
    this.query = query;
    this.edits = store.edits;
    this.scanned = store.dropped + store.rows.length;
  }

  #drawWords() {
    const { link } = this;
    const run = this.model.get("run");
    this.bar.show(link, run, this.shown === link.store.rows ? null : this.shown.length);
    this.root.classList.toggle("locus-live-one-run", Boolean(run));
    const digits = String(link.store.rows.at(-1)?.[SEQ] ?? 0).length;
    this.root.style.setProperty("--locus-seq-width", `${Math.max(digits, 4)}ch`);
    this.root.style.setProperty("--locus-type-width", `${Math.min(link.typeWidth, 44)}ch`);
    this.root.style.setProperty("--locus-run-width", `${Math.min(link.runWidth, 16)}ch`);
    this.empty.hidden = this.shown.length > 0;
    setText(this.empty, this.#emptyText());
    setText(this.note, this.#noteText());
    this.note.hidden = this.note.textContent === "";
    setText(this.twin, link.heard ? twinRules(this.model.get("twin")) : "");
  }

  #emptyText() {
    if (this.shown.length > 0) return "";
    if (this.link.store.rows.length > 0) return "No event matches the filter.";
    return this.link.status === "ended" ? "Ended without an event." : "Waiting for the first event …";
  }

  #noteText() {
    const { store, total, unreadable, unfilled, unreachable } = this.link;
    const notes = [];
    const caughtUp = store.head >= this.link.last && !store.hasGap && unreadable + unfilled === 0;
    // Let go by this page, or by Python before the page came.
    const earlier = caughtUp ? Math.max(store.dropped, total - store.rows.length) : store.dropped;
    if (earlier > 0) notes.push(`${counted(earlier, "earlier event")} no longer kept`);
    if (this.link.status === "failed") notes.push("this view failed and follows no more; the log says why");
    if (unfilled > 0) notes.push(`${counted(unfilled, "gap")} that the kernel did not fill`);
    if (unreadable > 0) notes.push(`${counted(unreadable, "unreadable message")} ignored`);
    if (unreachable) notes.push("the kernel cannot be reached");
    return notes.join(" · ");
  }

  get #viewHeight() {
    return Math.max(0, this.grid.clientHeight - this.head.offsetHeight);
  }

  get #bottom() {
    return Math.max(0, this.shown.length * ROW_HEIGHT - this.#viewHeight);
  }

  /**
   * Sticks to the newest row, or keeps the rows the reader looks at where they are.
   *
   * @param {number} scrollTop where the table stood
   */
  #keepPlace(scrollTop) {
    const moved = lowerBound(this.shown, this.place.seq) - this.place.index;
    if (this.follow) this.#scrollTo(this.#bottom);
    else if (moved !== 0) this.#scrollTo(scrollTop + moved * ROW_HEIGHT);
  }

  /** @param {number} top */
  #scrollTo(top) {
    if (Math.abs(this.grid.scrollTop - top) >= 1) this.grid.scrollTop = top;
    this.lastTop = this.grid.scrollTop;
  }

  #drawRows() {
    const { scrollTop } = this.grid;
    const top = Math.min(Math.floor(scrollTop / ROW_HEIGHT), Math.max(0, this.shown.length - 1));
    const first = Math.max(0, top - OVERSCAN);
    const fit = Math.ceil(this.#viewHeight / ROW_HEIGHT) + 1;
    const rows = this.shown.slice(first, top + fit + OVERSCAN);
    this.place = { seq: this.shown[top]?.[SEQ] ?? this.place.seq, index: top };
    const below = this.shown.length - Math.floor((scrollTop + this.#viewHeight + 2) / ROW_HEIGHT);
    this.#drawJump(below);
    this.#makeSlots(rows.length);
    this.window.style.transform = `translateY(${first * ROW_HEIGHT}px)`;
    let active = "";
    for (const [index, slot] of this.slots.entries()) {
      const row = rows[index];
      if (row) slot.show(row, first + index, row === this.selected);
      else slot.hide();
      if (row && row === this.selected) active = slot.node.id;
    }
    this.grid.setAttribute("aria-activedescendant", active);
    this.grid.setAttribute("aria-rowcount", String(this.shown.length + 1));
  }

  /** @param {number} below rows under the last one in sight */
  #drawJump(below) {
    this.jump.hidden = this.follow || below <= 0;
    if (!this.jump.hidden) setText(this.jump, `↓ Jump to newest · ${integers.format(below)} below`);
  }

  /** @param {number} needed */
  #makeSlots(needed) {
    while (this.slots.length < needed) {
      const slot = new Slot(`${this.id}-${this.slots.length}`);
      this.slots.push(slot);
      this.window.append(slot.node);
    }
  }

  #scrolled() {
    // The browser scrolls what it hides; the reader did not.
    if (this.hidden > 0 || this.grid.clientHeight === 0) {
      this.schedule();
      return;
    }
    const { scrollTop } = this.grid;
    const atBottom = scrollTop >= this.#bottom - 2;
    if (scrollTop < this.lastTop && !atBottom) this.follow = false;
    else if (scrollTop > this.lastTop && atBottom) this.follow = true;
    this.lastTop = scrollTop;
    this.schedule();
  }

  /** @param {WheelEvent} event */
  #wheeled(event) {
    // A smooth scroll starts with less than a pixel, which alone would not be told from the bottom.
    if (event.deltaY < 0 && this.#bottom > 0) this.follow = false;
  }

  /** @param {Event} event */
  #slotAt(event) {
    const target = /** @type {Node} */ (event.target);
    return this.slots.find((slot) => !slot.node.hidden && slot.node.contains(target));
  }

  /**
   * Stops following as soon as a row is pressed, or the row would move away before it is clicked.
   *
   * @param {PointerEvent} event
   */
  #hold(event) {
    if (event.button === 0 && this.#slotAt(event)) this.follow = false;
  }

  /** @param {MouseEvent} event */
  #clicked(event) {
    const row = this.#slotAt(event)?.row;
    if (!row) return;
    this.#select(row);
    this.details.show(row);
  }

  /** @param {Row} row */
  #select(row) {
    this.follow = false;
    this.selected = row;
    if (this.details.open) this.details.show(row);
    this.schedule();
  }

  /** @param {KeyboardEvent} event */
  #moved(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    if (event.key === "Enter" || event.key === " ") {
      if (this.selected) this.details.show(this.selected);
    } else {
      const index = this.#indexAfter(event.key);
      if (index === null) return;
      this.#goTo(Math.min(Math.max(index, 0), this.shown.length - 1));
    }
    // The notebook has uses of its own for these keys.
    event.preventDefault();
    event.stopPropagation();
    this.schedule();
  }

  /**
   * @param {string} key
   * @returns {number | null} the row a key leads to, null for other keys
   */
  #indexAfter(key) {
    const last = this.shown.length - 1;
    const page = Math.max(1, Math.floor(this.#viewHeight / ROW_HEIGHT) - 1);
    const now = this.selected ? lowerBound(this.shown, this.selected[SEQ]) : null;
    const from = now ?? (key === "ArrowUp" || key === "PageUp" ? last + 1 : this.place.index - 1);
    /** @type {Record<string, number>} */
    const targets = { ArrowDown: from + 1, ArrowUp: from - 1, PageDown: from + page, PageUp: from - page };
    return { ...targets, Home: 0, End: last }[key] ?? null;
  }

  /** @param {number} index */
  #goTo(index) {
    if (index < 0) return;
    this.#select(this.shown[index]);
    const top = index * ROW_HEIGHT;
    const { scrollTop } = this.grid;
    this.#scrollTo(Math.min(Math.max(scrollTop, top + ROW_HEIGHT - this.#viewHeight), top));
  }

  /** @param {KeyboardEvent} event */
  #escaped(event) {
    if (event.key !== "Escape" || event.isComposing) return;
    if (this.details.open) this.#closeDetails();
    else if (this.bar.filter.value) this.bar.filter.value = "";
    else return;
    event.preventDefault();
    event.stopPropagation();
    this.schedule();
  }

  #closeDetails() {
    this.details.close();
    this.grid.focus({ preventScroll: true });
    if (this.grid.scrollTop >= this.#bottom - 2) this.follow = true;
    this.schedule();
  }

  #jumped() {
    this.follow = true;
    this.grid.focus({ preventScroll: true });
    this.schedule();
  }
}

/**
 * The rules that hide the static twin of the table while the table is on the page.
 *
 * @param {string} twin the twin's class
 */
function twinRules(twin) {
  if (!twin) return "";
  const name = CSS.escape(twin);
  // Two rules: a browser that does not know :has() must still follow the first.
  return `.${name} { display: none !important } .jp-OutputArea-child:has(.${name}) { display: none !important }`;
}

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
export default function liveTable() {
  /** @type {Link | undefined} */
  let link;
  return {
    /** @param {{ model: Model, signal?: AbortSignal }} props */
    initialize({ model, signal }) {
      link = new Link(model);
      return stopWith(signal, link.stop);
    },

    /** @param {{ model: Model, el: HTMLElement, signal?: AbortSignal }} props */
    render({ model, el, signal }) {
      if (!link)
        throw new Error("The live table was rendered before it was initialized; call initialize first.");
      const view = new TableView(link, model, el);
      link.hello();
      return stopWith(signal, view.stop);
    },
  };
}
