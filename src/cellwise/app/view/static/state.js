// The state of the page lies in its address: filters in the query, the open cell after the `#`.

const NAMES = ["class", "plate", "well", "site", "assigned", "low", "high", "unsure", "sort", "order", "page"];

export function read() {
  const query = new URLSearchParams(location.search);
  return Object.fromEntries(NAMES.filter((name) => query.get(name)).map((name) => [name, query.get(name)]));
}

export function write(state) {
  const kept = Object.fromEntries(Object.entries(state).filter(([name, value]) => NAMES.includes(name) && value));
  if (kept.page === "1") delete kept.page;
  const query = new URLSearchParams(kept).toString();
  const address = query ? `/cells?${query}` : "/cells";
  if (address !== location.pathname + location.search) history.pushState(null, "", address);
}

export function openCell() {
  const match = /^#cell=([^/]+)\/(\d+)$/.exec(location.hash);
  return match ? { site: decodeURIComponent(match[1]), cell: Number(match[2]) } : null;
}

export function setOpenCell(cell) {
  const hash = cell ? `#cell=${encodeURIComponent(cell.site)}/${cell.cell}` : "";
  history.replaceState(null, "", location.pathname + location.search + hash);
}
