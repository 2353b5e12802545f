// Who looks at this page, beside the links to other pages; only where people log in.

import * as api from "./api.js";
import { button, element } from "./elements.js";

export async function showVisitor() {
  const nav = document.querySelector("nav");
  let told;
  try {
    told = await api.session();
  } catch {
    // What the page itself asks for says why.
    return;
  }
  if (!told.login || !nav) return;
  const holder = element("p", "", "visitor");
  holder.append(element("span", [told.who, told.role].filter(Boolean).join(" · ")), button("Log out", leave));
  nav.after(holder);
}

async function leave() {
  await api.post("/api/session/end", {});
  location.assign("/login");
}
