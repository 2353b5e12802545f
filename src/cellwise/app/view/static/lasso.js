// Which cells of the gallery lie within a line that was drawn around them.

import { inside } from "./polygons.js";

// The indices of cells whose middle lies within the line, or that it was drawn through.
export function enclosed(path, { columns, pitch, side, gap, total, at }) {
  const flat = path.flat();
  const chosen = new Set(path.map((point) => at(point)).filter((index) => index !== null));
  const rows = path.map(([, y]) => Math.floor(y / pitch));
  for (let row = Math.max(0, Math.min(...rows)); row <= Math.max(...rows); row++) {
    for (let column = 0; column < columns; column++) {
      const index = row * columns + column;
      const middle = [gap + column * (side + gap) + side / 2, gap + row * pitch + side / 2];
      if (index < total && inside(flat, ...middle)) chosen.add(index);
    }
  }
  return [...chosen];
}
