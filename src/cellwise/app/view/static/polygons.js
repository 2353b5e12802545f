// Outlines as the server packs them: see `drawing/outlines.py`.

// An array of rings `{owner, points}`; points are x and y in turn, in pixels of the field.
export function unpack(buffer) {
  const count = new DataView(buffer).getUint32(0, true);
  const head = new Uint32Array(buffer, 4, 2 * count);
  const points = new Uint16Array(buffer, 4 + 8 * count);
  const rings = [];
  let at = 0;
  for (let n = 0; n < count; n++) {
    const stop = at + 2 * head[2 * n + 1];
    rings.push({ owner: head[2 * n], points: points.subarray(at, stop) });
    at = stop;
  }
  return rings;
}

// The path of a ring, each point through `map`; a pixel's centre is meant, half a pixel from its corner.
export function trace(path, points, scale = 1, left = 0, top = 0, step = 1) {
  if (points.length < 4) return;
  path.moveTo((points[0] + 0.5 - left) * scale, (points[1] + 0.5 - top) * scale);
  for (let n = 2 * step; n < points.length; n += 2 * step) path.lineTo((points[n] + 0.5 - left) * scale, (points[n + 1] + 0.5 - top) * scale);
  path.closePath();
}

export function inside(points, x, y) {
  let found = false;
  for (let n = 0, last = points.length - 2; n < points.length; last = n, n += 2) {
    const [x1, y1, x2, y2] = [points[n], points[n + 1], points[last], points[last + 1]];
    if (y1 > y !== y2 > y && x < ((x2 - x1) * (y - y1)) / (y2 - y1) + x1) found = !found;
  }
  return found;
}
