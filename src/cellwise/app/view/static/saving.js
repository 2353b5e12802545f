// Verdicts on their way into the run: one after the other, each kept here until the run has it.

import * as api from "./api.js";

const WAITING = "cellwise-waiting";
const MADE = "cellwise-made";
const PAUSES = [1000, 2000, 4000, 8000, 15000];
const MOST_UNDONE = 200;

// Sixteen random bytes: a request that is sent twice has one name, so that it is kept once.
export function newId() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

function stored(name) {
  try {
    return JSON.parse(sessionStorage.getItem(name)) ?? [];
  } catch {
    return [];
  }
}

function store(name, value) {
  try {
    sessionStorage.setItem(name, JSON.stringify(value));
  } catch {
    // A browser that keeps nothing still sends.
  }
}

// Tells `change` when something was sent, saved or refused; `saved` with each answer.
export class Saving extends EventTarget {
  constructor() {
    super();
    this.waiting = stored(WAITING);
    this.made = stored(MADE);
    this.undone = [];
    this.trouble = "";
    this.refused = false;
    this.tries = 0;
    addEventListener("beforeunload", (event) => {
      if (this.waiting.length) event.preventDefault();
    });
    addEventListener("online", () => this.again());
  }

  begin() {
    this.again();
  }

  save(body) {
    this.undone = [];
    this.#send("/api/desk/save", { id: newId(), ...body }, "made");
  }

  get canUndo() {
    return this.made.length > 0;
  }

  get canRedo() {
    return this.undone.length > 0;
  }

  undo() {
    const save = this.made.pop();
    if (save) this.#send("/api/desk/undo", { id: newId(), save }, "undone");
  }

  // To take back what was taken back.
  redo() {
    const save = this.undone.pop();
    if (save) this.#send("/api/desk/undo", { id: newId(), save }, "made");
  }

  again() {
    if (this.waiting.length && !this.busy) this.#next();
  }

  // Give up the verdict that the run refuses; not while it is being sent once more.
  discard() {
    if (this.busy) return;
    const { body } = this.waiting.shift() ?? {};
    this.made = this.made.filter((id) => id !== body?.id);
    this.undone = this.undone.filter((id) => id !== body?.id);
    this.trouble = "";
    this.refused = false;
    this.#tell();
    this.dispatchEvent(new Event("discarded"));
    this.again();
  }

  #send(path, body, list) {
    this.waiting.push({ path, body });
    this[list] = [...this[list], body.id].slice(-MOST_UNDONE);
    this.#tell();
    if (!this.busy && !this.refused) this.#next();
  }

  async #next() {
    clearTimeout(this.timer);
    const first = this.waiting[0];
    if (!first) return;
    this.busy = true;
    try {
      const answer = await api.post(first.path, first.body);
      this.waiting = this.waiting.filter((one) => one !== first);
      this.tries = 0;
      this.trouble = "";
      this.refused = false;
      this.dispatchEvent(new CustomEvent("saved", { detail: answer }));
    } catch (error) {
      this.trouble = error.message;
      // What the run refuses it will refuse again; of a full disk or a lost server that is not so.
      this.refused = [400, 403, 404, 409, 413, 422].includes(error.status);
      const pause = PAUSES[Math.min(this.tries, PAUSES.length - 1)];
      this.tries += 1;
      if (!this.refused) this.timer = setTimeout(() => this.again(), pause);
    }
    this.busy = false;
    this.#tell();
    if (!this.trouble) this.again();
  }

  #tell() {
    store(WAITING, this.waiting);
    store(MADE, this.made);
    this.dispatchEvent(new Event("change"));
  }
}
