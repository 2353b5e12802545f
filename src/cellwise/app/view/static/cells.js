// The page of cells: filters, gallery, selection, card.

import * as api from "./api.js";
import * as card from "./card.js";
import * as filters from "./filters.js";
import * as state from "./state.js";
import { calibrationWords } from "./calibration.js";
import { Channels } from "./channels.js";
import { Desk } from "./desk.js";
import { button, byId, counted, element, isTyping, link, whole } from "./elements.js";
import { Learn } from "./learn.js";
import { Gallery } from "./gallery.js";
import { classColour, OTHER } from "./palette.js";
import { Selection } from "./selection.js";
import { trouble, well } from "./troubles.js";
import { turns } from "./turns.js";
import { showVisitor } from "./visitor.js";

let run = null;
let gallery = null;
let channels = null;
let desk = null;
let learn = null;
const selection = new Selection(state.read().picked);
const asked = () => state.filters();

// What may be done with an error of this part of the page; the run may have been written anew.
const failed = (part) => (error) => (error.status === 409 ? begin() : trouble(part, error.message));
const fail = failed("cells");
const follow = () => desk.follow().then(() => well("desk"), failed("desk"));
// A card of a place, or of a promise of one.
const open = (place) => card.show(place).then(() => well("card"), failed("card"));

function showCells(at = 0) {
  trouble("run", run.trouble);
  well("cells");
  const now = state.read();
  gallery.show({ asked: asked(), channels: channels.text, size: now.size, lines: channels.lines.checked, at, stamp: run.stamp });
  legend();
  tools();
  count([0, -1, null]);
}

let told = 0;
function count([first, last, total]) {
  const words = byId("count");
  if (gallery.refused) words.textContent = "No cells could be listed.";
  else if (total === null) words.textContent = "Loading…";
  else if (!total) words.textContent = gallery.blocks.found.size ? `No cell fits these filters (${whole(run.cells)} in the run).` : words.textContent;
  else words.textContent = `Cells ${whole(first + 1)} to ${whole(last + 1)} of ${whole(total)}${total < run.cells ? ` (${whole(run.cells)} in the run)` : ""}`;
}

function moved(first, last, total) {
  clearTimeout(told);
  told = setTimeout(() => {
    // Before the first answer there is nothing to say.
    if (gallery.restored || gallery.refused) count([first, last, total]);
    if (total) state.change({ at: first ? String(first) : "" });
  }, 120);
}

function legend() {
  const holder = byId("legend");
  const chosen = state.read().likeliest ?? "";
  const chips = run.coloured.map((name) => {
    const swatch = element("i");
    swatch.style.background = classColour(run.coloured, name);
    const chip = button("", () => filter({ likeliest: chosen === name ? "" : name }), "chip");
    chip.append(swatch, element("span", name));
    chip.setAttribute("aria-pressed", chosen === name);
    return chip;
  });
  if (run.classes.length > run.coloured.length) {
    const other = element("span", "", "chip");
    const swatch = element("i");
    swatch.style.background = OTHER;
    other.append(swatch, element("span", `${run.classes.length - run.coloured.length} other classes`));
    chips.push(other);
  }
  holder.replaceChildren(...(chips.length ? [element("span", "Most likely class:"), ...chips] : []));
}

// Change filters by anything but the form.
function filter(values) {
  state.change({ ...values, at: "" }, { push: true });
  filters.fill(state.read(), run);
  showCells();
}

// These filters in place of all others, and of a queue.
function alone(values) {
  const now = state.read();
  desk.drop();
  const kept = Object.fromEntries(["size", "channels", "lines", "desk", "whole", "class"].map((name) => [name, now[name]]));
  state.write({ ...kept, picked: selection.short, ...values }, { push: true });
  filters.fill(state.read(), run);
  follow();
  showCells();
}

function chosen() {
  const bar = byId("chosen");
  bar.hidden = !selection.size;
  state.change({ picked: selection.short });
  if (!selection.size) return;
  const text = selection.text;
  const parts = [element("b", `${counted(selection.size, "cell")} chosen`)];
  if (text.length < 30000) {
    parts.push(button("Show only these", () => filter({ chosen: text })));
    const save = link("Save as CSV", api.table({ chosen: text, sort: "site" }));
    save.download = "cells.csv";
    parts.push(save);
  }
  parts.push(button("Clear", () => selection.clear()));
  if (!selection.short) parts.push(element("small", "too many to stand in the address"));
  byId("chosen-words").replaceChildren(...parts);
}

function resize(step) {
  const size = gallery.larger(step);
  state.change({ size: String(size) });
  gallery.redraw({ size });
  tools();
}

function tools() {
  byId("smaller").disabled = gallery.larger(-1) === gallery.size;
  byId("larger").disabled = gallery.larger(1) === gallery.size;
}

function looks(what) {
  state.change({ channels: channels.remembered, lines: channels.lines.checked ? "" : "no" });
  gallery.redraw({ channels: channels.text, lines: channels.lines.checked });
  if (card.isOpen()) card.redraw(what);
}

function openLinked() {
  const linked = state.openCell();
  if (linked) open(linked);
  return Boolean(linked);
}

// The next cell of the gallery, while a card is open.
function step(by) {
  gallery.go(gallery.active + by);
  gallery.openActive();
}

function choosing() {
  gallery.choosing = !gallery.choosing;
  byId("choose").setAttribute("aria-pressed", gallery.choosing);
}

// With Shift a figure is another sign on most keyboards.
const figure = (event) => (event.shiftKey ? /^Digit([1-9])$/.exec(event.code)?.[1] ?? event.key : event.key);

document.addEventListener("keydown", (event) => {
  if (!run || desk?.press(event) || isTyping(event)) return;
  if (card.isOpen()) {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (by) step(by);
    else channels.press(figure(event));
    return;
  }
  if (channels.press(figure(event))) return;
  if (event.key === "+" || event.key === "=") resize(1);
  else if (event.key === "-") resize(-1);
  else if (event.key.toLowerCase() === "j") byId("judge").click();
  else if (event.key === "s" || event.key === "S") choosing();
  else if (event.key.startsWith("Arrow") && event.target === document.body) byId("gallery").focus();
});

function buttons() {
  byId("smaller").addEventListener("click", () => resize(-1));
  byId("larger").addEventListener("click", () => resize(1));
  byId("choose").addEventListener("click", choosing);
  byId("reset").addEventListener("click", () => {
    desk.drop();
    const { size, channels: shown, lines, desk: judging } = state.read();
    state.write({ size, channels: shown, lines, desk: judging, picked: selection.short }, { push: true });
    follow();
    filters.fill(state.read(), run);
    showCells();
  });
  filters.listen(() => {
    const now = state.read();
    const kept = Object.fromEntries(["size", "channels", "lines", "picked", "chosen", "within", "scatter", "desk", "queue", "whole", "until"].map((name) => [name, now[name]]));
    state.write({ ...kept, ...filters.asked(run) }, { push: true });
    follow();
    showCells();
  });
  addEventListener("popstate", () => {
    desk.drop();
    // Going back leaves what was chosen, and how cells look.
    state.change({ picked: selection.short, channels: channels.remembered, lines: channels.lines.checked ? "" : "no" });
    filters.fill(state.read(), run);
    follow();
    showCells(Number(state.read().at ?? 0));
    if (!openLinked()) card.close();
  });
  selection.addEventListener("change", chosen);
}

function notes() {
  byId("note").textContent = run.calibration ? `Calibration of the probabilities: ${calibrationWords(run)}.` : "This run gave no classes: cells stand by field.";
  byId("scale").hidden = !run.pictures || run.sized === run.sites;
  byId("gone").hidden = run.pictures;
  byId("unfinished").hidden = run.status === "done" || run.status === null || run.status === undefined;
  byId("unfinished").textContent = `This run is not finished (${run.status}): what you see may still change.`;
}

// Asked again where it could not be had.
function lookAtLearning() {
  learn.look().then(() => well("learn"), (error) => {
    failed("learn")(error);
    if (!(error.status < 500)) setTimeout(lookAtLearning, 3000);
  });
}

let begun = false;
const beginning = turns();
async function begin() {
  const holds = beginning();
  try {
    const found = await api.run();
    if (!holds()) return;
    well("begin");
    const cells = run?.cells_stamp;
    run = found;
    byId("name").textContent = run.name;
    document.title = `Cells of ${run.name} · cellwise`;
    if (!begun) {
      begun = true;
      const now = state.read();
      filters.offer(run);
      channels = new Channels(byId("channels"), run.crop_channels, { most: run.most, text: now.channels, lines: now.lines !== "no", changed: looks });
      byId("channels").hidden = !run.pictures;
      gallery = new Gallery({
        holder: byId("gallery"), spacer: byId("spacer"), canvas: byId("canvas"), option: byId("active-cell"),
        selection, run, open, moved, failed: fail, well: () => well("cells"),
      });
      gallery.rowsBetween = async (start, stop) => (await api.rows(asked(), start, stop)).rows;
      card.prepare({ run, channels, step, shown: () => desk.panel.draw(), closed: () => byId("gallery").focus({ preventScroll: true }) });
      desk = new Desk({ run, gallery, selection, card, step, alone, trouble: failed("desk"), show: () => { filters.fill(state.read(), run); showCells(); } });
      desk.said.addEventListener("loaded", () => well("desk"));
      learn = new Learn({ desk, renew: begin, only: (text) => alone({ chosen: text }) });
      buttons();
      byId("side").open = !matchMedia("(max-width: 56rem)").matches;
    } else {
      // The run was written anew: its rows are other cells.
      selection.clear();
      if (run.cells_stamp !== cells) {
        card.close();
        state.setOpenCell(null);
      }
      gallery.run = run;
      desk.run = run;
      desk.said.forget();
    }
    filters.people(run.judges);
    notes();
    filters.fill(state.read(), run);
    chosen();
    showCells(Number(state.read().at ?? 0));
    tools();
    await desk.begin().then(() => well("desk"), failed("desk"));
    if (!holds()) return;
    if (!learn.state && desk.now?.classes.length) lookAtLearning();
    if (holds()) openLinked();
  } catch (error) {
    if (holds()) trouble("begin", error.message);
  }
}

await begin();
showVisitor();
