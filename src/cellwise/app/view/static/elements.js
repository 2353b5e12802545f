// Parts of a page, with all text as text.

export function element(name, text = "", css = "") {
  const made = document.createElement(name);
  made.textContent = text;
  if (css) made.className = css;
  return made;
}

export const byId = (id) => document.getElementById(id);

export function button(text, act, css = "") {
  const made = element("button", text, css);
  made.type = "button";
  made.addEventListener("click", act);
  return made;
}

export function link(text, href) {
  const made = element("a", text);
  made.href = href;
  return made;
}

export function number(value) {
  return value === null || value === undefined ? "–" : value.toFixed(2);
}

export const whole = (count) => count.toLocaleString("en");

export const counted = (count, one, many = `${one}s`) => `${whole(count)} ${count === 1 ? one : many}`;

// A row of a list of facts; empty ones are left out.
export function facts(rows) {
  const list = element("dl");
  for (const [name, value] of rows) {
    if (value === "" || value === null || value === undefined) continue;
    const holder = element("dd");
    holder.append(value instanceof Node ? value : String(value));
    list.append(element("dt", name), holder);
  }
  return list;
}

// Whether a key belongs to the element that has the focus, and not to the page.
export function isTyping(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return true;
  return event.target instanceof Element && event.target.closest("input:not([type=checkbox], [type=range]), select, textarea") !== null;
}
