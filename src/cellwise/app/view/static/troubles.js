// What is wrong, said until the part of the page that it is about is well again.

import { byId } from "./elements.js";

const known = new Map();

function tell() {
  const holder = byId("trouble");
  holder.textContent = [...new Set(known.values())].join(" ");
  holder.hidden = !known.size;
}

export function trouble(part, words) {
  if (words) known.set(part, words);
  else known.delete(part);
  tell();
}

// What may be done with an error of this part of the page.
export const failed = (part) => (error) => trouble(part, error.message);

export const well = (part) => trouble(part, "");
