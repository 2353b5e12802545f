// What people said of cells, by row: of one class, or of all classes of a cell at once.

import * as api from "./api.js";

const EVERY = 6000;

// Tells `change` when another word holds, `loaded` when the run has answered.
export class Said extends EventTarget {
  constructor() {
    super();
    this.mine = new Map();
    this.others = new Map();
    // Of `mine`, what was said since no word was on its way.
    this.noted = new Map();
    this.version = "";
    // Whether words of the visitor are on their way: the run does not know them yet.
    this.ahead = () => false;
    this.turn = 0;
    setInterval(() => { if (this.open && !document.hidden && !this.ahead()) this.load().catch(() => null); }, EVERY);
  }

  // `name` is the class, empty where whole cells are judged; `count` is how many classes there are.
  async show(name, count) {
    // What was said of another class holds for none of these cells.
    if (name !== this.name) this.forget();
    Object.assign(this, { name, count, open: true, version: "" });
    await this.load();
  }

  // Rows mean other cells by now, or words another class.
  forget() {
    this.version = "";
    this.noted.clear();
    this.#clear();
  }

  close() {
    this.open = false;
    this.#clear();
  }

  #clear() {
    this.turn += 1;
    this.mine.clear();
    this.others.clear();
    this.dispatchEvent(new Event("change"));
  }

  async load() {
    const turn = ++this.turn;
    const found = this.name ? await api.said(this.name) : await api.saidWhole();
    if (turn !== this.turn) return;
    this.dispatchEvent(new Event("loaded"));
    if (found.version === this.version) return;
    this.version = found.version;
    if (!this.ahead()) this.noted.clear();
    this.mine = new Map([...found.mine.map(([row, ...word]) => [row, word]), ...this.noted]);
    this.others = new Map();
    for (const [row, ...word] of found.others) this.others.set(row, [...(this.others.get(row) ?? []), word]);
    this.dispatchEvent(new Event("change"));
  }

  // What the visitor said just now, before the run has answered.
  note(rows, verdict) {
    this.turn += 1;
    for (const row of rows) {
      this.noted.set(row, this.name ? [verdict] : verdict(this.mine.get(row)));
      this.mine.set(row, this.noted.get(row));
    }
    this.version = "";
    this.dispatchEvent(new Event("change"));
  }

  // Classes that the visitor saw in a cell, where whole cells are judged.
  seen(row) {
    return this.name ? [] : this.mine.get(row)?.[1] ?? [];
  }

  // How a cell is marked: `yes`, `no`, `unsure`, `done`, `begun`, `differ`, or nothing; `mine` says whose word it is.
  mark(row) {
    const mine = this.mine.get(row);
    const others = this.others.get(row) ?? [];
    if (!mine && !others.length) return null;
    if (!this.name) {
      if (others.some(([word]) => word === "differ")) return { kind: "differ", mine: Boolean(mine) };
      const judged = mine ? mine[0] : Math.max(...others.map(([, count]) => count));
      return { kind: judged >= this.count ? "done" : "begun", mine: Boolean(mine) };
    }
    const sure = new Set([...(mine ? [mine[0]] : []), ...others.map(([word]) => word)].filter((word) => word !== "unsure"));
    if (sure.size > 1) return { kind: "differ", mine: Boolean(mine) };
    return { kind: mine ? mine[0] : others[0][0], mine: Boolean(mine) };
  }
}

export const WORDS = {
  yes: "shows it", no: "does not show it", unsure: "unsure", done: "judged in all classes", begun: "judged in some classes", differ: "people differ",
};
