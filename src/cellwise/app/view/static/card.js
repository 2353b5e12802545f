// The card of one cell: its image, its place, and all its probabilities.

import { draw } from "./channels.js";
import { setOpenCell } from "./state.js";

const dialog = document.getElementById("card");
dialog.addEventListener("close", () => setOpenCell(null));
dialog.addEventListener("click", (event) => {
  if (event.target === dialog) dialog.close();
});

export function element(name, text = "", css = "") {
  const made = document.createElement(name);
  made.textContent = text;
  if (css) made.className = css;
  return made;
}

export function number(value) {
  return value === null || value === undefined ? "–" : value.toFixed(2);
}

export function show(cell, calibration) {
  const title = element("h2", `Cell ${cell.cell} of field ${cell.site}`);
  title.id = "card-title";
  const close = element("button", "Close");
  close.type = "button";
  close.addEventListener("click", () => dialog.close());
  const parts = [title];
  if (cell.picture) parts.push(draw(cell, title.textContent));
  parts.push(facts(cell));
  if (Object.keys(cell.probabilities).length) parts.push(bars(cell), element("p", `Calibration: ${calibration}.`, "soft"));
  dialog.replaceChildren(...parts, close);
  setOpenCell(cell);
  if (!dialog.open) dialog.showModal();
  // The button that has the focus stands at the end; the image is to be seen first.
  dialog.scrollTop = 0;
}

function facts(cell) {
  const list = element("dl");
  const rows = [
    ["Well", [cell.plate, cell.well].filter(Boolean).join(" ")],
    ["Label of the field", cell.field_labels.join(" + ") || "none"],
    ["Classes given", cell.labels.join(" + ") || "none"],
    ["Uncertainty", cell.uncertainty === null ? "" : number(cell.uncertainty)],
    ["Area", `${cell.area} pixels`],
    ["Touches the edge", cell.border ? "yes" : "no"],
  ];
  for (const [name, value] of rows) {
    if (value) list.append(element("dt", name), element("dd", value));
  }
  return list;
}

function bars(cell) {
  const table = element("table");
  const rows = Object.entries(cell.probabilities).sort((a, b) => b[1] - a[1]);
  for (const [name, value] of rows) {
    const row = element("tr");
    const meter = element("meter");
    meter.min = 0;
    meter.max = 1;
    meter.value = value ?? 0;
    const holder = element("td");
    holder.append(meter);
    row.append(element("th", name), element("td", number(value)), holder);
    table.append(row);
  }
  return table;
}
