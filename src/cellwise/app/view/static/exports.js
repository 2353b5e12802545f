// Exports: what there is for this run, having one made, and fetching it.

import * as api from "./api.js";
import { button, byId, counted, element, link } from "./elements.js";
import { showVisitor } from "./visitor.js";

const EVERY = 800;
const UNITS = ["B", "KB", "MB", "GB", "TB"];
const rows = new Map();
let told = null;
let timer = 0;

function size(bytes) {
  let number = bytes;
  let unit = 0;
  while (number >= 1000 && unit < UNITS.length - 1) {
    number /= 1000;
    unit += 1;
  }
  return `${number >= 100 || unit === 0 ? Math.round(number) : number.toPrecision(2)} ${UNITS[unit]}`;
}

const when = (seconds) => new Date(seconds * 1000).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" });
const isUnderWay = (one) => one.state !== null && ["waiting", "working"].includes(one.state.step);

function fail(error) {
  byId("trouble").textContent = error.message;
  byId("trouble").hidden = false;
}

function words({ state, kept, folder }) {
  if (state?.step === "waiting") return "Waits for the one before it.";
  if (state?.step === "working" && state.total) return `Field ${state.done} of ${state.total}`;
  if (state?.step === "working") return "Is being made…";
  if (state?.step === "failed") return state.words;
  const lost = state?.step === "done" && state.n_lost ? ` ${counted(state.n_lost, "field")} could not be written: ${state.lost.map((one) => `${one.site} (${one.why})`).join("; ")}` : "";
  const stopped = state?.step === "stopped" ? "Stopped. " : "";
  if (!kept) return `${stopped}Not made yet.`;
  const older = kept.older ? " The run has changed since." : "";
  return `${stopped}${folder ? "Folder" : "File"} of ${size(kept.size)}, made ${when(kept.when)}.${older}${lost}`;
}

function row(one) {
  const item = element("li");
  item.id = `export-${one.name}`;
  const head = element("h2", one.opens);
  const state = element("p", "", "soft");
  state.id = `state-${one.name}`;
  const bar = element("progress");
  bar.setAttribute("aria-labelledby", state.id);
  const tools = element("div", "", "row");
  const holds = element("p", `${one.holds} `);
  holds.append(element("code", one.name, "soft"));
  item.append(head, holds, state, bar, tools);
  rows.set(one.name, { item, state, bar, tools, shown: "" });
  return item;
}

function draw(one) {
  const { state, bar, tools, item } = rows.get(one.name);
  state.textContent = words(one);
  item.classList.toggle("failed", one.state?.step === "failed");
  bar.hidden = one.state?.step !== "working";
  if (one.state?.total) {
    bar.max = one.state.total;
    bar.value = one.state.done;
  } else bar.removeAttribute("value");
  const mayMake = told.role === "editor" && !told.read_only;
  const wanted = [isUnderWay(one) ? "stop" : "make", one.kept ? "fetch" : "", mayMake].join();
  // Buttons are drawn anew only where they differ, so that the focus stays.
  if (rows.get(one.name).shown === wanted) return;
  rows.get(one.name).shown = wanted;
  const made = [];
  if (mayMake && isUnderWay(one)) made.push(button("Stop", () => act("stop", one.name)));
  else if (mayMake) made.push(button(one.kept ? "Make again" : "Make", () => act("make", one.name)));
  if (one.kept) {
    const fetched = link(one.folder ? "Download as zip" : "Download", api.exportFile(one.name));
    fetched.className = "button";
    fetched.setAttribute("download", "");
    made.push(fetched);
  }
  for (const tool of made) tool.setAttribute("aria-describedby", item.id);
  const hadFocus = tools.contains(document.activeElement);
  tools.replaceChildren(...made);
  if (hadFocus) made[0]?.focus();
}

function say(now, before) {
  for (const one of now.exports) {
    const was = before?.exports.find((other) => other.name === one.name);
    if (was && isUnderWay(was) && !isUnderWay(one)) byId("told").textContent = `${one.name}: ${words(one)}`;
  }
}

async function look() {
  clearTimeout(timer);
  try {
    const now = await api.exports();
    say(now, told);
    told = now;
    byId("trouble").hidden = true;
    for (const one of now.exports) if (rows.has(one.name)) draw(one);
  } catch (error) {
    fail(error);
    return;
  }
  if (told.exports.some(isUnderWay)) timer = setTimeout(look, EVERY);
}

async function act(what, name) {
  try {
    await (what === "make" ? api.makeExport(name) : api.stopExport(name));
  } catch (error) {
    fail(error);
    return;
  }
  await look();
}

try {
  told = await api.exports();
  byId("name").textContent = told.run;
  byId("folder").textContent = `${told.run}/exports`;
  const offered = told.exports.filter((one) => !one.missing);
  byId("exports").append(...offered.map(row));
  for (const one of offered) draw(one);
  const others = told.exports.filter((one) => one.missing);
  byId("others").hidden = others.length === 0;
  byId("missing").append(...others.map((one) => element("li", `${one.name} (for ${one.opens}): ${one.missing}`)));
  const viewer = "You may download what is there. Exports are made by editors: whoever started the page lets people make them with `cellwise view RUN --edit`.";
  byId("only").textContent = told.read_only || viewer;
  byId("only").hidden = told.role === "editor" && !told.read_only;
  byId("judged").hidden = !told.judged;
  byId("judged").textContent = `${counted(told.judged, "cell")} judged by people: labels and probabilities are those of the models, and what people said stands beside them (Verdict_yes, Verdict_no, Verdict_unsure) for tables, scanpy, spatialdata and QuPath. Cells, Judge, “Counts, tables, learn again” has all verdicts as CSV, and trains on them.`;
  if (!told.has_cells) for (const name of ["fields", "cells", "map"]) document.querySelector(`nav a[href="/${name}"]`).remove();
  await look();
} catch (error) {
  fail(error);
}
showVisitor();
