// How one cell of the gallery looks: image, outline, letters, marks.

import { number } from "./elements.js";
import { classColour } from "./palette.js";
import { drawBar, scaleBar } from "./scalebar.js";

// Shape and colour both tell what was said: not everybody sees colours.
const SIGNS = { yes: ["✓", "#1d7a3e"], no: ["✕", "#a5371b"], unsure: ["?", "#5b6470"], done: ["✓", "#1d5f7a"], begun: ["…", "#5b6470"], differ: ["!", "#8a5a00"] };

export function paintTile(gallery, index, { x, y }) {
  const { context, side: size, colours } = gallery;
  const found = gallery.blocks.at(index);
  const cell = found?.cell;
  const { block, n } = found ?? {};
  if (block?.sheet) {
    const [across, down] = [n % block.across, Math.floor(n / block.across)];
    context.drawImage(block.sheet, across * block.side, down * block.side, block.side, block.side, x, y, size, size);
  } else {
    context.fillStyle = gallery.run.pictures || !cell ? colours.blank : "#1b1d20";
    context.fillRect(x, y, size, size);
  }
  if (!cell) return;
  if (gallery.lines && block.lines) {
    const wide = gallery.blocks.tile;
    context.drawImage(block.lines, (n % block.across) * wide, Math.floor(n / block.across) * wide, wide, wide, x, y, size, size);
  }
  if (cell.best !== null) {
    context.fillStyle = classColour(gallery.run.coloured, cell.best);
    context.fillRect(x, y + size - 3, size, 3);
  }
  if (gallery.lettered) letters(gallery, cell, x, y);
  marks(gallery, index, cell, x, y);
}

function letters(gallery, cell, x, y) {
  const { context, side: size, colours } = gallery;
  const bar = cell.size ? scaleBar(cell.size * cell.window[2]) : null;
  if (bar && gallery.run.pictures) drawBar(context, bar, { x, y, width: size, height: size, margin: 7, thick: 2, font: size >= 90 ? 10 : 0 });
  context.textAlign = "left";
  context.fillStyle = colours.ink;
  context.font = "600 12px system-ui, sans-serif";
  const start = cell.probability === null ? "" : `${number(cell.probability)} `;
  const wide = context.measureText(start).width;
  context.fillText(start, x, y + size + 3);
  context.font = "12px system-ui, sans-serif";
  line(context, start && gallery.blocks.name, x + wide, y + size + 3, size - wide);
  context.fillStyle = colours.soft;
  context.font = "11px system-ui, sans-serif";
  line(context, `${cell.well ?? cell.site} #${cell.cell}`, x, y + size + (start ? 18 : 4), size);
}

// A line of text that ends with an ellipsis where it does not fit.
function line(context, words, x, y, room) {
  let shown = words;
  while (shown && context.measureText(shown === words ? shown : `${shown}…`).width > room) shown = shown.slice(0, shown.length > 60 ? 60 : -1);
  if (shown) context.fillText(shown === words ? shown : `${shown}…`, x, y);
}

function marks(gallery, index, cell, x, y) {
  const { context, side: size, colours } = gallery;
  if (gallery.selection.has(cell.row)) {
    context.lineWidth = 3;
    context.strokeStyle = colours.accent;
    context.strokeRect(x - 0.5, y - 0.5, size + 1, size + 1);
    context.fillStyle = colours.accent;
    context.fillRect(x, y, 18, 18);
    context.strokeStyle = "#fff";
    context.lineWidth = 2;
    context.beginPath();
    context.moveTo(x + 4, y + 9);
    context.lineTo(x + 8, y + 13);
    context.lineTo(x + 14, y + 5);
    context.stroke();
  }
  const mark = gallery.marked?.(cell.row);
  if (mark) verdict(gallery, mark, x + size - 11, y + 11);
  if (index === gallery.active && document.activeElement === gallery.holder) {
    context.lineWidth = 2;
    context.strokeStyle = colours.ink;
    context.setLineDash([4, 2]);
    context.strokeRect(x - 3, y - 3, size + 6, size + 6);
    context.setLineDash([]);
  }
}

export function paintLasso(gallery) {
  const { context, colours } = gallery;
  context.beginPath();
  gallery.lasso.forEach(([x, y], n) => context[n ? "lineTo" : "moveTo"](x, y - gallery.top));
  context.fillStyle = "rgb(90 200 210 / 20%)";
  context.strokeStyle = colours.accent;
  context.lineWidth = 2;
  context.fill();
  context.stroke();
}

// What a person said of the cell; the words of others alone stand in a ring.
function verdict({ context }, { kind, mine }, x, y) {
  const [sign, colour] = SIGNS[kind];
  context.beginPath();
  context.arc(x, y, 9, 0, 2 * Math.PI);
  context.fillStyle = mine ? colour : "#fff";
  context.fill();
  context.lineWidth = 1.5;
  context.strokeStyle = mine ? "#fff" : colour;
  context.stroke();
  context.fillStyle = mine ? "#fff" : colour;
  context.font = "700 12px system-ui, sans-serif";
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.fillText(sign, x, y + 0.5);
  context.textAlign = "left";
  context.textBaseline = "top";
}
