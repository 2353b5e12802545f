// A field that is panned and zoomed: tiles of the size that is needed, under whatever is drawn over them.

import * as api from "./api.js";

export const TILE = 512;
const MOST = 160;
const TOGETHER = 6;
const CLOSEST = 40;
const MARGIN = 40;
// Milliseconds until a tile that could not be had is asked for again.
const AGAIN = 2000;

// Height and width of each coarser copy, as the server makes them.
export function copies([tall, wide]) {
  const levels = [[tall, wide]];
  while (Math.max(tall, wide) > TILE) {
    [tall, wide] = [Math.ceil(tall / 2), Math.ceil(wide / 2)];
    levels.push([tall, wide]);
  }
  return levels;
}

export class Viewport {
  // `over` draws over the tiles; `moved` is called when what is seen changed, `failed` with an error, `well` when no tile is missing any more.
  constructor({ canvas, over, moved, failed, well = () => null }) {
    Object.assign(this, { canvas, over, moved, failed, well });
    this.context = canvas.getContext("2d");
    this.tiles = new Map();
    this.old = new Map();
    this.missing = new Set();
    this.waiting = [];
    this.busy = 0;
    this.pointers = new Map();
    this.width = this.height = 0;
    this.levels = null;
    new ResizeObserver(() => this.#measure()).observe(canvas.parentElement);
    canvas.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    for (const kind of ["pointerdown", "pointermove", "pointerup", "pointercancel"]) canvas.addEventListener(kind, (event) => this.#pointer(event));
  }

  show({ site, frame, channels, view }) {
    this.site = site;
    this.levels = copies(frame);
    this.old.clear();
    this.#forget();
    this.channels = channels;
    this.wanted = view;
    this.#measure();
    if (!this.#place()) this.fit();
  }

  recolour(channels) {
    if (channels === this.channels) return;
    this.channels = channels;
    // What was drawn before stays until the new tiles are there.
    for (const [key, tile] of this.tiles) if (tile.image) this.old.set(key, tile);
    this.#forget();
    this.soon();
  }

  #forget() {
    for (const tile of this.tiles.values()) tile.stop.abort();
    this.tiles = new Map();
    this.missing.clear();
    this.waiting = [];
    this.busy = 0;
    this.turn = (this.turn ?? 0) + 1;
  }

  #measure() {
    const box = this.canvas.parentElement;
    const ratio = devicePixelRatio || 1;
    const before = this.width;
    this.width = box.clientWidth;
    this.height = box.clientHeight;
    this.canvas.width = Math.round(this.width * ratio);
    this.canvas.height = Math.round(this.height * ratio);
    this.canvas.style.width = `${this.width}px`;
    this.canvas.style.height = `${this.height}px`;
    if (this.levels && before && this.fitted) this.fit();
    else this.soon();
  }

  // A view as an address holds it: x and y of the middle, and pixels of the screen for one of the field.
  get view() {
    return this.fitted ? "" : [this.x.toFixed(1), this.y.toFixed(1), this.zoom.toFixed(4)].join(",");
  }

  #place() {
    const numbers = (this.wanted ?? "").split(",").map(Number);
    if (numbers.length !== 3 || !numbers.every(Number.isFinite) || numbers[2] <= 0) return false;
    [this.x, this.y, this.zoom] = numbers;
    this.fitted = false;
    this.#bound();
    this.soon();
    return true;
  }

  get whole() {
    const [tall, wide] = this.levels[0];
    return Math.min(this.width / wide, this.height / tall) || 1;
  }

  fit() {
    if (!this.levels) return;
    const [tall, wide] = this.levels[0];
    this.zoom = this.whole;
    [this.x, this.y] = [wide / 2, tall / 2];
    this.fitted = true;
    this.soon();
  }

  #bound() {
    const [tall, wide] = this.levels[0];
    const zoom = Math.min(CLOSEST, Math.max(this.whole / 2, this.zoom));
    this.zoom = zoom;
    this.x = within(this.x, this.width, wide);
    this.y = within(this.y, this.height, tall);

    // A field that is larger than the screen fills it but for a margin; a smaller one stands in its middle.
    function within(middle, screen, length) {
      const half = screen / zoom / 2 - MARGIN / zoom;
      return 2 * half >= length ? length / 2 : Math.min(length - half, Math.max(half, middle));
    }
  }

  // Keep the point under (left, top), in pixels of the canvas, where it is.
  scale(factor, left = this.width / 2, top = this.height / 2) {
    if (!this.levels) return;
    const [x, y] = this.toField(left, top);
    this.zoom *= factor;
    this.#bound();
    this.x = x - (left - this.width / 2) / this.zoom;
    this.y = y - (top - this.height / 2) / this.zoom;
    this.#changed();
  }

  pan(right, down) {
    if (!this.levels) return;
    this.x += right / this.zoom;
    this.y += down / this.zoom;
    this.#changed();
  }

  centre(x, y, zoom = this.zoom) {
    if (!this.levels) return;
    Object.assign(this, { x, y, zoom });
    this.#changed();
  }

  #changed() {
    this.fitted = false;
    this.#bound();
    this.soon();
  }

  toField(left, top) {
    return [this.x + (left - this.width / 2) / this.zoom, this.y + (top - this.height / 2) / this.zoom];
  }

  toScreen(x, y) {
    return [(x - this.x) * this.zoom + this.width / 2, (y - this.y) * this.zoom + this.height / 2];
  }

  soon() {
    if (this.frame) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      this.#draw();
    });
  }

  #draw() {
    const { context } = this;
    const ratio = devicePixelRatio || 1;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.fillStyle = "#0c0d0f";
    context.fillRect(0, 0, this.width, this.height);
    if (!this.levels || !this.width) return;
    const fine = Math.min(this.levels.length - 1, Math.max(0, Math.floor(-Math.log2(this.zoom * ratio) + 0.2)));
    context.imageSmoothingEnabled = this.zoom * ratio < 3;
    this.waiting = [];
    // Of no channel there is no tile.
    if (this.channels !== "none") for (const level of new Set([this.levels.length - 1, fine])) this.#level(level);
    this.#next();
    this.over(context);
    this.moved();
  }

  #level(level) {
    const [tall, wide] = this.levels[level];
    const [full, fullWide] = this.levels[0];
    const step = [(TILE * fullWide) / wide, (TILE * full) / tall];
    const [left, top] = this.toField(0, 0);
    const [right, bottom] = this.toField(this.width, this.height);
    const middle = [this.x / step[0] - 0.5, this.y / step[1] - 0.5];
    const missing = [];
    for (let row = Math.max(0, Math.floor(top / step[1])); row * TILE < tall && row * step[1] < bottom; row++) {
      for (let column = Math.max(0, Math.floor(left / step[0])); column * TILE < wide && column * step[0] < right; column++) {
        const key = `${level}/${row}/${column}`;
        const tile = this.tiles.get(key);
        const image = tile?.image ?? this.old.get(key)?.image;
        if (image) this.#put(image, column * step[0], row * step[1], fullWide / wide, full / tall);
        if (!tile) missing.push({ level, row, column, key, far: Math.hypot(column - middle[0], row - middle[1]) });
      }
    }
    this.waiting.push(...missing.sort((a, b) => a.far - b.far));
  }

  #put(image, x, y, wider, taller) {
    const [left, top] = this.toScreen(x, y);
    // Half a pixel more, so that no line shows between two tiles.
    this.context.drawImage(image, left, top, image.width * wider * this.zoom + 0.5, image.height * taller * this.zoom + 0.5);
  }

  #next() {
    while (this.busy < TOGETHER && this.waiting.length) this.#load(this.waiting.shift());
  }

  async #load({ level, row, column, key }) {
    if (this.tiles.has(key)) return;
    const { turn } = this;
    const tile = { image: null, stop: new AbortController() };
    this.tiles.set(key, tile);
    this.busy += 1;
    try {
      tile.image = await api.tile(this.site, level, row, column, this.channels, tile.stop.signal);
      if (turn !== this.turn) return;
      this.old.delete(key);
      this.#trim();
      if (this.missing.delete(key) && !this.missing.size) this.well();
    } catch (error) {
      if (error.name !== "AbortError" && turn === this.turn) this.#again(key, error);
    } finally {
      if (turn === this.turn) {
        this.busy -= 1;
        this.soon();
      }
    }
  }

  #again(key, error) {
    const { turn } = this;
    this.missing.add(key);
    this.failed(error);
    // What the server refuses it will refuse again.
    if (error.status < 500) return;
    setTimeout(() => {
      if (turn !== this.turn) return;
      this.tiles.delete(key);
      this.soon();
    }, AGAIN);
  }

  #trim() {
    for (const key of this.tiles.keys()) {
      if (this.tiles.size <= MOST) return;
      if (!key.startsWith(`${this.levels.length - 1}/`)) this.tiles.delete(key);
    }
  }

  get settled() {
    return this.busy === 0 && this.waiting.length === 0;
  }

  #wheel(event) {
    event.preventDefault();
    const pixels = event.deltaY * (event.deltaMode === 1 ? 16 : 1);
    this.scale(2 ** (-Math.max(-200, Math.min(200, pixels)) / 200), event.offsetX, event.offsetY);
  }

  #pointer(event) {
    const here = [event.offsetX, event.offsetY];
    if (event.type === "pointerdown") {
      this.canvas.setPointerCapture(event.pointerId);
      this.pointers.set(event.pointerId, here);
      this.dragged = this.pointers.size > 1;
      return;
    }
    const before = this.pointers.get(event.pointerId);
    if (event.type !== "pointermove") {
      this.pointers.delete(event.pointerId);
      return;
    }
    if (!before) return;
    const others = [...this.pointers].filter(([id]) => id !== event.pointerId).map(([, place]) => place);
    if (others.length) {
      // Two fingers: as far apart as they are, so large is the field.
      const apart = (place) => Math.hypot(place[0] - others[0][0], place[1] - others[0][1]);
      this.scale(apart(here) / Math.max(1, apart(before)), ...others[0]);
    } else if (this.dragged || Math.hypot(here[0] - before[0], here[1] - before[1]) > 3) {
      this.dragged = true;
      this.pan(before[0] - here[0], before[1] - here[1]);
    } else return;
    this.pointers.set(event.pointerId, here);
  }
}
