"use strict";
const links = new Map(
  [...document.querySelectorAll("nav a")].map((link) => [link.hash.slice(1), link]),
);
const seen = new Set();
const watcher = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    if (isIntersecting) seen.add(target.id);
    else seen.delete(target.id);
  }
  let current = true;
  for (const [id, link] of links) {
    const here = current && seen.has(id);
    if (here) {
      link.setAttribute("aria-current", "true");
      current = false;
    } else link.removeAttribute("aria-current");
  }
}, { rootMargin: "-10% 0px -60% 0px" });
for (const section of document.querySelectorAll("main > section")) watcher.observe(section);

for (const button of document.querySelectorAll("button[data-copies]")) {
  button.addEventListener("click", () => {
    const source = document.getElementById(button.dataset.copies);
    const range = document.createRange();
    range.selectNodeContents(source);
    const selection = window.getSelection();
    selection.removeAllRanges();
    selection.addRange(range);
    // Pages opened by double-click may not use the clipboard interface in every browser.
    const copied = document.execCommand("copy");
    button.textContent = copied ? "Copied" : "Selected: press Ctrl+C";
  });
}

// What is wider than the screen is scrolled with the keyboard too; what fits is no stop on the way.
const wide = [...document.querySelectorAll(".table, .scroll")];
const sized = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    const over = target.scrollWidth > target.clientWidth;
    if (over) target.tabIndex = 0;
    else target.removeAttribute("tabindex");
    if (over && target.matches(".table")) {
      target.setAttribute("role", "region");
      target.setAttribute("aria-label", `Table ${wide.indexOf(target) + 1}, wider than the screen`);
    } else for (const name of ["role", "aria-label"]) target.removeAttribute(name);
  }
});
for (const holder of wide) sized.observe(holder);

const viewer = document.createElement("dialog");
viewer.className = "viewer";
document.body.append(viewer);
viewer.addEventListener("click", () => viewer.close());
for (const button of document.querySelectorAll("button.enlarge")) {
  button.addEventListener("click", () => {
    viewer.classList.toggle("dim", button.closest(".dim") !== null);
    viewer.replaceChildren(button.querySelector(".stack").cloneNode(true));
    const words = document.createElement("p");
    words.textContent = button.getAttribute("aria-label");
    viewer.append(words);
    viewer.showModal();
  });
}

// The same file is also served by `cellwise view`, where every cell can be looked at.
if (location.protocol.startsWith("http")) {
  const contents = document.querySelector("nav");
  const pages = [["/exports", "Exports →"]];
  if ("cells" in contents.dataset) pages.push(["/cells", "All cells →"]);
  for (const [address, words] of pages) {
    const entry = document.createElement("li");
    const link = document.createElement("a");
    link.href = address;
    link.textContent = words;
    entry.append(link);
    contents.querySelector("ol").prepend(entry);
  }
}
