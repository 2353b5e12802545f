// What the page of one field says beside its image: facts, the legend, what is missing, its lists.

import { button, counted, element, facts, link } from "./elements.js";
import { classColour, OTHER, ramp, STRANGE } from "./palette.js";
import * as state from "./state.js";

const SHOWN = 14;

export function goneWords({ source, trouble }, run) {
  if (source === "image") return "";
  const kept = run.pictures ? "What is shown is put together from the images of single cells that the run kept; there is nothing between them." : "The run kept no images of single cells: outlines are shown alone.";
  return `The image files of this field cannot be read. ${trouble} ${kept}`;
}

export function aboutParts(field, run) {
  const within = [state.read().plate, state.read().well].filter(Boolean).join(" ");
  const links = element("p", "", "links");
  links.append(link("Its cells as a list", state.to("/cells", { site: field.site })));
  if (field.well) links.append(link(`Well ${field.well}`, state.to("/fields", { plate: field.plate, well: field.well })));
  return [
    facts([
      ["Field", `${field.number} of ${field.of}${within ? ` in ${within}` : ""}`],
      ["Plate", field.plate],
      ["Well", field.well],
      ["Label of the field", field.labels?.join(" + ") || "none"],
      ["Cells", String(field.cells)],
      ["Most likely class differs from the label", field.labels?.length && run.classes.length ? counted(field.disagrees.length, "cell") : ""],
      ["Size", field.frame ? `${field.frame[1]} × ${field.frame[0]} pixels` : ""],
      ...Object.entries(field.metadata).filter(([name]) => !["RawId", "Well", "Plate"].includes(name)).slice(0, 10),
    ]),
    links,
  ];
}

// Parts of the legend; `toggled` hides and shows the cells of a class.
export function legendParts(by, { field, run, name, hidden, toggled }) {
  if (by === "probability" || by === "uncertainty") {
    const steps = [0, 0.25, 0.5, 0.75, 1].map((share) => chip(ramp(share), String(share)));
    return [element("span", by === "probability" ? `Probability of ${name}:` : "Uncertainty:"), ...steps];
  }
  if (by === "label") {
    return field.labels?.length ? [chip(STRANGE.no, "most likely class is a label of the field"), chip(STRANGE.yes, "it is none of them")] : [element("span", "This field has no label.")];
  }
  return by === "class" ? classes(field, run, hidden, toggled) : [];
}

function chip(colour, words) {
  const made = element("span", "", "chip");
  const swatch = element("i");
  swatch.style.background = colour;
  made.append(swatch, element("span", words));
  return made;
}

// Most likely classes of this field with their counts; each can be hidden.
function classes(field, run, hidden, toggled) {
  const counts = new Map();
  for (const code of field.best) counts.set(code, (counts.get(code) ?? 0) + 1);
  const sorted = [...counts].sort((a, b) => b[1] - a[1]);
  const chips = sorted.slice(0, SHOWN).map(([code, count]) => {
    const name = code < 0 ? null : run.classes[code];
    const swatch = element("i");
    swatch.style.background = name === null ? OTHER : classColour(run.coloured, name);
    const made = button("", () => toggled(name), "chip");
    made.append(swatch, element("span", `${name ?? "nothing said"} ${count}`));
    made.setAttribute("aria-pressed", !hidden.has(name));
    return made;
  });
  if (sorted.length > SHOWN) chips.push(element("span", `${sorted.length - SHOWN} more classes`));
  return [element("span", run.classes.length ? "Most likely class:" : ""), ...chips];
}

// What outlines can be coloured by, with its words.
export function coloursBy(run) {
  const one = ["one", "one colour"];
  if (!run.classes.length) return [one];
  return [["class", "most likely class"], ["probability", "probability of a class"], ["uncertainty", "uncertainty"], ...(run.labelled ? [["label", "agreement with the field's label"]] : []), one];
}

// Cells from left to right in rows of about their own height.
export function inRows(field) {
  const height = (field.frame?.[0] ?? 1000) / Math.max(4, Math.sqrt(field.cell.length));
  return field.cell.map((_, n) => n).sort((a, b) => Math.floor(field.y[a] / height) - Math.floor(field.y[b] / height) || field.x[a] - field.x[b]);
}

// Channels of fields as the card, which shows the images of single cells, names them.
export function cropChannels(run, channels) {
  return {
    get lines() { return channels.lines; },
    get text() {
      const names = run.crop_channels.map((one) => one.name);
      const shown = channels.rows.filter((row) => row.box.checked).map((row) => names.indexOf(row.channel.name)).filter((place) => place >= 0);
      return shown.join(",") || "none";
    },
  };
}
