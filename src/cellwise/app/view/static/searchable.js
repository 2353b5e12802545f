// A list of many classes that is searched by typing; of few it stays a plain list.

import { element } from "./elements.js";

const MOST = 30;
let made = 0;

// The list keeps its name and value, so that forms and addresses read it as before.
export function searchable(select) {
  if (select.options.length <= MOST || select.dataset.searched) return;
  select.dataset.searched = "true";
  const [input, list] = [element("input"), element("datalist")];
  list.id = `searched-${(made += 1)}`;
  Object.assign(input, { type: "search", autocomplete: "off" });
  input.setAttribute("list", list.id);
  input.setAttribute("aria-label", `${select.closest("label")?.firstChild?.textContent?.trim() ?? "Class"}, type to search ${select.options.length}`);
  list.append(...[...select.options].map((one) => new Option(one.label, one.label)));
  const show = () => { input.value = select.selectedOptions[0]?.label ?? ""; };
  const own = Object.getOwnPropertyDescriptor(HTMLSelectElement.prototype, "value");
  Object.defineProperty(select, "value", {
    get() { return own.get.call(this); },
    set(value) { own.set.call(this, value); show(); },
  });
  select.before(input, list);
  select.hidden = true;
  show();
  input.addEventListener("focus", () => input.select());
  // Only the list speaks to the form.
  input.addEventListener("input", (event) => {
    event.stopPropagation();
    input.setCustomValidity("");
  });
  input.addEventListener("change", (event) => {
    event.stopPropagation();
    const found = match(select, input.value);
    input.setCustomValidity(found ? "" : `No class is called like that, or several are. Choose one of ${select.options.length}.`);
    if (!found) return input.reportValidity();
    select.value = found.value;
    return select.dispatchEvent(new Event(select.form?.id === "looks" ? "input" : "change", { bubbles: true }));
  });
}

// The option of this name, whatever the case; else the only one that holds what was typed.
function match(select, text) {
  const typed = text.trim().toLowerCase();
  const all = [...select.options];
  const exact = all.find((one) => one.label.toLowerCase() === typed);
  if (exact || !typed) return exact ?? all[0];
  const holding = all.filter((one) => one.label.toLowerCase().includes(typed));
  return holding.length === 1 ? holding[0] : null;
}
