// The page of one field: its image in tiles, outlines over it, a card for each cell.

import * as api from "./api.js";
import * as card from "./card.js";
import * as state from "./state.js";
import { Channels } from "./channels.js";
import { button, byId, counted, element, facts, isTyping, link, number } from "./elements.js";
import { colours, Overlay } from "./overlay.js";
import { classColour, OTHER, ramp, STRANGE } from "./palette.js";
import { drawBar, scaleBar } from "./scalebar.js";
import { Viewport } from "./viewport.js";
import { showVisitor } from "./visitor.js";

let run = null;
let field = null;
let channels = null;
let chances = [];
let map = null;
let active = -1;
let pointed = -1;
let latest = 0;
let ready = false;
const overlay = new Overlay();
const looks = byId("looks");
const port = new Viewport({ canvas: byId("canvas"), over, moved, failed: fail });
const value = (name) => looks.elements[name].value;

function fail(error) {
  byId("trouble").textContent = error.message;
  byId("trouble").hidden = false;
}

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
  clearTimeout(told);
  told = setTimeout(() => {
    if (ready) state.change({ view: port.view });
    byId("view").dataset.settled = String(port.settled && ready);
  }, 120);
}

// Steps to other fields that were asked for while a field was being loaded.
const ahead = [];
let loading = false;
async function show(site) {
  const turn = ++latest;
  ready = false;
  loading = true;
  byId("view").dataset.settled = "false";
  byId("trouble").hidden = !run.trouble;
  byId("trouble").textContent = run.trouble;
  const now = state.read();
  try {
    const outlines = api.fieldOutlines(site);
    outlines.catch(() => null);
    const found = await api.field(site, { plate: now.plate, well: now.well });
    if (turn !== latest) return;
    field = found;
    loading = false;
    while (ahead.length && !loading) walk(ahead.shift());
    if (loading) return;
    active = pointed = -1;
    map = null;
    overlay.clear();
    about();
    if (field.frame) port.show({ site, frame: field.frame, channels: channels.text, view: now.view });
    const image = api.fieldImage(site, channels.text);
    image.catch(() => null);
    await paint();
    overlay.set(await outlines);
    if (turn !== latest) return;
    port.soon();
    const told = await image;
    if (turn !== latest) return;
    if (!field.frame) port.show({ site, frame: told.levels[0], channels: channels.text, view: now.view });
    gone(told);
    contrast(told.bounds);
    ready = true;
    if (now.cell) choose(field.cell.indexOf(Number(now.cell)), { centre: !now.view });
    await overlayMap();
    const open = state.openCell();
    if (open && open.site === site) await card.show(open);
    port.soon();
  } catch (error) {
    if (turn !== latest) return;
    loading = false;
    ahead.length = 0;
    fail(error);
  }
}

function gone({ source, trouble }) {
  byId("gone").hidden = source === "image";
  const kept = run.pictures ? "What is shown is put together from the images of single cells that the run kept; there is nothing between them." : "The run kept no images of single cells: outlines are shown alone.";
  byId("gone").textContent = source === "image" ? "" : `The image files of this field cannot be read. ${trouble} ${kept}`;
}

function about() {
  byId("title").textContent = field.site;
  document.title = `${field.site} · cellwise`;
  byId("previous").disabled = !field.previous;
  byId("next").disabled = !field.next;
  const within = [state.read().plate, state.read().well].filter(Boolean).join(" ");
  const links = element("p", "", "links");
  links.append(link("Its cells as a list", state.to("/cells", { site: field.site })));
  if (field.well) links.append(link(`Well ${field.well}`, state.to("/fields", { plate: field.plate, well: field.well })));
  byId("about").replaceChildren(
    facts([
      ["Field", `${field.number} of ${field.of}${within ? ` in ${within}` : ""}`],
      ["Plate", field.plate],
      ["Well", field.well],
      ["Label of the field", field.labels?.join(" + ") || "none"],
      ["Cells", String(field.cells)],
      ["Likeliest class differs from the label", field.labels?.length && run.classes.length ? counted(field.disagrees.length, "cell") : ""],
      ["Size", field.frame ? `${field.frame[1]} × ${field.frame[0]} pixels` : ""],
      ...Object.entries(field.metadata).filter(([name]) => !["RawId", "Well", "Plate"].includes(name)).slice(0, 10),
    ]),
    links,
  );
}

// Colours of outlines, and the legend that says what they mean.
async function paint() {
  const by = value("by");
  byId("of-class").hidden = by !== "probability";
  if (by === "probability") chances = (await api.fieldChances(field.site, value("class"))).values;
  overlay.colour(colours(field, run, by, chances, overlay.hidden));
  overlay.opacity = value("opacity") / 100;
  overlay.shown = channels.lines.checked;
  legend(by);
  port.soon();
}

function legend(by) {
  const holder = byId("legend");
  if (by === "probability" || by === "uncertainty") {
    const steps = [0, 0.25, 0.5, 0.75, 1].map((share) => chip(ramp(share), String(share)));
    holder.replaceChildren(element("span", by === "probability" ? `Probability of ${value("class")}:` : "Uncertainty:"), ...steps);
  } else if (by === "label") {
    const told = field.labels?.length ? [chip(STRANGE.no, "likeliest class is a label of the field"), chip(STRANGE.yes, "it is none of them")] : [element("span", "This field has no label.")];
    holder.replaceChildren(...told);
  } else if (by === "class") holder.replaceChildren(...classes());
  else holder.replaceChildren();
}

function chip(colour, words) {
  const made = element("span", "", "chip");
  const swatch = element("i");
  swatch.style.background = colour;
  made.append(swatch, element("span", words));
  return made;
}

// Likeliest classes of this field with their counts; each can be hidden.
function classes() {
  const counts = new Map();
  for (const code of field.best) counts.set(code, (counts.get(code) ?? 0) + 1);
  const sorted = [...counts].sort((a, b) => b[1] - a[1]);
  const chips = sorted.slice(0, 14).map(([code, count]) => {
    const name = code < 0 ? null : run.classes[code];
    const swatch = element("i");
    swatch.style.background = name === null ? OTHER : classColour(run.coloured, name);
    const made = button("", () => {
      if (!overlay.hidden.delete(name)) overlay.hidden.add(name);
      paint();
    }, "chip");
    made.append(swatch, element("span", `${name ?? "nothing said"} ${count}`));
    made.setAttribute("aria-pressed", !overlay.hidden.has(name));
    return made;
  });
  if (sorted.length > 14) chips.push(element("span", `${sorted.length - 14} more classes`));
  return [element("span", run.classes.length ? "Likeliest class:" : ""), ...chips];
}

function words(n) {
  const parts = [`Cell ${field.cell[n]}`];
  if (field.best[n] >= 0) parts.push(`${run.classes[field.best[n]]} ${number(field.most[n])}`);
  if (value("by") === "probability") parts.push(`${value("class")} ${number(chances[n])}`);
  return parts.join(" · ");
}

function choose(n, { centre = true } = {}) {
  if (!(n >= 0 && n < field.cell.length)) return;
  active = n;
  state.change({ cell: String(field.cell[n]) });
  byId("spoken").textContent = words(n);
  const [left, top] = port.toScreen(field.x[n], field.y[n]);
  if (centre && (left < 30 || top < 30 || left > port.width - 30 || top > port.height - 30)) port.centre(field.x[n], field.y[n]);
  tip(n, port.toScreen(field.x[n], field.y[n]));
  port.soon();
}

function tip(n, [left, top]) {
  const box = byId("tip");
  box.hidden = n < 0;
  if (n < 0) return;
  box.textContent = words(n);
  box.style.left = `${Math.max(4, Math.min(port.width - box.offsetWidth - 4, left + 14))}px`;
  box.style.top = `${Math.max(4, Math.min(port.height - box.offsetHeight - 4, top + 14))}px`;
}

const open = (n) => card.show({ site: field.site, cell: field.cell[n] }).catch(fail);

// Cells are walked through from left to right in rows of about their own height.
function step(by) {
  if (!field?.cell.length) return;
  const height = (field.frame?.[0] ?? 1000) / Math.max(4, Math.sqrt(field.cell.length));
  const order = field.cell.map((_, n) => n).sort((a, b) => Math.floor(field.y[a] / height) - Math.floor(field.y[b] / height) || field.x[a] - field.x[b]);
  const here = order.indexOf(active);
  choose(order[Math.max(0, Math.min(order.length - 1, here < 0 ? 0 : here + by))]);
}

function walk(name) {
  if (loading) ahead.push(name);
  if (loading || !field?.[name]) return;
  state.change({ site: field[name], view: "", cell: "" }, { push: true });
  show(field[name]);
}

async function overlayMap() {
  const select = looks.elements.map;
  const offered = field.maps.flatMap(({ step: from, classes: names }) => names.map((name) => [`${from}\n${name}`, `${name} (${from})`]));
  select.replaceChildren(new Option("none", ""), ...offered.map(([key, words_]) => new Option(words_, key)));
  byId("map-of").hidden = !offered.length;
  const wanted = state.read().map ?? "";
  select.value = offered.some(([key]) => key === wanted) ? wanted : "";
  byId("map-strength").hidden = !select.value;
  const [from, name] = select.value.split("\n");
  map = select.value ? await api.fieldMap(field.site, from, name).catch(() => null) : null;
  port.soon();
}

let offered = false;
function contrast(bounds) {
  if (offered) return;
  offered = true;
  channels.offerContrast(byId("contrast"), bounds, async () => (await api.fieldContrast(field.site)).bounds);
}

let slow = 0;
function changed(what) {
  state.change({ channels: channels.remembered, lines: channels.lines.checked ? "" : "no" });
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
  const far = 80;
  const pans = { ArrowLeft: [-far, 0], ArrowRight: [far, 0], ArrowUp: [0, -far], ArrowDown: [0, far] };
  const acts = {
    ArrowLeft: () => walk("previous"), ArrowRight: () => walk("next"), "+": () => port.scale(1.5), "=": () => port.scale(1.5), "-": () => port.scale(1 / 1.5),
    0: () => port.fit(), n: () => step(1), N: () => step(1), p: () => step(-1), P: () => step(-1),
    Escape: () => { active = -1; tip(-1); state.change({ cell: "" }); port.soon(); },
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

function form() {
  const now = state.read();
  const ways = run.classes.length ? [["class", "likeliest class"], ["probability", "probability of a class"], ["uncertainty", "uncertainty"], ...(run.labelled ? [["label", "agreement with the field's label"]] : []), ["one", "one colour"]] : [["one", "one colour"]];
  for (const [key, name] of ways) looks.elements.by.append(new Option(name, key));
  for (const name of run.classes) looks.elements.class.append(new Option(name, name));
  if (ways.some(([key]) => key === now.by)) looks.elements.by.value = now.by;
  if (run.classes.includes(now.class)) looks.elements.class.value = now.class;
  if (now.opacity) looks.elements.opacity.value = now.opacity;
  looks.addEventListener("input", async (event) => {
    const { name } = event.target;
    if (name === "map") {
      state.change({ map: value("map") });
      await overlayMap();
    } else if (name === "strength") port.soon();
    else {
      const first = { by: ways[0][0], class: run.classes[0], opacity: "100" }[name];
      state.change({ [name]: value(name) === first ? "" : value(name) });
      await paint().catch(fail);
    }
  });
  looks.addEventListener("submit", (event) => event.preventDefault());
}

try {
  run = await api.run();
  byId("name").textContent = run.name;
  const now = state.read();
  channels = new Channels(byId("channels"), run.channels, { most: run.most, text: now.channels, lines: now.lines !== "no", changed });
  card.prepare({ run, channels: cropChannels(), step: (by) => { step(by); open(active); }, closed: () => byId("view").focus({ preventScroll: true }) });
  form();
  mouse();
  byId("previous").addEventListener("click", () => walk("previous"));
  byId("next").addEventListener("click", () => walk("next"));
  byId("closer").addEventListener("click", () => port.scale(1.5));
  byId("farther").addEventListener("click", () => port.scale(1 / 1.5));
  byId("whole").addEventListener("click", () => port.fit());
  addEventListener("popstate", () => show(state.read().site));
  const site = now.site || (await api.fields({ plate: now.plate, well: now.well, count: 1 })).fields[0]?.site;
  if (site) {
    state.change({ site });
    await show(site);
  } else fail(new Error("This run has no field to show."));
} catch (error) {
  fail(error);
}

// Channels of fields as the card, which shows the images of single cells, names them.
function cropChannels() {
  return {
    get lines() { return channels.lines; },
    get text() {
      const names = run.crop_channels.map((one) => one.name);
      const shown = channels.rows.filter((row) => row.box.checked).map((row) => names.indexOf(row.channel.name)).filter((place) => place >= 0);
      return shown.join(",") || "none";
    },
  };
}
showVisitor();
