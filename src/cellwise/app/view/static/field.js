// The page of one field: its image in tiles, outlines over it, a card for each cell.

import * as api from "./api.js";
import * as card from "./card.js";
import * as state from "./state.js";
import { Channels } from "./channels.js";
import { byId, isTyping, number } from "./elements.js";
import { aboutParts, coloursBy, cropChannels, goneWords, inRows, legendParts } from "./fieldwords.js";
import { colours, Overlay } from "./overlay.js";
import { OTHER } from "./palette.js";
import { drawBar, scaleBar } from "./scalebar.js";
import { searchable } from "./searchable.js";
import { failed, trouble, well } from "./troubles.js";
import { turns } from "./turns.js";
import { Viewport } from "./viewport.js";
import { showVisitor } from "./visitor.js";

const FAR = 80;
// Milliseconds until the first field is asked for again where it could not be had.
const AGAIN = 2000;
let run = null;
let field = null;
let channels = null;
// Probabilities of the cells, and what outlines are coloured by, as it is seen.
let chances = [];
let [shownBy, shownClass] = ["", ""];
let map = null;
let [active, pointed] = [-1, -1];
let ready = false;
const overlay = new Overlay();
const looks = byId("looks");
const port = new Viewport({ canvas: byId("canvas"), over, moved, failed: failed("tiles"), well: () => well("tiles") });
const value = (name) => looks.elements[name].value;

function over(context) {
  const ratio = devicePixelRatio || 1;
  if (map) {
    const [tall, wide] = port.levels[0];
    const [left, top] = port.toScreen(0, 0);
    context.save();
    context.globalAlpha = value("strength") / 100;
    context.globalCompositeOperation = "screen";
    context.drawImage(map, left, top, wide * port.zoom, tall * port.zoom);
    context.restore();
  }
  overlay.draw(context, port, { active: active >= 0 ? active : pointed, ratio, again: () => port.soon() });
  const bar = field?.pixel_size ? scaleBar((field.pixel_size * port.width) / port.zoom) : null;
  if (bar) drawBar(context, bar, { x: 0, y: 0, width: port.width, height: port.height, margin: 16, thick: 4, font: 14 });
}

let told = 0;
function moved() {
  byId("view").dataset.settled = String(port.settled && ready);
  clearTimeout(told);
  told = setTimeout(() => ready && !loading && state.change({ view: port.view }), 120);
}

// Steps to other fields that were asked for while a field was being loaded.
const ahead = [];
let loading = false;
const showing = turns();
async function show(site) {
  const holds = showing();
  ready = false;
  loading = true;
  byId("view").dataset.settled = "false";
  trouble("run", run.trouble);
  const now = state.read();
  try {
    const outlines = api.fieldOutlines(site);
    outlines.catch(() => null);
    const found = await api.field(site, { plate: now.plate, well: now.well });
    if (!holds()) return;
    field = found;
    loading = false;
    for (const part of ["field", "tiles", "map", "card"]) well(part);
    while (ahead.length && !loading) walk(ahead.shift());
    if (loading) return;
    active = pointed = -1;
    map = null;
    shownBy = "";
    byId("spoken").textContent = "";
    tip(-1);
    overlay.clear();
    about();
    if (field.frame) port.show({ site, frame: field.frame, channels: channels.text, view: now.view });
    const image = api.fieldImage(site, channels.text);
    image.catch(() => null);
    await paint();
    const rings = await outlines;
    if (!holds()) return;
    overlay.set(rings);
    port.soon();
    const told = await image;
    if (!holds()) return;
    if (!field.frame) port.show({ site, frame: told.levels[0], channels: channels.text, view: now.view });
    Object.assign(byId("gone"), { hidden: told.source === "image", textContent: goneWords(told, run) });
    contrast(told.bounds);
    ready = true;
    // Another cell may have been chosen since.
    const { cell } = state.read();
    if (cell && active < 0) choose(field.cell.indexOf(Number(cell)), { centre: !now.view });
    await overlayMap();
    const linked = state.openCell();
    if (holds() && linked && linked.site === site) await opened(linked);
    port.soon();
  } catch (error) {
    if (!holds()) return;
    failed("field")(error);
    [loading, ahead.length] = [false, 0];
    // What is seen is still the field before.
    if (field && field.site !== site) state.change({ site: field.site, view: "", cell: "" });
    if (field) return;
    byId("title").textContent = site;
    // No arrow leads on from no field.
    if (!(error.status < 500)) setTimeout(() => holds() && show(site), AGAIN);
  }
}

function about() {
  byId("title").textContent = field.site;
  document.title = `${field.site} · cellwise`;
  byId("previous").disabled = !field.previous;
  byId("next").disabled = !field.next;
  byId("about").replaceChildren(...aboutParts(field, run));
}

// Colours of outlines, and the legend that says what they mean.
const painting = turns();
async function paint() {
  const holds = painting();
  try {
    await colour(holds);
    if (holds()) well("colours");
  } catch (error) {
    if (!holds()) return;
    failed("colours")(error);
    // Colours that were shown before would be taken for those that were asked for.
    shownBy = "";
    byId("legend").replaceChildren();
    overlay.colour(field.cell.map(() => OTHER));
    rename();
    port.soon();
  }
}

// What is said of the cell that is chosen or pointed at, after other colours.
function rename() {
  if (active >= 0) byId("spoken").textContent = words(active);
  const named = active >= 0 ? active : pointed;
  if (named >= 0) byId("tip").textContent = words(named);
}

async function colour(holds) {
  const by = value("by");
  byId("of-class").hidden = by !== "probability";
  const found = by === "probability" ? (await api.fieldChances(field.site, value("class"))).values : [];
  if (!holds()) return;
  [chances, shownBy, shownClass] = [found, by, value("class")];
  rename();
  overlay.colour(colours(field, run, by, chances, overlay.hidden));
  overlay.opacity = value("opacity") / 100;
  overlay.shown = channels.lines.checked;
  legend(by);
  port.soon();
}

function legend(by) {
  const toggled = (name) => {
    if (!overlay.hidden.delete(name)) overlay.hidden.add(name);
    paint();
  };
  byId("legend").replaceChildren(...legendParts(by, { field, run, name: value("class"), hidden: overlay.hidden, toggled }));
}

function words(n) {
  const parts = [`Cell ${field.cell[n]}`];
  if (field.best[n] >= 0) parts.push(`${run.classes[field.best[n]]} ${number(field.most[n])}`);
  if (shownBy === "probability") parts.push(`${shownClass} ${number(chances[n])}`);
  return parts.join(" · ");
}

function choose(n, { centre = true } = {}) {
  if (!(n >= 0 && n < field.cell.length)) return;
  active = n;
  // The address is of the field that is being loaded by then.
  if (!loading) state.change({ cell: String(field.cell[n]) });
  byId("spoken").textContent = words(n);
  const [left, top] = port.toScreen(field.x[n], field.y[n]);
  if (centre && (left < 30 || top < 30 || left > port.width - 30 || top > port.height - 30)) port.centre(field.x[n], field.y[n]);
  tip(n, port.toScreen(field.x[n], field.y[n]));
  port.soon();
}

function tip(n, [left, top] = []) {
  const box = byId("tip");
  box.hidden = n < 0;
  if (n < 0) return;
  box.textContent = words(n);
  box.style.left = `${Math.max(4, Math.min(port.width - box.offsetWidth - 4, left + 14))}px`;
  box.style.top = `${Math.max(4, Math.min(port.height - box.offsetHeight - 4, top + 14))}px`;
}

const opened = (place) => card.show(place).then(() => well("card"), failed("card"));
const open = (n) => n >= 0 && opened({ site: field.site, cell: field.cell[n] });

function step(by) {
  if (!field?.cell.length) return;
  const order = inRows(field);
  const here = order.indexOf(active);
  choose(order[Math.max(0, Math.min(order.length - 1, here < 0 ? 0 : here + by))]);
}

function walk(name) {
  if (loading) ahead.push(name);
  if (loading || !field?.[name]) return;
  state.change({ site: field[name], view: "", cell: "" }, { push: true });
  show(field[name]);
}

const mapping = turns();
async function overlayMap() {
  const holds = mapping();
  const select = looks.elements.map;
  const offered = field.maps.flatMap(({ step: from, classes: names }) => names.map((name) => [`${from}\n${name}`, `${name} (${from})`]));
  select.replaceChildren(new Option("none", ""), ...offered.map(([key, words_]) => new Option(words_, key)));
  byId("map-of").hidden = !offered.length;
  const wanted = state.read().map ?? "";
  select.value = offered.some(([key]) => key === wanted) ? wanted : "";
  byId("map-strength").hidden = !select.value;
  const [from, name] = select.value.split("\n");
  map = null;
  port.soon();
  try {
    const found = select.value ? await api.fieldMap(field.site, from, name) : null;
    if (!holds()) return;
    map = found;
    well("map");
  } catch (error) {
    if (holds()) failed("map")(error);
  }
  port.soon();
}

// None where another field is seen by now.
async function ownBounds() {
  const { site } = field;
  const { bounds } = await api.fieldContrast(site);
  return site === field.site ? bounds : undefined;
}

let offered = false;
function contrast(bounds) {
  if (!offered) channels.offerContrast(byId("contrast"), bounds, () => ownBounds().then((found) => (well("contrast"), found), failed("contrast")));
  offered = true;
}

const shownChannels = () => ({ channels: channels.remembered, lines: channels.lines.checked ? "" : "no" });

let slow = 0;
function changed(what) {
  state.change(shownChannels());
  overlay.shown = channels.lines.checked;
  clearTimeout(slow);
  // A slider that is being moved asks for tiles when it rests.
  slow = setTimeout(() => port.recolour(channels.text), what === "lines" ? 0 : 60);
  if (card.isOpen()) card.redraw();
  port.soon();
}

document.addEventListener("keydown", (event) => {
  if (isTyping(event) || !run || !field) return;
  if (card.isOpen()) {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (by) {
      step(by);
      open(active);
    } else channels.press(event.key);
    return;
  }
  if (event.target.closest("input[type=range]")) return;
  const pans = { ArrowLeft: [-FAR, 0], ArrowRight: [FAR, 0], ArrowUp: [0, -FAR], ArrowDown: [0, FAR] };
  const acts = {
    ArrowLeft: () => walk("previous"), ArrowRight: () => walk("next"), "+": () => port.scale(1.5), "=": () => port.scale(1.5), "-": () => port.scale(1 / 1.5),
    0: () => port.fit(), n: () => step(1), N: () => step(1), p: () => step(-1), P: () => step(-1),
    Escape: () => { active = -1; tip(-1); byId("spoken").textContent = ""; state.change({ cell: "" }); port.soon(); },
  };
  if (event.shiftKey && event.key in pans) port.pan(...pans[event.key]);
  else if (event.key === "Enter" && active >= 0 && event.target.closest("button, a, summary") === null) open(active);
  else if (event.key in acts) acts[event.key]();
  else if (!channels.press(event.key)) return;
  event.preventDefault();
});

function mouse() {
  const canvas = byId("canvas");
  canvas.addEventListener("pointermove", (event) => {
    if (!field || event.pointerType === "touch") return;
    const n = overlay.at(...port.toField(event.offsetX, event.offsetY));
    canvas.style.cursor = n < 0 ? "grab" : "pointer";
    if (n !== pointed) port.soon();
    pointed = n;
    tip(n < 0 ? -1 : n, [event.offsetX, event.offsetY]);
  });
  canvas.addEventListener("pointerleave", () => {
    pointed = -1;
    tip(-1);
    port.soon();
  });
  canvas.addEventListener("click", (event) => {
    byId("view").focus({ preventScroll: true });
    if (!field || port.dragged) return;
    const n = overlay.at(...port.toField(event.offsetX, event.offsetY));
    if (n < 0) return;
    choose(n, { centre: false });
    open(n);
  });
}

// As the address says it; nothing where all is as it was at first.
function remembered(name) {
  const first = { by: coloursBy(run)[0][0], class: run.classes[0], opacity: "100" }[name];
  return value(name) === first ? "" : value(name);
}

function form() {
  const now = state.read();
  const ways = coloursBy(run);
  for (const [key, name] of ways) looks.elements.by.append(new Option(name, key));
  for (const name of run.classes) looks.elements.class.append(new Option(name, name));
  searchable(looks.elements.class);
  if (ways.some(([key]) => key === now.by)) looks.elements.by.value = now.by;
  if (run.classes.includes(now.class)) looks.elements.class.value = now.class;
  if (now.opacity) looks.elements.opacity.value = now.opacity;
  looks.addEventListener("input", async (event) => {
    const { name } = event.target;
    if (name === "map") {
      state.change({ map: value("map") });
      if (field) await overlayMap();
    } else if (name === "strength") port.soon();
    else {
      state.change({ [name]: remembered(name) });
      if (field) await paint();
    }
  });
  looks.addEventListener("submit", (event) => event.preventDefault());
}

try {
  run = await api.run();
  byId("name").textContent = run.name;
  const now = state.read();
  channels = new Channels(byId("channels"), run.channels, { most: run.most, text: now.channels, lines: now.lines !== "no", changed });
  card.prepare({ run, channels: cropChannels(run, channels), step: (by) => { step(by); open(active); }, closed: () => byId("view").focus({ preventScroll: true }) });
  form();
  mouse();
  const buttons = { previous: () => walk("previous"), next: () => walk("next"), closer: () => port.scale(1.5), farther: () => port.scale(1 / 1.5), whole: () => port.fit() };
  for (const [name, act] of Object.entries(buttons)) byId(name).addEventListener("click", act);
  addEventListener("popstate", () => {
    ahead.length = 0;
    card.close();
    // Going back leaves how fields look.
    state.change({ ...shownChannels(), ...Object.fromEntries(["by", "class", "opacity"].map((name) => [name, remembered(name)])), map: value("map") });
    show(state.read().site);
  });
  const site = now.site || (await api.fields({ plate: now.plate, well: now.well, count: 1 })).fields[0]?.site;
  if (site) {
    state.change({ site });
    await show(site);
  } else failed("run")(new Error("This run has no field to show."));
} catch (error) {
  failed("run")(error);
}

showVisitor();
