// Which channels are drawn, in which colour and contrast, and whether outlines lie over them.

import { button, element } from "./elements.js";

// Brightness is set on a scale that spreads dark values, where most of an image lies.
const toSlider = (value) => Math.round(1000 * Math.sqrt(Math.max(0, Math.min(1, value))));
const fromSlider = (value) => (value / 1000) ** 2;

export class Channels {
  // `holder` is a fieldset; `changed` is called after each change; `text` is what an address said.
  constructor(holder, channels, { most, text = null, lines = true, changed }) {
    this.holder = holder;
    this.most = most;
    this.changed = changed;
    this.bounds = null;
    this.rows = channels.map((channel, place) => this.#row(channel, place));
    if (channels.length > most) holder.append(element("small", `at most ${most} at once`));
    this.lines = this.#box([element("span", "outlines")], "o", "outlines", lines);
    holder.append(this.lines.parentElement);
    this.lines.addEventListener("change", () => this.changed("lines"));
    if (text !== null && text !== undefined) this.#read(text);
    this.#limit();
  }

  #box(label, key, name, checked) {
    const holder = element("label");
    const made = element("input");
    made.type = "checkbox";
    made.name = name;
    made.checked = checked;
    holder.append(made, ...label);
    if (key) {
      const cap = element("kbd", key);
      cap.setAttribute("aria-hidden", "true");
      holder.append(cap);
    }
    return made;
  }

  #row(channel, place) {
    const swatch = element("i");
    const words = element("span", `${channel.name} `);
    words.append(element("small", [channel.role, channel.colour].filter(Boolean).join(", ")));
    const box = this.#box([swatch, words], place < 9 ? String(place + 1) : "", `channel-${place}`, channel.shown);
    const row = { channel, box, swatch, colour: channel.code, own: null, controls: null };
    box.addEventListener("change", () => {
      this.#limit();
      this.changed("channels");
    });
    this.holder.append(box.parentElement);
    this.#paint(row);
    return row;
  }

  #paint(row) {
    // White alone would look like an empty box.
    row.swatch.style.background = row.colour === "#ffffff" ? "linear-gradient(90deg, #000, #fff)" : row.colour;
  }

  #limit() {
    const full = this.rows.filter((row) => row.box.checked).length >= this.most;
    for (const row of this.rows) row.box.disabled = full && !row.box.checked;
  }

  #read(text) {
    for (const row of this.rows) row.box.checked = false;
    for (const word of text.split(",")) {
      const [place, ...rest] = word.split(":");
      const row = this.rows[Number(place)];
      if (!row || place === "") continue;
      row.box.checked = true;
      if (rest.length >= 2) row.own = rest.slice(0, 2).map(Number);
      const colour = rest.length % 2 ? rest.at(-1) : null;
      if (colour && /^[0-9a-f]{6}$/.test(colour)) row.colour = `#${colour}`;
      this.#paint(row);
    }
  }

  // As an address says it: `0,2:0.01:0.4`, or `none`.
  get text() {
    const words = this.rows.map((row, place) => {
      if (!row.box.checked) return "";
      const own = row.own ? `:${row.own[0].toFixed(6)}:${row.own[1].toFixed(6)}` : "";
      return `${place}${own}${row.colour === row.channel.code ? "" : `:${row.colour.slice(1)}`}`;
    });
    return words.filter(Boolean).join(",") || "none";
  }

  // Nothing where all is as it was at first.
  get remembered() {
    const plain = this.rows.every((row) => row.box.checked === row.channel.shown && !row.own && row.colour === row.channel.code);
    return plain ? "" : this.text;
  }

  press(key) {
    const asked = key.toLowerCase() === "o" ? this.lines : /^[1-9]$/.test(key) ? this.rows[Number(key) - 1]?.box : null;
    if (!asked || this.holder.hidden) return false;
    if (!asked.disabled) asked.click();
    return true;
  }

  // Sliders and colours; `bounds` are dark and bright of each channel for the whole run, `ownBounds` gives those of what is seen, or nothing.
  offerContrast(holder, bounds, ownBounds) {
    this.bounds = bounds;
    const table = element("div", "", "contrast");
    for (const row of this.rows) table.append(this.#contrast(row));
    holder.append(
      table,
      button("Contrast of this field", async () => {
        const own = await ownBounds();
        if (own) this.#all(own);
      }),
      button("Contrast of the run", () => this.#all(null)),
    );
  }

  #contrast(row) {
    const place = this.rows.indexOf(row);
    const line = element("div", "", "levels");
    const [dark, bright] = ["darkest", "brightest"].map((word, side) => {
      const slider = element("input");
      Object.assign(slider, { type: "range", min: 0, max: 1000, value: toSlider((row.own ?? this.bounds[place])[side]) });
      slider.setAttribute("aria-label", `${word} value of ${row.channel.name}`);
      return slider;
    });
    const colour = element("input");
    Object.assign(colour, { type: "color", value: row.colour });
    colour.setAttribute("aria-label", `colour of ${row.channel.name}`);
    const moved = () => {
      row.own = [fromSlider(dark.value), Math.max(fromSlider(bright.value), fromSlider(dark.value) + 0.0001)];
      this.changed("channels");
    };
    for (const slider of [dark, bright]) slider.addEventListener("input", moved);
    colour.addEventListener("input", () => {
      row.colour = colour.value;
      this.#paint(row);
      this.changed("channels");
    });
    row.controls = [dark, bright];
    line.append(element("span", row.channel.name), colour, dark, bright);
    return line;
  }

  #all(bounds) {
    this.rows.forEach((row, place) => {
      row.own = bounds ? bounds[place] : null;
      row.controls.forEach((slider, side) => { slider.value = toSlider((row.own ?? this.bounds[place])[side]); });
    });
    this.changed("channels");
  }
}
