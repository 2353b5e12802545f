// Colours of classes and of numbers, told apart by people who do not see red or green as others do.

// Light colours for dark images; the first eight differ in lightness where hues come near.
const COLOURS = [
  "#56b4e9", "#ffb000", "#00d09e", "#ff7ab8", "#f0e442", "#b79cff", "#ff6a3d", "#9be7ff", "#c8d96f", "#e8c39e", "#ff9e9e", "#7fa8ff",
];
export const OTHER = "#c9ccd1";

const RAMP = [[68, 92, 200], [60, 160, 220], [90, 215, 170], [235, 225, 80], [255, 250, 210]];

export function classColour(coloured, name) {
  const place = coloured.indexOf(name);
  return place < 0 ? OTHER : COLOURS[place % COLOURS.length];
}

// A number of 0..1 in sixteen steps, so that cells of a step are drawn in one go.
export function ramp(share) {
  if (share === null || share === undefined) return OTHER;
  const at = Math.min(15, Math.floor(Math.max(0, share) * 16)) / 15 * (RAMP.length - 1);
  const low = Math.min(RAMP.length - 2, Math.floor(at));
  const mix = RAMP[low].map((part, n) => Math.round(part + (RAMP[low + 1][n] - part) * (at - low)));
  return `rgb(${mix.join(" ")})`;
}

export const STRANGE = { yes: "#ff7a3d", no: "#5fb7e5" };
