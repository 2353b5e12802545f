// The gallery: any number of cells in one scrolled canvas, of which only what is seen is drawn.

import { Blocks } from "./blocks.js";
import { number } from "./elements.js";
import { paintLasso, paintTile } from "./painting.js";
import { enclosed } from "./lasso.js";

// Browsers cut off higher elements; above it the scroll bar is scaled.
const HIGHEST = 8e6;
const GAP = 6;
const SIZES = [60, 96, 144, 220];
const LETTERED = 96;

export class Gallery {
  // `holder` is scrolled and has the focus; `option` is what assistive technology reads of the active cell.
  // `open` opens the card of a cell, given by a promise; `failed` is told of errors, `well` when what could not be had is here.
  constructor({ holder, spacer, canvas, option, selection, run, open, moved, failed, well }) {
    Object.assign(this, { holder, spacer, canvas, option, selection, run, open, moved, failed });
    this.context = canvas.getContext("2d");
    this.active = 0;
    this.total = 0;
    this.anchor = 0;
    this.lines = true;
    this.choosing = false;
    // How many choices wait for the rows of cells that are not here.
    this.unknown = 0;
    this.later = [];
    this.lasso = null;
    this.blocks = new Blocks({ drawn: (answer) => this.#arrived(answer), failed: (error, list) => this.#failed(error, list), well });
    this.well = () => this.blocks.missing.size || well();
    this.size = SIZES[1];
    holder.addEventListener("scroll", () => this.#soon());
    holder.addEventListener("keydown", (event) => this.#key(event));
    for (const kind of ["pointerdown", "pointermove", "pointerup", "pointercancel"]) canvas.addEventListener(kind, (event) => this.#pointer(event));
    selection.addEventListener("change", () => { this.#soon(); this.#read(); });
    new ResizeObserver(() => this.#measure()).observe(holder);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#soon());
  }

  // Show other cells; `at` is the index that stands first.
  show({ asked, channels, size, lines, at = 0, stamp = "" }) {
    Object.assign(this, { asked, channels, lines, stamp });
    this.size = SIZES.includes(Number(size)) ? Number(size) : SIZES[1];
    this.active = at;
    this.anchor = at;
    this.total = 0;
    this.first = at;
    this.restored = false;
    this.refused = false;
    this.later = [];
    this.shown = (this.shown ?? 0) + 1;
    this.#fresh();
    this.#ask(at);
    this.#read();
  }

  redraw({ channels = this.channels, lines = this.lines, size = this.size } = {}) {
    const first = this.#firstSeen();
    const anew = channels !== this.channels || size !== this.size;
    Object.assign(this, { channels, lines, size });
    if (anew) {
      this.#fresh();
      this.#measure(first);
      // What `show` asked for was given up with the rest, and as long as nothing is known nothing is drawn that would ask.
      if (!this.total) this.#ask(first);
      if (!this.restored) this.refused = false;
    }
    this.#soon();
    this.#read();
  }

  #ask(first) {
    this.blocks.want(first, first + this.columns * 4);
  }

  larger(step) {
    const place = SIZES.indexOf(this.size) + step;
    return SIZES[Math.max(0, Math.min(SIZES.length - 1, place))];
  }

  #fresh() {
    const ratio = Math.min(2, devicePixelRatio || 1);
    const per = { 60: 240, 96: 144, 144: 96, 220: 48 }[this.size];
    this.blocks.reset({ asked: this.asked, channels: this.channels, size: Math.round(this.size * ratio), per, tile: Math.round(this.size * ratio), pictures: this.run.pictures, stamp: this.stamp });
    this.#layout();
  }

  get lettered() {
    if (this.size < LETTERED) return 0;
    return this.run.classes.length ? 34 : 20;
  }

  #layout() {
    this.width = this.holder.clientWidth;
    this.height = this.holder.clientHeight;
    this.columns = Math.max(1, Math.floor((this.width - GAP) / (this.size + GAP)));
    // Images grow until they fill the width.
    this.side = Math.min(2 * this.size, Math.max(16, Math.floor((this.width - GAP) / this.columns) - GAP));
    this.pitch = this.side + GAP + this.lettered;
    const rows = Math.ceil(this.total / this.columns);
    this.full = rows * this.pitch + GAP;
    this.spacer.style.height = `${Math.max(this.height, Math.min(HIGHEST, this.full))}px`;
  }

  #measure(first = this.#firstSeen()) {
    const ratio = devicePixelRatio || 1;
    this.#layout();
    this.canvas.width = Math.round(this.width * ratio);
    this.canvas.height = Math.round(this.height * ratio);
    this.canvas.style.height = `${this.height}px`;
    this.canvas.style.width = `${this.width}px`;
    if (this.total) this.#scrollTo(Math.floor(first / this.columns) * this.pitch);
    this.#draw();
  }

  // How far the cells are scrolled, in pixels of all of them.
  get top() {
    const room = Math.max(1, Math.min(HIGHEST, this.full) - this.height);
    return this.full <= HIGHEST ? this.holder.scrollTop : (this.holder.scrollTop / room) * (this.full - this.height);
  }

  #scrollTo(top) {
    const room = Math.max(1, Math.min(HIGHEST, this.full) - this.height);
    this.holder.scrollTop = this.full <= HIGHEST ? top : (top / (this.full - this.height)) * room;
  }

  #firstSeen() {
    return this.total ? Math.max(0, Math.round(this.top / this.pitch)) * this.columns : this.first ?? 0;
  }

  #arrived(answer) {
    if (answer && answer.total !== this.total) {
      this.total = answer.total;
      this.active = Math.max(0, Math.min(this.active, this.total - 1));
      this.#layout();
    }
    if (answer && !this.restored) {
      this.restored = true;
      this.refused = false;
      this.#scrollTo(Math.floor(Math.min(this.first, Math.max(0, this.total - 1)) / this.columns) * this.pitch);
    }
    this.#soon();
    this.#read();
    const { later } = this;
    this.later = [];
    for (const act of later) act();
  }

  // Nothing is listed as long as the first answer is missing.
  #failed(error, list) {
    this.refused ||= list && !this.restored;
    if (this.refused) this.moved(0, -1, 0);
    this.failed(error);
    this.#read();
  }

  #soon() {
    if (this.frame) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      this.#draw();
    });
  }

  get seen() {
    const first = Math.max(0, Math.floor(this.top / this.pitch)) * this.columns;
    const last = Math.min(this.total, (Math.floor((this.top + this.height) / this.pitch) + 1) * this.columns) - 1;
    return [Math.min(first, Math.max(0, this.total - 1)), last];
  }

  #draw() {
    const { context } = this;
    const ratio = devicePixelRatio || 1;
    const [first, last] = this.seen;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, this.width, this.height);
    const style = getComputedStyle(this.holder);
    this.colours = Object.fromEntries(["ink", "soft", "line", "accent", "blank"].map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
    context.textBaseline = "top";
    for (let index = first; index <= last; index++) paintTile(this, index, this.#box(index));
    if (this.lasso) paintLasso(this);
    if (last >= 0) this.blocks.want(first, last);
    else if (this.refused) this.#ask(this.first);
    this.moved(first, last, this.total);
  }

  #box(index) {
    const row = Math.floor(index / this.columns);
    return { x: GAP + (index % this.columns) * (this.side + GAP), y: GAP + row * this.pitch - this.top };
  }

  // What assistive technology is told of the active cell.
  #read() {
    const cell = this.blocks.at(this.active)?.cell;
    const { option } = this;
    if (cell?.row !== this.told) this.activated?.();
    this.told = cell?.row;
    option.setAttribute("aria-posinset", this.active + 1);
    option.setAttribute("aria-setsize", this.total);
    const none = this.refused || this.restored && !this.total;
    this.holder.setAttribute("aria-busy", String(cell ? this.isBlank(this.active) : !none));
    if (!cell) {
      option.textContent = none ? "No cell" : "Loading";
      return;
    }
    option.setAttribute("aria-selected", this.selection.has(cell.row));
    const words = [`Cell ${cell.cell} of field ${cell.site}`];
    if (cell.probability !== null) words.push(`probability of ${this.blocks.name} ${number(cell.probability)}`);
    if (cell.best !== null) words.push(`most likely ${cell.best}, ${number(cell.best_probability)}`);
    const mark = this.marked?.(cell.row);
    if (mark) words.push(mark.words);
    option.textContent = words.join(", ");
    option.dataset.row = cell.row;
  }

  cellAt(index) {
    return this.blocks.at(index)?.cell ?? null;
  }

  // Whether the image of a cell is still to come.
  isBlank(index) {
    const block = this.blocks.at(index)?.block;
    return Boolean(block?.cells && this.blocks.pictures && !block.sheet && !block.refused);
  }

  go(index, { extend = false } = {}) {
    if (!this.total) return;
    const from = this.active;
    this.active = Math.max(0, Math.min(this.total - 1, index));
    const top = Math.floor(this.active / this.columns) * this.pitch;
    if (top < this.top) this.#scrollTo(top);
    else if (top + this.pitch + GAP > this.top + this.height) this.#scrollTo(top + this.pitch + GAP - this.height);
    if (extend) this.range(from, this.active);
    else this.anchor = this.active;
    this.#soon();
    this.#read();
  }

  // Choose all cells between two indices, also those that were never seen.
  range(one, other) {
    const [start, stop] = [Math.min(one, other), Math.max(one, other) + 1];
    if (start < 0 || !this.total) return;
    this.#choose(Array.from({ length: stop - start }, (_, n) => start + n));
  }

  // Choose the cells at these indices, in their order; of those that are not here the server knows the rows.
  async #choose(indices) {
    const here = indices.length <= 2000 ? indices.map((index) => this.cellAt(index)) : [null];
    if (here.every(Boolean)) return this.selection.add(here.map((cell) => cell.row));
    const { shown } = this;
    const [start, stop] = [indices[0], indices.at(-1) + 1];
    this.unknown += 1;
    try {
      const rows = await this.rowsBetween(start, stop);
      // By now other cells are listed, and these are not seen any more.
      if (shown !== this.shown) return null;
      this.well();
      this.selection.add(indices.map((index) => rows[index - start]).filter((row) => row !== undefined));
    } catch (error) {
      if (shown === this.shown) this.failed(error);
    } finally {
      this.unknown -= 1;
    }
    return null;
  }

  #key(event) {
    if (event.ctrlKey || event.metaKey) {
      if (event.key.toLowerCase() !== "a") return;
      event.preventDefault();
      this.range(0, this.total - 1);
      return;
    }
    const page = Math.max(1, Math.floor(this.height / this.pitch)) * this.columns;
    const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: this.columns, ArrowUp: -this.columns, PageDown: page, PageUp: -page, Home: -this.active, End: this.total - 1 - this.active };
    if (event.key in steps) this.go(this.active + steps[event.key], { extend: event.shiftKey });
    else if (event.key === " ") this.#toggle(this.active);
    else if (event.key === "Enter") this.entered?.() || this.#open(this.active);
    else if (event.key === "Escape") this.selection.clear();
    else return;
    event.preventDefault();
  }

  #toggle(index) {
    this.when(index, (cell) => this.selection.toggle(cell.row));
  }

  openActive() {
    this.#open(this.active);
  }

  #open(index) {
    this.open(new Promise((resolve) => { this.when(index, resolve); }));
  }

  // A key or click on a cell that is still being loaded is answered when the cell is here.
  when(index, act) {
    const cell = this.cellAt(index);
    if (cell) act(cell);
    else this.later.push(() => this.when(index, act));
  }

  #where(event) {
    const box = this.canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top + this.top];
  }

  #indexAt([x, y]) {
    const column = Math.floor((x - GAP / 2) / (this.side + GAP));
    const row = Math.floor((y - GAP / 2) / this.pitch);
    const index = row * this.columns + column;
    return column >= 0 && column < this.columns && row >= 0 && index < this.total ? index : null;
  }

  #pointer(event) {
    // Fingers scroll; only a mouse or pen draws around cells.
    if (event.type === "pointerdown") {
      if (event.button !== 0) return;
      this.start = this.#where(event);
      this.path = event.pointerType === "touch" ? null : [this.start];
      if (this.path) this.canvas.setPointerCapture(event.pointerId);
    } else if (event.type === "pointermove" && this.path) {
      const here = this.#where(event);
      if (!this.lasso && Math.hypot(here[0] - this.start[0], here[1] - this.start[1]) < 8) return;
      this.path.push(here);
      this.lasso = this.path;
      this.#soon();
    } else if (event.type === "pointercancel") {
      this.start = this.path = this.lasso = null;
      this.#soon();
    } else if (event.type === "pointerup" && this.start) {
      const [path, start] = [this.lasso, this.start];
      this.start = this.path = this.lasso = null;
      if (path) this.#enclosed(path);
      else this.#click(event, this.#indexAt(start));
    }
  }

  #click(event, index) {
    this.holder.focus({ preventScroll: true });
    if (index === null) return;
    if (event.shiftKey) {
      this.range(this.anchor, index);
      this.active = index;
    } else {
      this.active = this.anchor = index;
      if (event.ctrlKey || event.metaKey || this.choosing) this.#toggle(index);
      else this.#open(index);
    }
    this.#soon();
    this.#read();
  }

  #enclosed(path) {
    const chosen = enclosed(path, { columns: this.columns, pitch: this.pitch, side: this.side, gap: GAP, total: this.total, at: (point) => this.#indexAt(point) });
    if (chosen.length) this.#choose(chosen.sort((a, b) => a - b));
    this.#soon();
  }
}
