// The card of one cell: its image, its place, all its probabilities.

import * as api from "./api.js";
import { calibrationWords } from "./calibration.js";
import { button, byId, element, facts, link, number } from "./elements.js";
import { trace } from "./polygons.js";
import { drawBar } from "./scalebar.js";
import { setOpenCell, to } from "./state.js";
import { turns } from "./turns.js";

const SIDE = 320;
const MOST_BARS = 12;
const dialog = byId("card");
let context = {};
let latest = 0;
let shown = null;
let waiting = false;
let followed = false;
// The cell whose image has been drawn, or is known to be gone.
let seen = null;

dialog.addEventListener("close", () => {
  forget();
  if (!followed) setOpenCell(null);
  followed = false;
  context.closed?.();
});

// A cell that is still on its way is not to be shown any more.
function forget() {
  latest += 1;
  waiting = false;
}
dialog.addEventListener("click", (event) => {
  if (event.target === dialog) dialog.close();
});

// What the card needs to know of its page: the run, its channels, and how to step to the next cell.
export function prepare(values) {
  context = values;
}

export const isOpen = () => dialog.open;

// The row of the open cell; none while the next one is on its way.
export const row = () => (dialog.open && !waiting ? shown?.row ?? null : null);

// Whether the image of the open cell is still to come.
export const isBlank = () => dialog.open && context.run.pictures && seen !== shown;

// Close it because the address is another one by now.
export function close() {
  forget();
  if (!dialog.open) return;
  followed = true;
  dialog.close();
}

// Show the card of a cell, given by its place or by a promise of it.
export async function show(place) {
  const turn = ++latest;
  waiting = true;
  try {
    const cell = await api.cell(await place);
    if (turn === latest) open(cell);
  } catch (error) {
    // Of a card that nobody waits for any more there is nothing to say.
    if (turn === latest) throw error;
  } finally {
    if (turn === latest) waiting = false;
  }
}

function open(cell) {
  shown = cell;
  waiting = false;
  const title = element("h2", `Cell ${cell.cell} of field ${cell.site}`);
  title.id = "card-title";
  const bar = element("div", "", "row");
  if (context.step) bar.append(button("‹ Previous", () => context.step(-1)), button("Next ›", () => context.step(1)));
  bar.append(button("Close", () => dialog.close()));
  dialog.replaceChildren(title, pictures(cell), element("p", "", "verdicts"), links(cell), about(cell), ...chances(cell), bar);
  judged();
  dialog.setAttribute("aria-busy", String(context.run.pictures));
  setOpenCell(cell);
  if (!dialog.open) dialog.showModal();
  // The button that has the focus stands at the end; the image is to be seen first.
  bar.lastChild.focus({ preventScroll: true });
  dialog.scrollTop = 0;
  context.shown?.();
}

// What people said of the open cell, each with their word.
const judging = turns();
export async function judged() {
  const holder = dialog.querySelector(".verdicts");
  const holds = judging();
  const { said } = await api.saidOfCell(shown.row).catch(() => ({ said: [] }));
  if (!holds()) return;
  const people = Map.groupBy ? Map.groupBy(said, (one) => one.who) : new Map([["", said]]);
  holder.replaceChildren(...[...people].flatMap(([who, words]) => {
    const seen = words.filter((one) => one.verdict !== "no");
    const more = words.length - seen.length;
    const text = [...seen.map((one) => `${one.class}: ${one.verdict}`), ...(more === 1 ? [`${words.find((one) => one.verdict === "no").class}: no`] : more ? [`${more} classes: no`] : [])];
    return [element("b", `${who || "someone"} `), element("span", `${text.join(", ")} (${words[0].drawn}, ${words[0].when.slice(0, 16).replace("T", " ")}) `)];
  }));
}

// Draw the open card anew, with other channels or without outline.
export function redraw() {
  for (const canvas of dialog.querySelectorAll("canvas")) canvas.paint();
}

function pictures(cell) {
  const holder = element("div", "", "pictures");
  if (!context.run.pictures) {
    holder.append(element("p", "The images of single cells are gone from this run; its field may still show it.", "soft"));
    return holder;
  }
  holder.append(canvas(cell, SIDE, () => context.channels.text, `Image of cell ${cell.cell} of field ${cell.site}`));
  const single = element("div", "", "single");
  if (context.run.crop_channels.length > 1) {
    context.run.crop_channels.forEach((channel, place) => {
      const figure = element("figure");
      figure.append(canvas(cell, 96, () => `${place}`, `Channel ${channel.name}`), element("figcaption", channel.name));
      single.append(figure);
    });
  }
  holder.append(single);
  return holder;
}

function canvas(cell, side, channels, words) {
  const made = element("canvas");
  const ratio = Math.min(2, devicePixelRatio || 1);
  made.width = made.height = side * ratio;
  made.style.width = `${side}px`;
  made.setAttribute("role", "img");
  made.setAttribute("aria-label", words);
  const painting = turns();
  made.paint = async () => {
    const holds = painting();
    const image = await api.cellImage(cell, channels(), Math.min(1024, Math.round(side * ratio))).catch(() => null);
    if (!holds()) return;
    if (side === SIDE && cell === shown) {
      seen = cell;
      dialog.setAttribute("aria-busy", "false");
    }
    const brush = made.getContext("2d");
    brush.setTransform(ratio, 0, 0, ratio, 0, 0);
    brush.fillStyle = "#111";
    brush.fillRect(0, 0, side, side);
    if (image) brush.drawImage(image, 0, 0, side, side);
    if (context.channels.lines.checked && !cell.twice) outline(brush, cell, side);
    if (cell.bar && side > 200) drawBar(brush, cell.bar, { x: 0, y: 0, width: side, height: side, margin: 12, thick: 3, font: 13 });
  };
  made.paint();
  return made;
}

function outline(brush, cell, side) {
  const [top, left, wide] = cell.window;
  const path = new Path2D();
  for (const ring of cell.outline) trace(path, ring.flat(), side / wide, left, top);
  for (const [colour, width] of [["rgb(0 0 0 / 65%)", 3.4], ["#fff", 1.4]]) {
    brush.strokeStyle = colour;
    brush.lineWidth = width;
    brush.stroke(path);
  }
}

function links(cell) {
  const row = element("p", "", "links");
  row.append(
    link("Show in its field", to("/field", { site: cell.site, cell: cell.cell })),
    link("All cells of this field", to("/cells", { site: cell.site })),
  );
  if (cell.well) row.append(link("All cells of this well", to("/cells", { plate: cell.plate, well: cell.well })));
  return row;
}

function about(cell) {
  const rows = Object.entries(cell.metadata).filter(([name]) => name !== "RawId");
  return facts([
    ["Classes given", context.run.classes.length ? cell.labels.join(" + ") || "none" : ""],
    ["Label of the field", cell.field_labels.join(" + ") || "none"],
    ["Uncertainty", cell.uncertainty === null ? "" : number(cell.uncertainty)],
    ["Area", `${cell.area} pixels${cell.pixel_size ? ` (${(cell.area * cell.pixel_size ** 2).toPrecision(3)} µm²)` : ""}`],
    ["Touches the edge", cell.border ? "yes" : "no"],
    ["Quality flags", cell.flags.map((flag) => flag.replaceAll("_", " ")).join(", ")],
    ...rows.slice(0, 12),
  ]);
}

function chances(cell) {
  if (!cell.probabilities.length) return [];
  const table = element("table");
  for (const [name, value] of cell.probabilities.slice(0, MOST_BARS)) {
    const row = element("tr");
    const meter = Object.assign(element("meter"), { min: 0, max: 1, value: value ?? 0 });
    meter.setAttribute("aria-label", name);
    const holder = element("td");
    holder.append(meter);
    const head = element("th", name);
    head.scope = "row";
    row.append(head, element("td", number(value)), holder);
    table.append(row);
  }
  const hidden = cell.of_classes - Math.min(MOST_BARS, cell.probabilities.length);
  const more = hidden > 0 ? ` ${hidden} less likely classes are not listed.` : "";
  return [table, element("p", `Calibration: ${calibrationWords(context.run)}.${more}`, "soft")];
}
