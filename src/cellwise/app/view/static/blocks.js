// Cells of the gallery in blocks: what is said of them, their images on one sheet, their outlines.

import * as api from "./api.js";
import { trace, unpack } from "./polygons.js";

const MOST = 30;
const TOGETHER = 3;
// Milliseconds until what could not be had is asked for again.
const AGAIN = 2000;

export class Blocks {
  // `drawn` is called when something arrived, `failed` with an error and whether a list is missing, `well` when nothing is missing any more.
  constructor({ drawn, failed, well }) {
    Object.assign(this, { drawn, failed, well });
    this.missing = new Set();
    // Blocks that could not be had and are not asked for again yet.
    this.resting = new Set();
    this.per = 192;
    this.reset({});
  }

  // Forget all: other filters, another order, other channels or another size.
  reset({ asked = {}, channels = "", size = 64, per = 192, tile = 64, pictures = true, stamp = "" }) {
    for (const block of this.found?.values() ?? []) block.stop.abort();
    if (this.missing.size) this.well();
    this.missing.clear();
    this.resting.clear();
    Object.assign(this, { asked, channels, size, per, tile, pictures, stamp });
    this.found = new Map();
    this.total = this.total ?? 0;
    this.waiting = [];
    this.busy = 0;
    this.turn = (this.turn ?? 0) + 1;
  }

  at(index) {
    const block = this.found.get(Math.floor(index / this.per));
    return block ? { block, cell: block.cells?.[index % this.per], n: index % this.per } : null;
  }

  // Have the blocks between these indices, those in the middle first; let go of what is far away.
  want(first, last) {
    const [low, high] = [Math.floor(first / this.per), Math.floor(last / this.per)];
    for (const [number, block] of this.found) {
      if ((number < low - 1 || number > high + 1) && !block.cells) {
        block.stop.abort();
        this.found.delete(number);
      }
    }
    this.waiting = [];
    for (let number = low; number <= high; number++) if (!this.found.has(number) && !this.resting.has(number)) this.waiting.push(number);
    this.#next();
    return [low, high];
  }

  #next() {
    while (this.busy < TOGETHER && this.waiting.length) this.#load(this.waiting.shift());
  }

  async #load(number) {
    const turn = this.turn;
    const block = { number, cells: null, sheet: null, lines: null, stop: new AbortController() };
    this.found.set(number, block);
    this.busy += 1;
    const asked = { ...this.asked, start: number * this.per, count: this.per, size: this.size, stamp: this.stamp };
    try {
      const sheet = this.#sheet(block, { ...asked, channels: this.channels || undefined }, turn);
      const answer = await api.cells(asked, block.stop.signal);
      if (turn !== this.turn) return;
      Object.assign(block, { cells: answer.cells, across: answer.sheet.across, side: answer.sheet.side });
      this.total = answer.total;
      this.name = answer.class;
      this.drawn(answer);
      this.#had(`cells ${number}`);
      await sheet;
      if (turn !== this.turn) return;
      this.#trim(number);
    } catch (error) {
      // By now other filters may hold, and a block of theirs have this number.
      if (this.found.get(number) === block) this.found.delete(number);
      if (turn === this.turn && error.name !== "AbortError") this.resting.add(number);
      this.#lack(`cells ${number}`, error, turn, () => {
        this.resting.delete(number);
        this.drawn(null);
      });
      return;
    } finally {
      if (turn === this.turn) {
        this.busy -= 1;
        this.#next();
      }
    }
    this.#outline(block, asked, turn);
  }

  // The images of a block, where the run has any.
  async #sheet(block, asked, turn) {
    if (!this.pictures) return;
    const name = `sheet ${block.number}`;
    try {
      block.sheet = await api.sheet(asked, block.stop.signal);
      if (turn !== this.turn) return;
      this.#had(name);
      this.drawn(null);
    } catch (error) {
      // There is no image to wait for.
      block.refused = error.status < 500;
      this.#lack(name, error, turn, () => this.found.get(block.number) === block && this.#sheet(block, asked, turn));
      if (block.refused && turn === this.turn) this.drawn(null);
    }
  }

  // What could not be had is asked for again a little later, unless it was refused.
  #lack(name, error, turn, again) {
    if (error.name === "AbortError" || turn !== this.turn) return;
    this.missing.add(name);
    this.failed(error, name.startsWith("cells"));
    if (error.status < 500) return;
    setTimeout(() => turn === this.turn && again(), AGAIN);
  }

  #had(name) {
    if (this.missing.delete(name) && !this.missing.size) this.well();
  }

  // Outlines come after the images: of cells of many fields they take longer.
  async #outline(block, asked, turn) {
    const name = `outlines ${block.number}`;
    try {
      const rings = unpack(await api.outlines(asked, block.stop.signal));
      if (turn !== this.turn) return;
      block.lines = this.#lines(block, rings);
      this.#had(name);
      this.drawn(null);
    } catch (error) {
      this.#lack(name, error, turn, () => this.found.get(block.number) === block && this.#outline(block, asked, turn));
    }
  }

  #lines(block, rings) {
    const side = this.tile;
    const canvas = document.createElement("canvas");
    canvas.width = block.across * side;
    canvas.height = Math.ceil(block.cells.length / block.across) * side;
    const context = canvas.getContext("2d");
    const paths = new Map();
    for (const { owner, points } of rings) {
      const cell = block.cells[owner];
      if (!cell || cell.twice) continue;
      if (!paths.has(owner)) paths.set(owner, new Path2D());
      const [top, left, wide] = cell.window;
      trace(paths.get(owner), points, side / wide, left, top);
    }
    const width = Math.max(1.2, side / 64);
    for (const [owner, path] of paths) {
      context.save();
      context.translate((owner % block.across) * side, Math.floor(owner / block.across) * side);
      context.beginPath();
      context.rect(0, 0, side, side);
      context.clip();
      for (const [colour, wide] of [["rgb(0 0 0 / 65%)", width * 2.4], ["#fff", width]]) {
        context.strokeStyle = colour;
        context.lineWidth = wide;
        context.stroke(path);
      }
      context.restore();
    }
    return canvas;
  }

  #trim(near) {
    const far = [...this.found.keys()].sort((a, b) => Math.abs(b - near) - Math.abs(a - near));
    for (const number of far.slice(0, Math.max(0, this.found.size - MOST))) this.found.delete(number);
  }
}
