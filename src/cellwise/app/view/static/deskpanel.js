// What is seen of the desk: queue, verdicts as buttons, what was saved, what could not be.

import { button, byId, counted, element, whole } from "./elements.js";

const QUEUES = {
  "": "as filtered and sorted",
  uncertain: "uncertain",
  rare: "rare and likely",
  disagrees: "disagrees with its field",
  near: "near known positives",
  random: "random for audit",
};
const MOST_WORDS = 2000;

function key(cap) {
  const made = element("kbd", cap);
  made.setAttribute("aria-hidden", "true");
  return made;
}

// A button with the key that does the same.
function act(cap, words, does, { pressed = null, off = false } = {}) {
  const made = button("", does);
  made.append(key(cap), element("span", words));
  made.disabled = off;
  if (pressed !== null) made.setAttribute("aria-pressed", pressed);
  return made;
}

export class Panel {
  constructor(desk) {
    this.desk = desk;
    byId("queue").append(...Object.entries(QUEUES).map(([value, words]) => new Option(words, value)));
    byId("queue").addEventListener("change", () => desk.take(byId("queue").value).catch((error) => this.trouble(error)));
    byId("renew").addEventListener("click", () => desk.take(desk.queue).catch((error) => this.trouble(error)));
    byId("one-class").addEventListener("click", () => desk.judgeWhole(false)?.catch((error) => this.trouble(error)));
    byId("whole-cell").addEventListener("click", () => desk.judgeWhole(true)?.catch((error) => this.trouble(error)));
    byId("undo").addEventListener("click", () => desk.saving.undo());
    byId("redo").addEventListener("click", () => desk.saving.redo());
    byId("who-form").addEventListener("submit", (event) => {
      event.preventDefault();
      desk.named(byId("who-word").value).catch((error) => this.trouble(error));
      byId("gallery").focus({ preventScroll: true });
    });
    byId("class-word").addEventListener("keydown", (event) => this.#word(event));
  }

  // A class of very many by its name.
  #word(event) {
    if (event.key === "Escape") byId("gallery").focus();
    if (event.key !== "Enter") return;
    event.preventDefault();
    const name = event.target.value.trim();
    if (!this.desk.now.classes.includes(name)) return this.tell(`There is no class ${name}.`);
    event.target.value = "";
    if (this.desk.mayJudge) this.desk.see(name);
    byId("gallery").focus({ preventScroll: true });
  }

  draw() {
    const { desk } = this;
    if (!desk.now || !desk.session) return;
    const { now, session, saving } = desk;
    const closed = now.why || (session.role === "editor" ? "" : "This page is for looking only. Cells are judged where it was started with `cellwise view RUN --edit`.");
    byId("desk-closed").hidden = !closed;
    byId("desk-closed").textContent = closed;
    byId("desk-open").hidden = Boolean(closed);
    byId("who-form").hidden = Boolean(closed) || session.who !== "";
    byId("queue").value = desk.queue ?? "";
    byId("renew").hidden = !desk.queue;
    byId("one-class").setAttribute("aria-pressed", !desk.whole);
    byId("whole-cell").setAttribute("aria-pressed", Boolean(desk.whole));
    byId("undo").disabled = !saving.canUndo;
    byId("redo").disabled = !saving.canRedo;
    byId("class-line").hidden = !desk.whole;
    this.#verdicts();
    this.#saved();
    this.#note();
    desk.exchange.draw();
  }

  #verdicts() {
    const { desk } = this;
    const off = !desk.mayJudge;
    const rows = desk.selection.size ? [...desk.selection.rows] : [desk.row].filter((row) => row !== null);
    const parts = [];
    if (!desk.whole) {
      const known = desk.now.classes.includes(desk.name);
      parts.push(element("span", known ? `Shows ${desk.name}?` : `${desk.name ?? "This class"} is not judged: choose another class on the left.`, "asked"));
      const mine = rows.length === 1 ? desk.said.mine.get(rows[0])?.[0] : null;
      ["yes", "no", "unsure"].forEach((verdict, n) => parts.push(act(`${n + 1}`, verdict, () => desk.say(verdict), { off, pressed: mine === verdict })));
    } else {
      desk.keyed.forEach((name, n) => {
        const seen = rows.length > 0 && rows.every((row) => desk.said.seen(row).includes(name));
        parts.push(act(`${n + 1}`, name, () => desk.see(name), { off, pressed: seen }));
      });
      if (desk.now.classes.length > desk.keyed.length) {
        const last = Math.ceil(desk.now.classes.length / 9);
        parts.push(act("[", "", () => desk.turn(-1)), element("small", `${desk.page + 1} of ${last}`), act("]", "", () => desk.turn(1)));
        parts.at(-3).setAttribute("aria-label", "Classes before");
        parts.at(-1).setAttribute("aria-label", "Classes after");
      }
      parts.push(act("0", desk.now.negative ?? "none", () => desk.none(), { off }), act("u", "unsure", () => desk.unsure(), { off }), act("Enter", "no others", () => desk.rest(), { off }));
    }
    const had = document.activeElement?.closest("#verdicts") ? [...byId("verdicts").querySelectorAll("button")].indexOf(document.activeElement) : -1;
    byId("verdicts").replaceChildren(...parts);
    if (had >= 0) byId("verdicts").querySelectorAll("button")[had]?.focus();
    const words = byId("class-words");
    if (words.options.length !== Math.min(MOST_WORDS, desk.now.classes.length)) words.replaceChildren(...desk.now.classes.slice(0, MOST_WORDS).map((name) => new Option(name, name)));
  }

  #saved() {
    const { saving, saved } = this.desk;
    const unsaved = saving.waiting.length;
    const words = unsaved ? `${counted(unsaved, "save")} on the way` : saved ? `Saved ${saved.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" })}` : "";
    byId("saved").textContent = words;
    const trouble = byId("unsaved");
    trouble.hidden = !saving.trouble;
    if (!saving.trouble) return;
    const parts = [element("b", "Not saved. "), element("span", `${saving.trouble} ${counted(unsaved, "save is", "saves are")} kept in this page${saving.refused ? "." : " and sent again by itself."} `)];
    parts.push(button("Try again", () => saving.again()));
    if (saving.refused) parts.push(button("Discard the first", () => saving.discard()));
    trouble.replaceChildren(...parts);
  }

  #note() {
    const { now, session } = this.desk;
    const parts = [element("span", session.who ? `${session.who}: you judged ${counted(now.mine, "cell")}, everybody together ${whole(now.judged)}.` : `${counted(now.judged, "cell")} judged by everybody together.`)];
    if (now.contradicted) parts.push(button(`People differ: ${whole(now.contradicted)}`, () => this.desk.alone({ who: "contradicted" })));
    if (now.drawn) parts.push(element("span", `Of the random draw you judged ${whole(now.judged_at_random)} of ${whole(now.drawn)}.`));
    if (now.lost) parts.push(element("span", `${counted(now.lost, "verdict is", "verdicts are")} on cells that are not found any more.`));
    byId("desk-note").replaceChildren(...parts);
  }

  why() {
    if (byId("who-form").hidden) return false;
    byId("who-word").focus();
    return true;
  }

  tell(words) {
    byId("told").textContent = words;
  }

  trouble(error) {
    byId("told").textContent = error.message;
  }
}
