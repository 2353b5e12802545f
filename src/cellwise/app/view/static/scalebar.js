// Scale bars: a round length, about a fifth of the width of what is seen.

// 1, 2 or 5 times a power of ten that is nearest a fifth, as a share of the width, with its words.
export function scaleBar(micrometres) {
  if (!(micrometres > 0) || !Number.isFinite(micrometres)) return null;
  const wanted = micrometres / 5;
  const power = 10 ** Math.floor(Math.log10(wanted));
  const length = [1, 2, 5, 10].map((step) => step * power).reduce((best, one) => (Math.abs(Math.log(one / wanted)) < Math.abs(Math.log(best / wanted)) ? one : best));
  return { share: length / micrometres, words: words(length) };
}

function words(micrometres) {
  for (const [unit, size] of [["mm", 1000], ["µm", 1]]) {
    if (micrometres >= 0.999 * size) return `${Number((micrometres / size).toPrecision(6))} ${unit}`;
  }
  return `${Number((micrometres * 1000).toPrecision(6))} nm`;
}

// Draw a bar at the lower right of a box of this width, its words above it where there is room.
export function drawBar(context, bar, box) {
  const wide = bar.share * box.width;
  const right = box.x + box.width - box.margin;
  const bottom = box.y + box.height - box.margin;
  context.save();
  context.shadowColor = "#000";
  context.shadowBlur = 3;
  context.fillStyle = "#fff";
  context.fillRect(right - wide, bottom - box.thick, wide, box.thick);
  if (box.font) {
    context.font = `600 ${box.font}px system-ui, sans-serif`;
    context.textAlign = "right";
    context.textBaseline = "bottom";
    context.fillText(bar.words, right, bottom - box.thick - 2);
  }
  context.restore();
}
