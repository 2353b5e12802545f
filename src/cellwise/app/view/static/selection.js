// The cells that a visitor chose. Panels listen for `change` and act on `rows`.

// Longer lists are not written into the address: browsers and servers cut it off.
const LONGEST = 1500;

// `3,7-9` for rows 3, 7, 8 and 9.
export function ranges(rows) {
  const sorted = [...rows].sort((a, b) => a - b);
  const parts = [];
  for (let n = 0; n < sorted.length; n++) {
    let last = n;
    while (sorted[last + 1] === sorted[last] + 1) last += 1;
    parts.push(last === n ? `${sorted[n]}` : `${sorted[n]}-${sorted[last]}`);
    n = last;
  }
  return parts.join(",");
}

export function rowsOf(text) {
  if (!/^\d{1,9}(-\d{1,9})?(,\d{1,9}(-\d{1,9})?)*$/.test(text ?? "")) return [];
  return text.split(",").flatMap((part) => {
    const [first, last = first] = part.split("-").map(Number);
    return Array.from({ length: Math.max(0, Math.min(last - first + 1, 100000)) }, (_, n) => first + n);
  });
}

export class Selection extends EventTarget {
  constructor(text = "") {
    super();
    this.rows = new Set(rowsOf(text));
  }

  get size() {
    return this.rows.size;
  }

  has(row) {
    return this.rows.has(row);
  }

  get text() {
    return ranges(this.rows);
  }

  // What the address can hold of it.
  get short() {
    const text = this.text;
    return text.length > LONGEST ? "" : text;
  }

  toggle(row) {
    if (!this.rows.delete(row)) this.rows.add(row);
    this.#tell();
  }

  add(rows) {
    for (const row of rows) this.rows.add(row);
    this.#tell();
  }

  clear() {
    if (!this.rows.size) return;
    this.rows.clear();
    this.#tell();
  }

  #tell() {
    this.dispatchEvent(new Event("change"));
  }
}
