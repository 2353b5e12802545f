// The page of fields: a map of each plate, and the fields of a well or of the run.

import * as api from "./api.js";
import * as state from "./state.js";
import { byId, counted, element, link, whole } from "./elements.js";
import { OTHER, ramp } from "./palette.js";
import { searchable } from "./searchable.js";
import { failed, well as mended } from "./troubles.js";
import { turns } from "./turns.js";
import { showVisitor } from "./visitor.js";

const AT_ONCE = 48;
const shown = byId("shown");
const find = byId("find");
let plates = null;
let listed = 0;
// Whether a list in place of the one that is seen is on its way.
let renewing = false;

const chosen = (name) => shown.elements[name].value;
const plate = () => plates.plates.find((one) => one.plate === chosen("plate")) ?? plates.plates[0];

function drawMap() {
  if (!plates?.plates.length) return;
  const { shape, wells } = plate();
  const by = chosen("by");
  byId("class-label").hidden = by !== "share";
  const most = Math.max(1, ...wells.map((well) => well.cells));
  const share = (well) => (by === "share" ? well.share : well.cells / most);
  const map = byId("map");
  map.replaceChildren();
  // Rows and columns where all wells have a place, else one behind the other.
  map.style.gridTemplateColumns = shape ? `1.6rem repeat(${shape[1]}, minmax(${shape[1] > 12 ? 1.35 : 2.3}rem, 3.4rem))` : "repeat(auto-fill, minmax(6rem, 1fr))";
  map.classList.toggle("dense", Boolean(shape) && shape[1] > 12);
  if (shape) heads(map, shape);
  for (const well of wells) map.append(tile(well, share(well), shape));
  byId("scale").replaceChildren(
    element("span", by === "share" ? `Share of cells given ${plates.class}:` : "Cells in the well:"),
    ...[0, 0.25, 0.5, 0.75, 1].map((part) => {
      const chip = element("span", "", "chip");
      const swatch = element("i");
      swatch.style.background = ramp(part);
      chip.append(swatch, element("span", by === "share" ? `${100 * part} %` : whole(Math.round(part * most))));
      return chip;
    }),
  );
}

function letters(row) {
  return row < 26 ? String.fromCharCode(65 + row) : `A${String.fromCharCode(65 + row - 26)}`;
}

function heads(map, [rows, columns]) {
  for (let column = 0; column < columns; column++) {
    const head = element("span", String(column + 1), "head");
    head.style.gridArea = `1 / ${column + 2}`;
    map.append(head);
  }
  for (let row = 0; row < rows; row++) {
    const head = element("span", letters(row), "head");
    head.style.gridArea = `${row + 2} / 1`;
    map.append(head);
    for (let column = 0; column < columns; column++) {
      const empty = element("span", "", "empty");
      empty.style.gridArea = `${row + 2} / ${column + 2}`;
      map.append(empty);
    }
  }
}

function tile(well, share, shape) {
  const now = state.read();
  const made = element("a", shape ? "" : well.well, "well");
  made.href = state.to("/fields", { plate: plate().plate, well: well.well, by: now.by, class: now.class });
  const words = [`${well.well}: ${counted(well.sites, "field")}, ${counted(well.cells, "cell")}`];
  if (well.share !== null) words.push(`${Math.round(100 * well.share)} % ${plates.class}`);
  if (well.labels.length) words.push(`label ${well.labels.join(", ")}`);
  made.title = words.join("\n");
  made.setAttribute("aria-label", words.join(", "));
  made.style.background = share === null ? OTHER : ramp(share);
  if (shape) {
    made.textContent = chosen("by") === "share" ? (well.share === null ? "" : Math.round(100 * well.share)) : well.cells;
    made.style.gridArea = `${well.place[0] + 2} / ${well.place[1] + 2}`;
  }
  if (now.well === well.well) made.setAttribute("aria-current", "true");
  made.classList.toggle("dark", (share ?? 1) < 0.32);
  made.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    state.change({ plate: plate().plate, well: now.well === well.well ? "" : well.well }, { push: true });
    drawMap();
    list().then(() => byId("count").scrollIntoView({ block: "nearest" }));
    byId("map").querySelector("[aria-current]")?.focus();
  });
  return made;
}

// Arrow keys move between wells as they lie on the plate.
byId("map").addEventListener("keydown", (event) => {
  const by = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
  const here = event.target.closest(".well");
  if (!by || !here) return;
  const { shape, wells } = plate();
  const tiles = [...byId("map").querySelectorAll(".well")];
  const at = tiles.indexOf(here);
  let next = tiles[at + by[0] + by[1]];
  if (shape) {
    const ahead = wells.map((well, n) => [n, (well.place[0] - wells[at].place[0]) * by[0] + (well.place[1] - wells[at].place[1]) * by[1], Math.abs((well.place[0] - wells[at].place[0]) * by[1]) + Math.abs((well.place[1] - wells[at].place[1]) * by[0])]);
    const best = ahead.filter(([, far]) => far > 0).sort((a, b) => a[2] - b[2] || a[1] - b[1])[0];
    next = best ? tiles[best[0]] : null;
  }
  event.preventDefault();
  next?.focus();
});

const listing = turns();
async function list({ more = false } = {}) {
  // What would be added belongs to a list that is about to go.
  if (more && renewing) return;
  const holds = listing();
  renewing = !more;
  const { plate: of, well, text } = state.read();
  const start = more ? listed : 0;
  try {
    const found = await api.fields({ plate: well ? of : "", well, text, start, count: AT_ONCE });
    if (!holds()) return;
    mended("list");
    const entries = found.fields.map(entry);
    if (more) byId("list").append(...entries);
    else byId("list").replaceChildren(...entries);
    listed = start + entries.length;
    const place = well ? ` of well ${[of, well].filter(Boolean).join(" ")}` : "";
    byId("count").textContent = `${counted(found.total, "field")}${place}${text ? ` with "${text}" in the name` : ""}`;
    byId("every").hidden = !well;
    byId("more").hidden = listed >= found.total;
  } catch (error) {
    if (!holds()) return;
    failed("list")(error);
    if (more) return;
    // The fields that are seen are others than those that were asked for.
    byId("list").replaceChildren();
    byId("more").hidden = true;
    byId("count").textContent = "No fields could be listed.";
  } finally {
    if (holds()) renewing = false;
  }
}

function entry(one) {
  const { well } = state.read();
  const made = link("", state.to("/field", { site: one.site, plate: well ? one.plate : "", well: well ? one.well : "" }));
  made.className = "thumb";
  const image = element("img");
  Object.assign(image, { loading: "lazy", alt: "", src: api.small(one.site), width: 240, height: 240 });
  const label = one.labels?.length ? one.labels.join(" + ") : "no label";
  made.append(image, element("b", one.site), element("span", `${counted(one.cells, "cell")} · ${label}`, "soft"));
  return made;
}

const sharing = turns();
async function loadPlates() {
  const holds = sharing();
  try {
    const found = await api.plates(chosen("class"));
    if (!holds()) return;
    mended("plates");
    plates = found;
    byId("plates").hidden = !plates.plates.length;
    drawMap();
  } catch (error) {
    if (holds()) failed("plates")(error);
  }
}

// The forms as the address says them.
function fill() {
  const now = state.read();
  for (const name of ["plate", "by", "class"]) {
    const select = shown.elements[name];
    select.value = now[name] ?? "";
    // A value of an old address that this run does not have, or none.
    if (select.selectedIndex < 0) select.selectedIndex = 0;
  }
  find.elements.text.value = now.text ?? "";
}

try {
  const run = await api.run();
  byId("name").textContent = run.name;
  document.title = `Fields of ${run.name} · cellwise`;
  // The token has become a cookie; it leaves the address.
  state.change({});
  for (const name of run.classes) shown.elements.class.append(new Option(name, name));
  searchable(shown.elements.class);
  if (!run.classes.length) shown.elements.by.options[1].remove();
  for (const name of run.plates) shown.elements.plate.append(new Option(name, name));
  byId("plate-label").hidden = run.plates.length < 2;
  fill();
  shown.addEventListener("change", (event) => {
    const { name } = event.target;
    state.change({ [name]: chosen(name), ...(name === "plate" ? { well: "" } : {}) });
    // All plates are there already, with the shares of one class.
    if (name === "class") loadPlates();
    else drawMap();
    if (name === "plate") list();
  });
  find.addEventListener("input", () => {
    state.change({ text: find.elements.text.value });
    list();
  });
  for (const form of [shown, find]) form.addEventListener("submit", (event) => event.preventDefault());
  byId("more").addEventListener("click", () => list({ more: true }));
  byId("every").addEventListener("click", () => {
    state.change({ well: "" }, { push: true });
    drawMap();
    list();
  });
  addEventListener("popstate", () => {
    fill();
    drawMap();
    loadPlates();
    list();
  });
  await Promise.all([loadPlates(), list()]);
} catch (error) {
  failed("run")(error);
}
showVisitor();
