// Learning again: the button, how far it is, and what changed.

import * as api from "./api.js";
import { button, byId, counted, element, number, whole } from "./elements.js";
import { ranges } from "./selection.js";

const EVERY = 1500;
const DONE = ["done", "stopped", "failed", "idle"];

export class Learn {
  // `renew` reads the run anew, `only` lists some rows alone.
  constructor({ desk, renew, only }) {
    Object.assign(this, { desk, renew, only, state: null });
    byId("learn").addEventListener("click", () => this.#start());
    byId("learn-stop").addEventListener("click", () => this.#ask("/api/learn/stop", {}));
  }

  async look() {
    const before = this.state?.state;
    this.state = await api.get("/api/learn");
    this.draw(!before);
    const going = !DONE.includes(this.state.state);
    clearTimeout(this.timer);
    if (going) this.timer = setTimeout(() => this.look().catch((error) => this.desk.panel.trouble(error)), EVERY);
    if (!going && before !== this.state.state) {
      if (before && this.state.state === "done") {
        this.desk.panel.tell("Learned again.");
        await this.renew();
      }
      await this.#change();
    }
  }

  async #start() {
    await this.#ask("/api/learn/start", { random_teaches: byId("random-teaches").checked, audited: byId("audited").checked });
  }

  async #ask(path, body) {
    try {
      await api.post(path, body);
      await this.look();
    } catch (error) {
      this.desk.panel.trouble(error);
    }
  }

  draw(first = false) {
    const { state } = this;
    if (!state) return;
    const { state: word, why, who, holder, progress, lines } = state;
    const going = word === "running" || word === "elsewhere";
    byId("learn").disabled = going || Boolean(why) || this.desk.session.role !== "editor";
    byId("learn-stop").hidden = word !== "running";
    // As the recipe says, until somebody says otherwise.
    if (first) byId("audited").checked = state.audits;
    byId("learn-command").textContent = state.command;
    const words = { running: `Learning, started by ${who || "somebody"}.`, elsewhere: `The run is in use by ${holder}.`, stopped: "Stopped. Learn again goes on from there.", failed: "It failed:", done: "", idle: "" }[word];
    const parts = [element("span", why && !going ? why : words)];
    if (going && progress) parts.push(...this.#progress(progress));
    if (word === "failed") parts.push(element("pre", lines.join("\n")));
    byId("learn-state").replaceChildren(...parts);
  }

  #progress({ steps, behind, step, done, total }) {
    const bar = element("progress");
    Object.assign(bar, { max: Math.max(1, steps), value: behind });
    bar.setAttribute("aria-label", "Steps done");
    const now = step ? `; now ${step}${total ? `, ${whole(done)} of ${whole(total)}` : ""}` : "";
    return [bar, element("small", ` ${behind} of ${counted(steps, "step")}${now}`)];
  }

  async #change() {
    const { change } = await api.get("/api/learn/change");
    const holder = byId("learn-change");
    if (!change) return holder.replaceChildren();
    const parts = [element("h2", "Before and after learning"), this.#words(change)];
    if (change.rows.length) {
      const text = ranges(change.rows);
      if (text.length < 30000) parts.push(button(`Show the ${whole(change.rows.length)} cells that changed`, () => this.only(text)));
    }
    if (this.#moved(change).length || change.of_all) parts.push(this.#table(change));
    if (change.why) parts.push(element("p", change.why, "soft"));
    else parts.push(element("p", `AP: average precision on judged cells of the random draw, each counted for as many as it stands for, with the 90 % interval of the difference; of classes that at least ${change.least} of them show.${change.random_teaches ? " These cells were trained on as well: the figures after are too good." : ""}`, "soft"));
    return holder.replaceChildren(...parts);
  }

  #words({ cells, changed, verdicts, who }) {
    return element("p", `${counted(changed, "cell")} of ${whole(cells)} changed the classes they are given, after ${counted(verdicts, "verdict")}${who ? `; started by ${who}` : ""}.`);
  }

  #moved({ classes }) {
    return classes.filter((one) => one.gained || one.lost || one.precision || one.false?.judged);
  }

  #table(change) {
    const all = change.of_all;
    const table = element("table");
    const head = element("tr");
    for (const word of ["Class", "cells before", "after", "AP before", "after", "difference", "n", "of inherited labels, false"]) head.append(element("th", word));
    table.append(head);
    for (const one of this.#moved(change)) table.append(this.#row([one.class, whole(one.before), `${whole(one.after)} (+${whole(one.gained)} −${whole(one.lost)})`], one.precision, one.false));
    if (all) table.append(this.#row(["mean over classes", "", ""], all, null));
    const holder = element("div", "", "scroll");
    holder.append(table);
    return holder;
  }

  #row(first, precision, wrong) {
    const row = element("tr");
    const sign = (value) => `${value >= 0 ? "+" : "−"}${Math.abs(value).toFixed(2)}`;
    const figures = precision ? [number(precision.before), number(precision.after), `${sign(precision.after - precision.before)} (${sign(precision.low)} to ${sign(precision.high)})`, `${precision.seen} of ${precision.judged}`] : ["", "", "", ""];
    const share = wrong?.judged ? `${number(wrong.value)} (${number(wrong.low)} to ${number(wrong.high)}; n = ${wrong.judged})` : "";
    for (const words of [...first, ...figures, share]) row.append(element("td", words));
    return row;
  }
}
