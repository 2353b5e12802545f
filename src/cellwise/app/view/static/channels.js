// What is drawn of every cell: which channels, and whether its outline; by box or by key.

import { image, outline } from "./api.js";
import { element } from "./card.js";

const fields = document.getElementById("channels");
let boxes = [];
let lines = null;
let most = 4;

function box(label, name, checked) {
  const holder = element("label");
  const made = element("input");
  made.type = "checkbox";
  made.name = name;
  made.checked = checked;
  holder.append(made, ...label);
  fields.append(holder);
  return made;
}

function limit() {
  const full = boxes.filter((one) => one.checked).length >= most;
  for (const one of boxes) one.disabled = full && !one.checked;
}

function key(word) {
  const made = element("kbd", word);
  made.setAttribute("aria-hidden", "true");
  return made;
}

// Channels by the keys 1 to 9, outlines by O.
export function offer(run) {
  most = run.most;
  fields.hidden = !run.pictures;
  boxes = run.channels.map((channel, place) => {
    const swatch = element("i");
    // White alone would look like an empty box.
    swatch.style.background = run.channels.length === 1 ? `linear-gradient(90deg, #000, ${channel.code})` : channel.code;
    const words = element("span", channel.name + " ");
    words.append(element("small", [channel.role, channel.colour].filter(Boolean).join(", ")));
    const made = box([swatch, words, ...(place < 9 ? [key(String(place + 1))] : [])], `channel-${place}`, channel.shown);
    made.addEventListener("change", () => {
      limit();
      redraw();
    });
    return made;
  });
  if (boxes.length > most) fields.append(element("small", `at most ${most} at once`));
  lines = box([element("span", "outlines "), key("o")], "outlines", true);
  lines.addEventListener("change", redraw);
  limit();
}

export function press(name) {
  const asked = name === "o" || name === "O" ? lines : boxes[Number(name) - 1];
  if (!asked || fields.hidden) return false;
  if (!asked.disabled) asked.click();
  return true;
}

function shown() {
  return boxes.flatMap((one, place) => (one.checked ? [place] : []));
}

function fill(stack) {
  const { site, cell } = stack.dataset;
  const [over, under] = [stack.querySelector(".lines"), stack.querySelector(".image")];
  under.src = image({ site, cell }, shown());
  over.hidden = !lines.checked;
  if (lines.checked) over.src = outline({ site, cell });
}

function redraw() {
  for (const stack of document.querySelectorAll(".stack")) fill(stack);
}

// A cell with what lies over it: outline and scale bar.
export function draw(cell, words = "") {
  const stack = element("span", "", "stack");
  stack.dataset.site = cell.site;
  stack.dataset.cell = cell.cell;
  for (const name of ["image", "lines"]) {
    const made = element("img", "", name);
    made.loading = "lazy";
    made.alt = name === "image" ? words : "";
    stack.append(made);
  }
  if (cell.bar) {
    const bar = element("span", "", "scale");
    bar.style.width = `${100 * cell.bar.share}%`;
    bar.append(element("span", cell.bar.words));
    stack.append(bar);
  }
  stack.querySelector(".lines").addEventListener("error", (event) => { event.target.hidden = true; });
  fill(stack);
  return stack;
}
