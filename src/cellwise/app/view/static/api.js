// The only module that fetches: the server's JSON, with errors as sentences.

async function ask(path) {
  const response = await fetch(path, { headers: { Accept: "application/json" } });
  if (response.ok) return response.json();
  if (response.status === 403) {
    throw new Error("This page's token is no longer valid. Open the address that `cellwise view` printed.");
  }
  if (response.status === 404) throw new Error("This run holds no such class.");
  throw new Error(`The server could not answer (${response.status}). Check the filters.`);
}

export const run = () => ask("/api/run");

export const cells = (state) => ask(`/api/cells?${new URLSearchParams(state)}`);

const place = (cell) => `/api/cells/${encodeURIComponent(cell.site)}/${cell.cell}`;

export const image = (cell, channels) => `${place(cell)}.png?channels=${channels.join(",")}`;

export const outline = (cell) => `${place(cell)}/outline.png`;
