// The map of cells: points that are coloured, looked at closely, and chosen by a line around them.

import * as api from "./api.js";
import * as card from "./card.js";
import * as state from "./state.js";
import { button, byId, counted, element, isTyping, link, whole } from "./elements.js";
import { layoutWords, legend, limitWords, pairs } from "./mapwords.js";
import { OTHER, ramp } from "./palette.js";
import { searchable } from "./searchable.js";
import { failed, well } from "./troubles.js";
import { turns } from "./turns.js";
import { showVisitor } from "./visitor.js";

const SIDE = 1000;
const CORNERS = 60;
const form = byId("shown");
const canvas = byId("canvas");
const context = canvas.getContext("2d");
const view = { x: SIDE / 2, y: SIDE / 2, zoom: 0.5, width: 0, height: 0 };
let run = null;
let limits = {};
let points = new Float32Array(0);
let values = new Uint8Array(0);
let colours = new Uint32Array(256);
let line = null;
let chosen = "";
let frame = 0;
const WAIT = 1500;
let waiting = 0;
// The name of the map that is shown: of the vectors, or of what UMAP made of them.
let shownMap = "";
const value = (name) => form.elements[name].value;

const toScreen = (x, y) => [(x - view.x) * view.zoom + view.width / 2, (y - view.y) * view.zoom + view.height / 2];
const toMap = (left, top) => [(left - view.width / 2) / view.zoom + view.x, (top - view.height / 2) / view.zoom + view.y];

function soon() {
  frame ||= requestAnimationFrame(() => {
    frame = 0;
    draw();
  });
}

function measure() {
  const box = canvas.parentElement;
  const ratio = devicePixelRatio || 1;
  [view.width, view.height] = [box.clientWidth, box.clientHeight];
  canvas.width = Math.max(1, Math.round(view.width * ratio));
  canvas.height = Math.max(1, Math.round(view.height * ratio));
  canvas.style.width = `${view.width}px`;
  canvas.style.height = `${view.height}px`;
  if (view.fitted !== false) fit();
  soon();
}

function fit() {
  Object.assign(view, { x: SIDE / 2, y: SIDE / 2, zoom: Math.min(view.width, view.height) / (1.08 * SIDE), fitted: true });
  soon();
}

// Points are written into the pixels one by one: 100,000 take a few milliseconds.
function draw() {
  const ratio = devicePixelRatio || 1;
  const image = context.createImageData(canvas.width, canvas.height);
  const pixels = new Uint32Array(image.data.buffer);
  pixels.fill(0xff0f0d0c);
  const size = Math.max(2, Math.min(7, Math.round(ratio * ((values.length > 5000 ? 1.4 : 2.6) + 1.3 * Math.log2(1 + view.zoom)))));
  const [zoom, left, top] = [view.zoom * ratio, (view.width / 2 - view.x * view.zoom) * ratio, (view.height / 2 - view.y * view.zoom) * ratio];
  for (let n = 0; n < values.length; n++) {
    const x = Math.round(points[2 * n] * zoom + left);
    const y = Math.round(points[2 * n + 1] * zoom + top);
    // A cell without a vector has no place: NaN is in no range.
    if (!(x >= 0 && y >= 0 && x + size < canvas.width && y + size < canvas.height)) continue;
    const colour = colours[values[n]];
    for (let row = y; row < y + size; row++) pixels.fill(colour, row * canvas.width + x, row * canvas.width + x + size);
  }
  context.putImageData(image, 0, 0);
  const shape = line ?? (chosen ? pairs(chosen).map(([x, y]) => toScreen(x, y)) : null);
  if (!shape) return;
  context.save();
  context.scale(ratio, ratio);
  context.beginPath();
  shape.forEach(([x, y], n) => context[n ? "lineTo" : "moveTo"](x, y));
  if (!line) context.closePath();
  context.fillStyle = "rgb(255 255 255 / 12%)";
  context.strokeStyle = "#fff";
  context.lineWidth = 1.5;
  context.fill();
  context.stroke();
  context.restore();
}

function pixel(css) {
  context.fillStyle = css;
  const [red, green, blue] = context.fillStyle.match(/[0-9a-f]{2}/gi).map((part) => parseInt(part, 16));
  return (0xff000000 | (blue << 16) | (green << 8) | red) >>> 0;
}

const painting = turns();
async function paint() {
  const holds = painting();
  await colourAs(holds).then(() => holds() && well("colours"), (error) => holds() && failed("colours")(error));
}

async function colourAs(holds) {
  const by = value("by");
  byId("class-label").hidden = by !== "probability";
  const found = await api.mapValues(by, by === "probability" ? value("class") : "");
  if (!holds()) return;
  values = found;
  const entries = legend(run, by);
  colours = new Uint32Array(256).fill(pixel(OTHER));
  if (by === "class" || by === "plate" || by === "label") {
    for (let n = 0; n < 255; n++) if (entries.length) colours[n] = pixel(entries[n % entries.length][0]);
  } else for (let n = 0; n < 255; n++) colours[n] = pixel(ramp(n / 254));
  const chips = entries.map(([colour, words]) => {
    const made = element("span", "", "chip");
    const swatch = element("i");
    swatch.style.background = colour;
    made.append(swatch, element("span", words));
    return made;
  });
  byId("legend").replaceChildren(...chips);
  soon();
}

const loading = turns();
async function load() {
  const holds = loading();
  clearTimeout(waiting);
  say("");
  try {
    await lay(holds);
    if (holds()) well("map");
  } catch (error) {
    if (!holds()) return;
    say("");
    failed("map")(error);
    if (shownMap) return;
    byId("count").textContent = "The map could not be loaded.";
    if (!(error.status < 500)) waiting = setTimeout(load, WAIT);
  }
}

async function lay(holds) {
  const vectors = value("name");
  if (value("layout") !== "umap") return show(vectors, holds);
  if (!limits.installed) say(limits.how);
  if (!limits.installed) return show(vectors, holds);
  const { step, cells, seconds, words, name } = await api.mapUmap(vectors);
  if (!holds()) return;
  if (step === "done") return show(name, holds);
  say(layoutWords({ step, cells, seconds, words }));
  if (step !== "failed") waiting = setTimeout(load, WAIT);
  // While it goes on, what is shown stays.
  if (shownMap !== vectors) await show(vectors, holds);
}

function say(words) {
  byId("layout-state").hidden = !words;
  byId("layout-state").textContent = words;
}

async function show(name, holds) {
  const found = await api.mapPoints(name);
  if (!holds()) return;
  points = found;
  shownMap = name;
  let known = 0;
  for (let n = 0; n < points.length; n += 2) if (!Number.isNaN(points[n])) known += 1;
  byId("count").textContent = `${counted(known, "cell")} by ${name}${known < run.cells ? `; ${whole(run.cells - known)} have no place: no vector, or not among those drawn at random` : ""}`;
  fit();
  // A line is around cells of one map: on another one it means nothing.
  const now = state.read();
  chosen = now.within && (now.scatter ?? name) === name ? now.within : "";
  await Promise.all([paint(), tell()]);
  byId("view").dataset.settled = "true";
}

// The cells in a polygon, given in pixels of the canvas.
async function choose(corners) {
  const step = Math.max(1, Math.ceil(corners.length / CORNERS));
  const kept = corners.filter((_, n) => n % step === 0);
  if (kept.length < 3 || !shownMap) return;
  chosen = kept.flatMap(([x, y]) => toMap(x, y).map((number) => number.toFixed(1))).join(",");
  state.change({ within: chosen, scatter: shownMap });
  await tell();
}

const telling = turns();
async function tell() {
  const holds = telling();
  byId("chosen").hidden = !chosen;
  soon();
  if (!chosen) return;
  const chosenWords = (words, ...parts) => byId("chosen-words").replaceChildren(element("b", words), ...parts, button("Clear", clearChosen));
  // What was said is of the line before.
  chosenWords("Counting…");
  const wanted = { within: chosen, scatter: shownMap };
  try {
    const { total } = await api.cells({ ...wanted, count: 1 });
    if (!holds()) return;
    const show = link("Show them", state.to("/cells", wanted));
    chosenWords(`${counted(total, "cell")} chosen`, ...(total ? [show] : []));
  } catch (error) {
    if (holds()) chosenWords(`These cells could not be counted. ${error.message}`);
  }
}

function clearChosen() {
  chosen = "";
  state.change({ within: "", scatter: "" });
  tell();
}

// The point nearest to a place on the canvas, at most a few pixels away.
function nearest(left, top) {
  const [x, y] = toMap(left, top);
  let [best, least] = [-1, (7 / view.zoom) ** 2];
  for (let n = 0; n < values.length; n++) {
    const far = (points[2 * n] - x) ** 2 + (points[2 * n + 1] - y) ** 2;
    if (far < least) [best, least] = [n, far];
  }
  return best;
}

const opening = turns();
async function open(row) {
  const holds = opening();
  try {
    const { cells } = await api.cells({ chosen: String(row), count: 1 });
    if (!cells[0] || !holds()) return;
    await card.show(cells[0]);
    if (holds()) well("card");
  } catch (error) {
    if (holds()) failed("card")(error);
  }
}

function scale(factor, left = view.width / 2, top = view.height / 2) {
  const [x, y] = toMap(left, top);
  view.zoom = Math.min(60, Math.max(0.1, view.zoom * factor));
  Object.assign(view, { x: x - (left - view.width / 2) / view.zoom, y: y - (top - view.height / 2) / view.zoom, fitted: false });
  soon();
}

function pan(right, down) {
  Object.assign(view, { x: view.x + right / view.zoom, y: view.y + down / view.zoom, fitted: false });
  soon();
}

let start = null;
function pointer(event) {
  const here = [event.offsetX, event.offsetY];
  if (event.type === "pointerdown") {
    canvas.setPointerCapture(event.pointerId);
    start = { here, moves: event.shiftKey || event.pointerType === "touch" };
    line = null;
  } else if (event.type === "pointermove" && start) {
    if (start.moves) {
      pan(start.here[0] - here[0], start.here[1] - here[1]);
      start.here = here;
    } else if (line || Math.hypot(here[0] - start.here[0], here[1] - start.here[1]) > 6) {
      line = [...(line ?? [start.here]), here];
      soon();
    }
  } else if (event.type === "pointerup" && start) {
    const drawn = line;
    const tapped = !drawn && Math.hypot(here[0] - start.here[0], here[1] - start.here[1]) < 6 && !event.shiftKey;
    start = line = null;
    if (drawn) choose(drawn);
    else if (tapped) {
      const row = nearest(...here);
      if (row >= 0) open(row);
    }
  } else if (event.type === "pointercancel") start = line = null;
}

const everything = () => choose([[0, 0], [view.width, 0], [view.width, view.height], [0, view.height]]);

document.addEventListener("keydown", (event) => {
  if (isTyping(event) || card.isOpen() || !run) return;
  const far = 60;
  const acts = {
    "+": () => scale(1.4), "=": () => scale(1.4), "-": () => scale(1 / 1.4), 0: fit,
    ArrowLeft: () => pan(-far, 0), ArrowRight: () => pan(far, 0), ArrowUp: () => pan(0, -far), ArrowDown: () => pan(0, far),
  };
  if (event.key === "Enter" && event.target === byId("view")) everything();
  else if (event.key in acts) acts[event.key]();
  else return;
  event.preventDefault();
});

try {
  run = await api.run();
  byId("name").textContent = run.name;
  document.title = `Map of ${run.name} · cellwise`;
  state.change({});
  const now = state.read();
  const { names, umap } = await api.map();
  limits = umap;
  byId("umap-limits").textContent = limitWords(umap);
  const ways = [...(run.classes.length ? [["class", "most likely class"], ["probability", "probability of a class"], ["uncertainty", "uncertainty"]] : []), ...(run.labelled && run.classes.length ? [["label", "agreement with the field's label"]] : []), ["plate", "plate"]];
  for (const name of names) form.elements.name.append(new Option(name, name));
  for (const [key, words] of ways) form.elements.by.append(new Option(words, key));
  for (const name of run.classes) form.elements.class.append(new Option(name, name));
  searchable(form.elements.class);
  for (const one of form.elements) if (now[one.name] && [...one.options].some((option) => option.value === now[one.name])) one.value = now[one.name];
  const shown = run.crop_channels.flatMap((channel, place) => (channel.shown ? [place] : []));
  card.prepare({ run, channels: { text: shown.join(",") || "none", lines: { checked: true } }, closed: () => byId("view").focus({ preventScroll: true }) });
  new ResizeObserver(measure).observe(canvas.parentElement);
  for (const kind of ["pointerdown", "pointermove", "pointerup", "pointercancel"]) canvas.addEventListener(kind, pointer);
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    scale(2 ** (-Math.max(-200, Math.min(200, event.deltaY)) / 200), event.offsetX, event.offsetY);
  }, { passive: false });
  byId("closer").addEventListener("click", () => scale(1.4));
  byId("farther").addEventListener("click", () => scale(1 / 1.4));
  byId("whole").addEventListener("click", fit);
  byId("choose").addEventListener("click", everything);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("change", (event) => {
    state.change({ [event.target.name]: event.target.value });
    const moved = event.target.name === "name" || event.target.name === "layout";
    if (moved) clearChosen();
    if (moved) load();
    else paint();
  });
  if (names.length) await load();
  else byId("count").textContent = "This run keeps no vectors of cells: neither embeddings nor measured features. A recipe with a step `embed`, or features-quick, makes them.";
  if (!names.length) byId("view").dataset.settled = "true";
} catch (error) {
  failed("run")(error);
  byId("count").textContent = "The map could not be loaded.";
}
showVisitor();
