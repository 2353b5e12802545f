// The state of a page lies in its address: filters and view in the query, the open cell after the `#`.

// What decides which cells are shown, and in which order.
export const FILTERS = [
  "class", "plate", "well", "site", "assigned", "likeliest", "disagrees", "low", "high", "unsure", "sure",
  "border", "flag", "who", "verdict", "queue", "whole", "until", "chosen", "within", "scatter", "sort", "order",
];

const short = (values) => Object.fromEntries(Object.entries(values).filter(([, value]) => value !== "" && value !== null && value !== undefined));

export function read() {
  return Object.fromEntries(new URLSearchParams(location.search));
}

export function filters(state = read()) {
  return Object.fromEntries(FILTERS.filter((name) => state[name]).map((name) => [name, state[name]]));
}

function address(state, hash) {
  const kept = short(state);
  // The token has become a cookie: it is not to be bookmarked or sent on.
  delete kept.token;
  const query = new URLSearchParams(kept).toString();
  return location.pathname + (query ? `?${query}` : "") + hash;
}

// `push` makes a step that the Back button undoes.
export function write(state, { push = false } = {}) {
  const wanted = address(state, push ? "" : location.hash);
  if (wanted === location.pathname + location.search + location.hash) return;
  if (push) history.pushState(null, "", wanted);
  else history.replaceState(null, "", wanted);
}

export const change = (values, how) => write({ ...read(), ...values }, how);

export function openCell() {
  const match = /^#cell=([^/]+)\/(\d+)$/.exec(location.hash);
  if (!match) return null;
  try {
    return { site: decodeURIComponent(match[1]), cell: Number(match[2]) };
  } catch {
    return null;
  }
}

export function setOpenCell(cell) {
  const hash = cell ? `#cell=${encodeURIComponent(cell.site)}/${cell.cell}` : "";
  history.replaceState(null, "", address(read(), hash));
}

// The address of another page with the filters that it shares.
export function to(page, values) {
  return `${page}?${new URLSearchParams(short(values))}`;
}
