// Outlines of the cells of a field, coloured by what was said of them, and which cell lies where.

import { classColour, OTHER, ramp, STRANGE } from "./palette.js";
import { inside, trace, unpack } from "./polygons.js";

// Outlines of more points than these are drawn only where they are seen, coarser from afar.
const MANY = 60000;
// Milliseconds between two drawings of outlines while a field is moved.
const REST = 120;

export class Overlay {
  constructor() {
    this.clear();
    this.opacity = 1;
    this.shown = true;
  }

  clear() {
    this.rings = [];
    this.boxes = new Float64Array(0);
    this.paths = null;
    this.layer = null;
    this.points = 0;
    this.hidden = new Set();
    this.colours = [];
  }

  set(buffer) {
    this.rings = unpack(buffer);
    this.boxes = new Float64Array(4 * this.rings.length);
    this.points = 0;
    this.rings.forEach(({ points }, n) => {
      let [left, top, right, bottom] = [Infinity, Infinity, 0, 0];
      for (let at = 0; at < points.length; at += 2) {
        left = Math.min(left, points[at]);
        right = Math.max(right, points[at] + 1);
        top = Math.min(top, points[at + 1]);
        bottom = Math.max(bottom, points[at + 1] + 1);
      }
      this.boxes.set([left, top, right, bottom], 4 * n);
      this.points += points.length / 2;
    });
    this.paths = null;
  }

  // The colour of each cell; `null` draws none.
  colour(colours) {
    this.colours = colours;
    this.paths = null;
  }

  #group(view, step) {
    const paths = new Map();
    this.rings.forEach(({ owner, points }, n) => {
      const colour = this.colours[owner];
      if (!colour) return;
      if (view) {
        const [left, top, right, bottom] = this.boxes.subarray(4 * n, 4 * n + 4);
        if (right < view[0] || bottom < view[1] || left > view[2] || top > view[3]) return;
      }
      if (!paths.has(colour)) paths.set(colour, []);
      // A path for each ring: one of all rings takes browsers seconds to draw.
      const path = new Path2D();
      trace(path, points, 1, 0, 0, points.length > 8 * step ? step : 1);
      paths.get(colour).push(path);
    });
    return paths;
  }

  // Outlines are drawn once for a view and moved with it; `again` is called when they should be drawn anew.
  draw(context, port, { active = -1, ratio = 1, again = () => null } = {}) {
    if (!this.rings.length) return;
    if (this.shown) this.#lay(context, port, ratio, again);
    if (active < 0) return;
    const [left, top] = port.toScreen(0, 0);
    context.save();
    context.setTransform(ratio * port.zoom, 0, 0, ratio * port.zoom, ratio * left, ratio * top);
    this.#mark(context, active, port.zoom);
    context.restore();
  }

  #lay(context, port, ratio, again) {
    const { x, y, zoom, width, height } = port;
    const same = this.layer && this.layer.width === width && this.layer.height === height && this.layer.paths === this.paths && this.paths;
    const still = same && this.layer.x === x && this.layer.y === y && this.layer.zoom === zoom;
    if (!still && (!same || performance.now() - this.layer.asked > REST)) this.#render(port, ratio);
    else if (!still) {
      clearTimeout(this.later);
      this.later = setTimeout(() => {
        if (this.layer) this.layer.asked = 0;
        again();
      }, REST);
    }
    const { layer } = this;
    const factor = zoom / layer.zoom;
    const [left, top] = port.toScreen(layer.x, layer.y);
    context.save();
    context.globalAlpha = this.opacity;
    context.drawImage(layer.canvas, left - (width / 2) * factor, top - (height / 2) * factor, width * factor, height * factor);
    context.restore();
  }

  #render(port, ratio) {
    const many = this.points > MANY;
    // From afar a point in two or three is enough.
    const step = Math.max(1, Math.round(0.8 / (port.zoom * ratio)));
    if (!this.paths || many || this.step !== step) {
      this.paths = this.#group(many ? [...port.toField(0, 0), ...port.toField(port.width, port.height)] : null, step);
      this.step = step;
    }
    const canvas = this.layer?.canvas ?? document.createElement("canvas");
    canvas.width = Math.max(1, Math.round(port.width * ratio));
    canvas.height = Math.max(1, Math.round(port.height * ratio));
    const brush = canvas.getContext("2d");
    const [left, top] = port.toScreen(0, 0);
    brush.setTransform(ratio * port.zoom, 0, 0, ratio * port.zoom, ratio * left, ratio * top);
    const width = (port.zoom > 1.5 ? 2 : 1.5) / port.zoom;
    for (const [colour, wide] of [["rgb(0 0 0 / 60%)", 2.2 * width], [null, width]]) {
      // A dark rim would cover small cells seen from afar.
      if (colour && (many || port.zoom * ratio < 0.8)) continue;
      brush.lineWidth = wide;
      for (const [own, rings] of this.paths) {
        brush.strokeStyle = colour ?? own;
        for (const path of rings) brush.stroke(path);
      }
    }
    const { x, y, zoom, width: across, height: down } = port;
    this.layer = { canvas, x, y, zoom, width: across, height: down, paths: this.paths, asked: performance.now() };
  }

  #mark(context, active, zoom) {
    const path = new Path2D();
    for (const { owner, points } of this.rings) if (owner === active) trace(path, points);
    context.globalAlpha = 1;
    for (const [colour, width] of [["#000", 6], ["#fff", 3.5]]) {
      context.strokeStyle = colour;
      context.lineWidth = width / zoom;
      context.stroke(path);
    }
  }

  // The cell at a place in the field, -1 for none.
  at(x, y) {
    for (let n = 0; n < this.rings.length; n++) {
      const [left, top, right, bottom] = this.boxes.subarray(4 * n, 4 * n + 4);
      if (x < left || x > right || y < top || y > bottom) continue;
      if (inside(this.rings[n].points, x - 0.5, y - 0.5)) return this.rings[n].owner;
    }
    return -1;
  }
}

// The colour of each cell of a field, by class, probability, uncertainty, or agreement with its label.
export function colours(field, run, by, chances, hidden) {
  const strange = new Set(field.disagrees);
  return field.cell.map((_, n) => {
    const name = field.best[n] < 0 ? null : run.classes[field.best[n]];
    if (hidden.has(name)) return null;
    if (by === "probability") return ramp(chances[n]);
    if (by === "uncertainty") return ramp(field.uncertainty[n]);
    if (by === "label") return name === null || !field.labels?.length ? OTHER : strange.has(n) ? STRANGE.yes : STRANGE.no;
    if (by === "class" && name !== null) return classColour(run.coloured, name);
    return by === "class" ? OTHER : "#ffffff";
  });
}
