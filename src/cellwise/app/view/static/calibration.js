// What the probabilities of a run were fitted against, in words.

const WORDS = {
  weak: "weak: fitted against field labels, no person has judged single cells",
  audited: "audited: fitted against cells drawn at random and judged by people",
  none: "none: the model's own numbers",
};
const SHOWN = 6;

export function calibrationWords({ calibration, audited = [] }) {
  if (calibration === "audited" || !audited.length) return WORDS[calibration];
  const names = audited.slice(0, SHOWN).join(", ") + (audited.length > SHOWN ? ` and ${audited.length - SHOWN} more` : "");
  const others = calibration === "none" ? "the model's own numbers" : "weak, fitted against field labels";
  return `audited for ${names} (fitted against cells drawn at random and judged by people); of the other classes ${others}`;
}
