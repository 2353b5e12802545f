// The form of filters and order.

import * as api from "./api.js";
import { byId, element } from "./elements.js";
import { searchable } from "./searchable.js";
import { FILTERS } from "./state.js";

const form = byId("filters");
const field = (name) => form.elements[name];

function options(name, values, { show = values.length > 0 } = {}) {
  const select = field(name);
  for (const value of values) select.append(new Option(value, value));
  select.closest("label").hidden = !show;
}

export function offer(run) {
  options("class", run.classes);
  options("likeliest", run.classes);
  searchable(field("class"));
  searchable(field("likeliest"));
  options("plate", run.plates, { show: run.plates.length > 1 });
  options("well", run.wells);
  options("flag", run.flags);
  people(run.judges);
  options("sort", run.sorts.slice(5));
  for (const name of ["low", "high", "unsure", "sure", "assigned", "verdict"]) field(name).closest("label").hidden = run.classes.length === 0;
  field("disagrees").closest("label").hidden = !run.labelled || run.classes.length === 0;
  if (!run.classes.length) for (const word of ["", "uncertainty", "likeliest"]) field("sort").querySelector(`option[value="${word}"]`).remove();
  names(field("site"));
}

// Those who judged cells, of whom there may be more by now.
export function people(names) {
  const select = field("who");
  const there = new Set([...select.options].map((one) => one.value));
  for (const name of names) if (!there.has(name)) select.append(new Option(name, name));
}

// Names of fields that hold what was typed.
function names(input) {
  const list = byId("field-names");
  let turn = 0;
  input.addEventListener("input", async () => {
    const mine = ++turn;
    const found = await api.fields({ text: input.value, count: 20 }).catch(() => null);
    if (found && mine === turn) list.replaceChildren(...found.fields.map((one) => Object.assign(element("option"), { value: one.site })));
  });
}

export function fill(state, run) {
  for (const one of form.elements) {
    if (!one.name) continue;
    // Without classes cells stand by field: that is the order that is shown, too.
    const first = { class: run.classes[0] ?? "", sort: run.classes.length ? "" : "site" }[one.name] ?? "";
    one.value = state[one.name] ?? first;
    // A value of an old address that this run does not have.
    if (one instanceof HTMLSelectElement && one.selectedIndex < 0) one.selectedIndex = 0;
  }
  named();
}

export function asked(run) {
  const values = Object.fromEntries([...new FormData(form)].filter(([, value]) => value.trim()));
  if (values.class === run.classes[0]) delete values.class;
  if (!run.classes.length && values.sort === "site") delete values.sort;
  return values;
}

// Words for the order that go with what is ordered.
function named() {
  const words = field("sort").value === "site" || (field("sort").value === "" && !field("class").options.length) ? ["first to last", "last to first"] : ["largest first", "smallest first"];
  words.forEach((word, n) => { field("order").options[n].textContent = word; });
}

export function listen(changed) {
  form.addEventListener("change", () => {
    named();
    if (form.checkValidity()) changed();
    else form.reportValidity();
  });
  form.addEventListener("submit", (event) => event.preventDefault());
}

export const isFiltered = (state) => FILTERS.some((name) => state[name] && !["class", "sort", "order", "whole", "until"].includes(name));
