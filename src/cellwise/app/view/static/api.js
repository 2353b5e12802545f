// The only module that fetches: the server's answers, with errors as sentences.

const TOKEN = "This page's token is no longer valid. Open the address that `cellwise view` printed.";
const GONE = "The server does not answer. Is `cellwise view` still running?";

async function ask(path, signal, sent = {}) {
  let response;
  try {
    response = await fetch(path, { signal, ...sent });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error(GONE);
  }
  if (response.ok) return response;
  throw Object.assign(new Error(await words(response)), { status: response.status });
}

async function words(response) {
  const isJson = (response.headers.get("content-type") ?? "").startsWith("application/json");
  if (response.status === 403 && !isJson) return TOKEN;
  try {
    const { detail } = await response.json();
    if (typeof detail === "string") return detail;
    // Values out of range, as the server names them.
    return `Check ${detail.map((one) => one.loc.at(-1)).join(", ")}: ${detail[0].msg}.`;
  } catch {
    return `The server could not answer (${response.status}).`;
  }
}

const json = async (path, signal) => (await ask(path, signal)).json();
const bytes = async (path, signal) => (await ask(path, signal)).arrayBuffer();

// Nothing where there is nothing to be seen.
async function picture(path, signal) {
  const answer = await ask(path, signal);
  return answer.status === 204 ? null : createImageBitmap(await answer.blob());
}

// Who looks at this page: { who, role, csrf }; asked for once.
let known = null;

export function session() {
  known ??= json("/api/session").catch((error) => {
    known = null;
    throw error;
  });
  return known;
}

// What changes something; the answer is JSON.
export async function post(path, body, signal) {
  const { csrf } = await session();
  const headers = { "Content-Type": "application/json", "X-Cellwise-Token": csrf };
  try {
    return await (await ask(path, signal, { method: "POST", headers, body: JSON.stringify(body) })).json();
  } catch (error) {
    // The session may be another one by now: the next try asks who it is.
    if (error.status === 403) known = null;
    throw error;
  }
}

export async function giveName(who) {
  known = Promise.resolve(await post("/api/session", { who }));
  return known;
}

const query = (values) => new URLSearchParams(Object.entries(values).filter(([, value]) => value !== undefined && value !== null && value !== ""));

export const run = () => json("/api/run");
export const cells = (asked, signal) => json(`/api/cells?${query(asked)}`, signal);
export const sheet = (asked, signal) => picture(`/api/cells/sheet.jpg?${query(asked)}`, signal);
export const outlines = (asked, signal) => bytes(`/api/cells/outlines.bin?${query(asked)}`, signal);
export const rows = (asked, start, stop) => json(`/api/cells/rows?${query({ ...asked, start, stop })}`);
export const where = (asked, row) => json(`/api/cells/where?${query({ ...asked, row })}`);
export const table = (asked) => `/api/cells.csv?${query(asked)}`;

const place = ({ site, cell }) => `/api/cells/${encodeURIComponent(site)}/${cell}`;
export const cell = (one) => json(place(one));
export const cellImage = (one, channels, size, signal) => picture(`${place(one)}/image.jpg?channels=${channels}&size=${size}`, signal);

export const map = () => json("/api/map");
export const mapPoints = async (name) => new Float32Array(await bytes(`/api/map/points.bin?${query({ name })}`));
export const mapUmap = (name) => json(`/api/map/umap?${query({ name })}`);
export const mapValues = async (by, name) => new Uint8Array(await bytes(`/api/map/values.bin?${query({ by, class: name })}`));
export const plates = (name) => json(`/api/plates?${query({ class: name })}`);
export const fields = (asked, signal) => json(`/api/fields?${query(asked)}`, signal);
const fieldPlace = (site) => `/api/fields/${encodeURIComponent(site)}`;
export const field = (site, asked) => json(`${fieldPlace(site)}?${query(asked)}`);
export const fieldImage = (site, channels) => json(`${fieldPlace(site)}/image${channels === null ? "" : `?channels=${channels}`}`);
export const fieldContrast = (site) => json(`${fieldPlace(site)}/contrast`);
export const fieldOutlines = (site) => bytes(`${fieldPlace(site)}/outlines.bin`);
export const fieldChances = (site, name) => json(`${fieldPlace(site)}/probabilities?${query({ class: name })}`);
export const fieldMap = (site, step, name) => picture(`${fieldPlace(site)}/map.png?${query({ step, class: name })}`);
export const small = (site) => `${fieldPlace(site)}/small.jpg`;
export const tile = (site, level, row, column, channels, signal) => picture(`${fieldPlace(site)}/tiles/${level}/${row}/${column}.jpg?channels=${channels}`, signal);

export const exports = () => json("/api/exports");
export const makeExport = (name) => post("/api/exports", { name });
export const stopExport = (name) => post("/api/exports/stop", { name });
export const exportFile = (name) => `/api/exports/${encodeURIComponent(name)}/file`;

export const get = json;
export const desk = () => json("/api/desk");
export const said = (name) => json(`/api/desk/said?${query({ class: name })}`);
export const saidWhole = () => json("/api/desk/said?whole=yes");
export const saidOfCell = (row) => json(`/api/desk/cell?row=${row}`);
