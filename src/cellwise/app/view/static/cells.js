// The gallery: filters, one page of cells, keyboard.

import * as api from "./api.js";
import * as state from "./state.js";
import { element, number, show } from "./card.js";
import { draw as drawCell, offer, press } from "./channels.js";

const form = document.getElementById("filters");
const grid = document.getElementById("grid");
const trouble = document.getElementById("trouble");
const buttons = { previous: document.getElementById("previous"), next: document.getElementById("next") };
let run = null;
let shown = { page: 1, pages: 1, cells: [] };
let latest = 0;

function fillForm() {
  const current = state.read();
  for (const field of form.elements) {
    if (field.name) field.value = current[field.name] ?? (field.name === "class" ? run.classes[0] ?? "" : "");
  }
}

function options(name, values) {
  const select = form.elements[name];
  for (const value of values) select.append(new Option(value, value));
  select.closest("label").hidden = values.length === 0;
}

function asked() {
  const values = Object.fromEntries([...new FormData(form)].filter(([, value]) => value.trim()));
  if (values.class === run.classes[0]) delete values.class;
  return values;
}

async function load() {
  const turn = ++latest;
  grid.setAttribute("aria-busy", "true");
  try {
    const answer = await api.cells(state.read());
    if (turn !== latest) return;
    shown = answer;
    trouble.hidden = true;
    draw();
  } catch (error) {
    if (turn !== latest) return;
    trouble.textContent = error.message;
    trouble.hidden = false;
  } finally {
    if (turn === latest) grid.removeAttribute("aria-busy");
  }
}

const whole = (count) => count.toLocaleString("en");

function draw() {
  const first = (shown.page - 1) * 100 + 1;
  const last = first + shown.cells.length - 1;
  const count = document.getElementById("count");
  count.textContent = shown.total
    ? `Cells ${whole(first)} to ${whole(last)} of ${whole(shown.total)}${shown.total < run.cells ? ` (${whole(run.cells)} in the run)` : ""}`
    : `No cell fits these filters (${whole(run.cells)} in the run).`;
  document.getElementById("page").textContent = `Page ${shown.page} of ${shown.pages}`;
  buttons.previous.disabled = shown.page <= 1;
  buttons.next.disabled = shown.page >= shown.pages;
  grid.replaceChildren(...shown.cells.map(tile));
  openLinked();
}

// A link to a cell opens it wherever it stands, on this page of the gallery or on another.
async function openLinked() {
  const open = state.openCell();
  if (!open) return;
  const here = shown.cells.find((cell) => cell.site === open.site && cell.cell === open.cell);
  const wanted = here ?? (await api.cells(open)).cells[0];
  if (wanted) show(wanted, run.calibration);
}

function tile(cell) {
  const button = element("button", "", "tile");
  button.type = "button";
  if (cell.picture && run.pictures) button.append(drawCell(cell));
  else button.append(element("span", "no image", "none"));
  const line = element("span", "", "line");
  if (cell.probability !== null) line.append(element("b", number(cell.probability)));
  line.append(element("span", `${cell.site} #${cell.cell}`, "id"));
  button.append(line);
  if (cell.field_labels.length) button.append(element("span", cell.field_labels.join(" + "), "soft"));
  button.setAttribute("aria-label", `Cell ${cell.cell} of field ${cell.site}${cell.probability === null ? "" : `, probability ${number(cell.probability)}`}`);
  button.addEventListener("click", () => show(cell, run.calibration));
  return button;
}

function turn(step) {
  const page = shown.page + step;
  if (page < 1 || page > shown.pages) return;
  state.write({ ...state.read(), page: String(page) });
  window.scrollTo(0, 0);
  load();
}

function move(step) {
  const tiles = [...grid.children];
  const here = tiles.indexOf(document.activeElement);
  const target = here < 0 ? tiles[0] : tiles[here + step];
  target?.focus();
}

function columns() {
  const tiles = [...grid.children];
  const top = tiles[0]?.offsetTop;
  const wide = tiles.findIndex((tile) => tile.offsetTop !== top);
  return wide < 0 ? tiles.length : wide;
}

document.addEventListener("keydown", (event) => {
  if (event.target.closest("form") || event.ctrlKey || event.metaKey || event.altKey) return;
  if (press(event.key)) return;
  if (event.target.closest("dialog")) return;
  const actions = {
    ArrowRight: () => move(1),
    ArrowLeft: () => move(-1),
    ArrowDown: () => move(columns()),
    ArrowUp: () => move(-columns()),
    PageDown: () => turn(1),
    PageUp: () => turn(-1),
  };
  if (!(event.key in actions)) return;
  event.preventDefault();
  actions[event.key]();
});

form.addEventListener("change", () => {
  state.write(asked());
  load();
});
form.addEventListener("submit", (event) => event.preventDefault());
document.getElementById("reset").addEventListener("click", () => {
  state.write({});
  fillForm();
  load();
});
buttons.previous.addEventListener("click", () => turn(-1));
buttons.next.addEventListener("click", () => turn(1));
window.addEventListener("popstate", () => {
  fillForm();
  load();
});

try {
  run = await api.run();
  document.getElementById("name").textContent = run.name;
  options("class", run.classes);
  options("plate", run.plates.length > 1 ? run.plates : []);
  options("well", run.wells);
  for (const name of ["low", "high", "unsure", "assigned"]) {
    form.elements[name].closest("label").hidden = run.classes.length === 0;
  }
  const words = { weak: "weak: fitted against field labels, no person has judged single cells", audited: "audited: against cells a person looked at", none: "none: the model's own numbers" };
  document.getElementById("note").textContent = run.calibration ? `Calibration of the probabilities: ${words[run.calibration]}.` : "This run gave no classes: cells stand by field.";
  offer(run);
  document.getElementById("scale").hidden = !run.pictures || run.sized === run.sites;
  fillForm();
  await load();
} catch (error) {
  trouble.textContent = error.message;
  trouble.hidden = false;
}
