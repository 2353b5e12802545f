// Verdicts of other tools in, all verdicts out, and the random draw.

import * as api from "./api.js";
import { byId, counted } from "./elements.js";

const MOST_BYTES = 20e6;

function coded(bytes) {
  let text = "";
  for (let at = 0; at < bytes.length; at += 32768) text += String.fromCharCode(...bytes.subarray(at, at + 32768));
  return btoa(text);
}

export class Exchange {
  constructor(desk) {
    this.desk = desk;
    byId("bring").addEventListener("change", () => this.#bring().catch((error) => desk.panel.trouble(error)));
    byId("draw-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#draw().catch((error) => desk.panel.trouble(error));
    });
  }

  draw() {
    byId("draw-form").hidden = this.desk.now.drawn > 0;
  }

  async #bring() {
    const input = byId("bring");
    const [file] = input.files;
    if (!file) return;
    if (file.size > MOST_BYTES) throw new Error("Give at most 20 MB at once: split the table, or use `cellwise audit RUN --verdicts FILE`.");
    const bytes = new Uint8Array(await file.arrayBuffer());
    input.value = "";
    const found = await api.post("/api/desk/bring", { title: file.name, content: coded(bytes), coded: true });
    const lost = found.lost.length ? ` ${counted(found.lost.length, "cell is", "cells are")} not in this run: ${found.lost.slice(0, 3).join(", ")}.` : "";
    this.desk.panel.tell(`${counted(found.verdicts, "verdict")} on ${counted(found.cells, "cell")} taken in.${lost}`);
    await this.desk.renewed();
  }

  async #draw() {
    const found = await api.post("/api/desk/draw", { count: Number(byId("draw-count").value) });
    this.desk.panel.tell(`${counted(found.drawn, "cell")} drawn at random.`);
    await this.desk.take("random");
  }
}
