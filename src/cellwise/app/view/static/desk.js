// The label desk: what a visitor says of the active cell, of the open one, or of all chosen ones.

import * as api from "./api.js";
import * as state from "./state.js";
import { byId, counted, isTyping, whole } from "./elements.js";
import { Exchange } from "./exchange.js";
import { Panel } from "./deskpanel.js";
import { Said, WORDS } from "./said.js";
import { Saving } from "./saving.js";
import { turns } from "./turns.js";

const PER_PAGE = 9;
const VERDICTS = ["yes", "no", "unsure"];

export class Desk {
  // `card` says which cell is open; `show` lists cells anew, `alone` with these filters only; `step` goes to the next open cell; `trouble` says what failed.
  constructor({ run, gallery, selection, card, show, alone, step, trouble }) {
    Object.assign(this, { run, gallery, selection, card, show, alone, step, trouble });
    this.looking = turns();
    this.taking = turns();
    this.pending = null;
    this.page = 0;
    this.said = new Said();
    this.saving = new Saving();
    this.panel = new Panel(this);
    this.exchange = new Exchange(this);
    this.said.ahead = () => this.saving.waiting.length > 0;
    gallery.activated = () => this.open && this.panel.draw();
    gallery.marked = (row) => this.marked(row);
    gallery.entered = () => this.open && this.whole && this.mayJudge && (this.rest(), true);
    this.said.addEventListener("change", () => { gallery.redraw(); this.panel.draw(); });
    this.saving.addEventListener("change", () => this.panel.draw());
    this.saving.addEventListener("saved", (event) => this.#saved(event.detail));
    this.saving.addEventListener("discarded", () => this.renewed().catch(() => null));
    selection.addEventListener("change", () => this.panel.draw());
    byId("judge").addEventListener("click", () => this.toggle());
  }

  async begin() {
    const again = Boolean(this.session);
    this.beginning = true;
    await this.#look().finally(() => { this.beginning = false; });
    this.saving.begin();
    byId("judge").hidden = !this.now.classes.length;
    await this.follow();
    if (again && this.open) await this.said.load();
  }

  async #look() {
    const holds = this.looking();
    const [now, session] = await Promise.all([api.desk(), api.session()]);
    this.session = session;
    if (holds() || !this.now) this.now = now;
    this.panel.draw();
  }

  // The counts of the run as they are now.
  async #renew() {
    const holds = this.looking();
    const found = await api.desk();
    if (holds() || !this.now) this.now = found;
    this.panel.draw();
    return found;
  }

  // What the address says holds: whether the desk is open, for which class, in which queue.
  async follow() {
    // Before the run has said which classes are judged, `begin` follows later; where it could not, once more.
    if (!this.session) return this.beginning ? null : this.begin();
    const { desk, whole: all, queue, class: name } = state.read();
    const open = desk === "open" && this.now.classes.length > 0;
    const wanted = all === "yes" ? "" : name ?? this.run.classes[0] ?? this.now.classes[0];
    const changed = open !== this.open || wanted !== this.name || (all === "yes") !== this.whole;
    if (!open) this.drop();
    Object.assign(this, { open, whole: all === "yes", queue: this.pending ?? queue ?? "", name: wanted });
    byId("desk").hidden = !open;
    // A queue has an order of its own.
    for (const order of ["sort", "order"]) byId("filters").elements[order].disabled = open && this.queue !== "";
    byId("judge").setAttribute("aria-pressed", open);
    document.body.classList.toggle("judging", open);
    if (changed && open) await this.said.show(this.whole ? "" : this.name, this.now.classes.length);
    else if (changed) this.said.close();
    this.panel.draw();
    return null;
  }

  toggle() {
    if (!this.session) return;
    state.change({ desk: this.open ? "" : "open", ...(this.open ? { queue: "", until: "" } : {}) }, { push: true });
    this.#changed();
  }

  // Another queue, or the same one without what was judged since.
  async take(queue) {
    const holds = this.taking();
    // Until it is here, the cells that are seen are those of the queue before.
    this.pending = this.queue = queue;
    try {
      const { now } = await this.#renew();
      if (!holds()) return;
      this.drop();
      state.change({ queue, until: queue ? now : "", at: "" }, { push: true });
    } catch (error) {
      if (!holds()) return;
      this.drop();
      await this.follow();
      throw error;
    }
    this.#changed();
  }

  // A queue that is still on its way is not wanted any more.
  drop() {
    this.taking();
    this.pending = null;
  }

  judgeWhole(all) {
    state.change({ whole: all ? "yes" : "", at: "" }, { push: true });
    this.#changed();
    return this.queue ? this.take(this.queue) : null;
  }

  #changed() {
    this.follow().catch(this.trouble);
    this.show();
    byId("gallery").focus({ preventScroll: true });
  }

  get mayJudge() {
    return this.open && !this.now.why && this.session.role === "editor" && this.session.who !== "" && (this.whole || this.now.classes.includes(this.name));
  }

  // The classes that the keys 1 to 9 stand for.
  get keyed() {
    return this.now.classes.slice(this.page * PER_PAGE, (this.page + 1) * PER_PAGE);
  }

  turn(by) {
    const pages = Math.ceil(this.now.classes.length / PER_PAGE);
    this.page = (this.page + by + pages) % pages;
    this.panel.draw();
  }

  // The row that a key is about when nothing is chosen.
  get row() {
    return this.card.row() ?? this.gallery.cellAt(this.gallery.active)?.row ?? null;
  }

  marked(row) {
    if (!this.open) return null;
    const mark = this.said.mark(row);
    if (!mark) return null;
    const by = mark.kind === "differ" ? "" : mark.mine ? "you: " : "another person: ";
    return { ...mark, words: `${by}${WORDS[mark.kind]}` };
  }

  // Whether the key was one of the desk's.
  press(event) {
    if (!this.open || isTyping(event) && !(event.ctrlKey && event.key.toLowerCase() === "z")) return false;
    const key = event.key.toLowerCase();
    const digit = /^Digit([0-9])$/.exec(event.code)?.[1] ?? (/^[0-9]$/.test(key) ? key : null);
    // With Shift, figures are those of the channels, as they are without the desk.
    if (digit !== null && event.shiftKey) return false;
    if (key === "z") event.shiftKey ? this.saving.redo() : this.saving.undo();
    else if (!this.mayJudge) {
      if (digit === null || !this.panel.why()) return false;
    }
    else if (digit !== null) this.figure(Number(digit));
    else if (this.whole && key === "u") this.unsure();
    else if (this.whole && key === "enter" && this.card.isOpen()) this.rest();
    else if (this.whole && (key === "[" || key === "]")) this.turn(key === "]" ? 1 : -1);
    else if (this.whole && key === "/") byId("class-word").focus();
    else return false;
    event.preventDefault();
    return true;
  }

  figure(number) {
    if (!this.whole) {
      if (VERDICTS[number - 1]) this.say(VERDICTS[number - 1]);
    } else if (number === 0) this.none();
    else if (this.keyed[number - 1] !== undefined) this.see(this.keyed[number - 1]);
  }

  // Of one class.
  say(verdict) {
    this.#about((rows) => {
      this.#send(rows, { said: { [this.name]: verdict } });
      this.said.note(rows, verdict);
      return true;
    });
  }

  // Of whole cells: this class is seen in all of them, or where all show it already, in none.
  see(name) {
    this.#about((rows) => {
      const every = rows.every((row) => this.said.seen(row).includes(name));
      this.#send(rows, { said: { [name]: every ? "no" : "yes" } });
      this.said.note(rows, (before) => [Math.max(1, before?.[0] ?? 0), [...(before?.[1] ?? []).filter((one) => one !== name), ...(every ? [] : [name])]]);
      return false;
    });
  }

  none() {
    this.#about((rows) => {
      this.#send(rows, { shows: [] });
      this.said.note(rows, () => [this.now.classes.length, []]);
      return true;
    });
  }

  unsure() {
    this.#about((rows) => {
      this.#send(rows, { unsure: true });
      this.said.note(rows, () => [this.now.classes.length, []]);
      return true;
    });
  }

  // Whole cells are done: classes of which nothing was said are not shown.
  rest() {
    this.#about((rows) => {
      this.#send(rows, { rest: true });
      this.said.note(rows, (before) => [this.now.classes.length, before?.[1] ?? []]);
      return true;
    });
  }

  // `act` says of the rows that are meant, and whether they are done with.
  #about(act) {
    const chosen = this.card.isOpen() ? [] : [...this.selection.rows];
    // Nobody can say what a cell shows that is not there yet.
    if (this.pending !== null || !this.card.isOpen() && this.gallery.unknown) return this.panel.tell("These cells are still being loaded.");
    if (chosen.length) {
      if (act(chosen)) this.selection.clear();
    } else if (this.card.isOpen()) {
      const row = this.card.row();
      if (row === null || this.card.isBlank()) return this.panel.tell("This cell is still being loaded.");
      if (act([row])) this.step(1);
    } else {
      const { active } = this.gallery;
      const cell = this.gallery.cellAt(active);
      if (!cell || this.gallery.isBlank(active)) return this.panel.tell("This cell is still being loaded.");
      const wasLast = active >= this.gallery.total - 1;
      if (!act([cell.row])) return null;
      if (wasLast) this.panel.tell("This was the last cell of the list.");
      else this.gallery.go(active + 1);
    }
    return null;
  }

  #send(rows, said) {
    const of = this.queue === "near" ? this.name || state.read().class || "" : "";
    // Rows are those of the cells that this page was loaded with, whatever the run holds by now.
    this.saving.save({ rows, cells: this.run.cells_stamp, queue: this.queue, of, ...said });
    this.panel.tell(`${counted(rows.length, "cell")} judged.`);
  }

  async #saved(answer) {
    const differ = answer.contradicted.length;
    if (differ) this.panel.tell(`People differ about ${counted(differ, "of these cells", "of these cells")}: ${whole(this.now.contradicted)} before.`);
    if (answer.changed_since) this.panel.tell(`${counted(answer.changed_since, "verdict stays", "verdicts stay")}: another one was given since.`);
    this.saved = new Date();
    // The run does not know yet what is still on its way.
    if (this.saving.waiting.length) return;
    if (this.open) await this.said.load().catch(() => null);
    await this.#renew().catch(() => null);
    if (this.card.isOpen()) this.card.judged();
  }

  // Verdicts that did not come through this page's own saves.
  async renewed() {
    this.said.version = "";
    if (this.open) await this.said.load();
    await this.#renew();
  }

  async named(who) {
    this.session = await api.giveName(who);
    this.panel.draw();
    await this.#renew();
    if (this.open) await this.said.show(this.whole ? "" : this.name, this.now.classes.length);
  }
}
