// What the map of cells says: its legend, how far a layout is, and corners in an address.

import { counted, whole } from "./elements.js";
import { classColour, ramp, STRANGE } from "./palette.js";

// Pairs of a colour and its words.
export function legend(run, by) {
  if (by === "class") return run.coloured.map((name) => [classColour(run.coloured, name), name]);
  if (by === "label") return [[STRANGE.no, "most likely class is a label of the field"], [STRANGE.yes, "it is none of them"]];
  if (by === "plate") {
    const names = run.plates.slice(0, 12);
    return names.map((name) => [classColour(names, name), run.plates.length > 12 ? `${name} and each twelfth after it` : name]);
  }
  return [0, 0.25, 0.5, 0.75, 1].map((share) => [ramp(share), String(share)]);
}

export function layoutWords({ step, cells, seconds, words }) {
  if (step === "failed") return `The map by UMAP could not be made: ${words}. Choose UMAP again for another try. PCA is shown.`;
  return `UMAP lays out ${cells ? counted(cells, "cell") : "the cells"}: ${whole(seconds)} s so far. It is shown when it is done, and kept while this server goes on; until then this is PCA.`;
}

export function limitWords({ installed, how, fitted, most }) {
  if (!installed) return how;
  return `up to ${whole(fitted)} cells, drawn by a fixed seed, are laid out together, others put among those that they are most like; of more than ${whole(most)} chance draws as many.`;
}

// Corners that an address holds.
export function pairs(text) {
  const numbers = text.split(",").map(Number);
  return Array.from({ length: numbers.length / 2 }, (_, n) => [numbers[2 * n], numbers[2 * n + 1]]);
}
