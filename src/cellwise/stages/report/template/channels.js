// Switches of channels: images are mixed anew from their planes, as `parts/drawing/images.py` mixes them.
const MOST = 4;
const PALE = 0.6;
const HEADROOM = 0.5;
const paleness = (greyness) => Math.max((greyness - PALE) / (1 - PALE), 0);
const turns = new Map();

function pixelsOf(image, width, height) {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(image, 0, 0, width, height);
  return [canvas, context, context.getImageData(0, 0, width, height)];
}

function mix(planes, count, shown) {
  const { naturalWidth: width, naturalHeight: tall } = planes;
  const height = tall / count;
  const [canvas, context, { data }] = pixelsOf(planes, width, tall);
  canvas.height = height;
  const result = context.createImageData(width, height);
  const tints = shown.map(({ place, rgb }) => ({
    start: place * width * height * 4,
    parts: rgb.map((part) => part / 255),
    most: Math.max(...rgb) / 255,
    own: paleness(Math.min(...rgb) / Math.max(...rgb)),
  }));
  for (let at = 0; at < result.data.length; at += 4) {
    let red = 0, green = 0, blue = 0, brightest = 0, own = 0, sum = 1e-6;
    for (const tint of tints) {
      const level = data[tint.start + at];
      const weight = level * level;
      red += weight * tint.parts[0];
      green += weight * tint.parts[1];
      blue += weight * tint.parts[2];
      own += weight * tint.own;
      sum += weight;
      brightest = Math.max(brightest, level * tint.most);
    }
    const most = Math.max(red, green, blue, 1e-6);
    const greyer = Math.max(paleness(Math.min(red, green, blue) / most) - own / sum, 0);
    const factor = brightest / most * (1 - HEADROOM * greyer);
    result.data[at] = red * factor;
    result.data[at + 1] = green * factor;
    result.data[at + 2] = blue * factor;
    result.data[at + 3] = 255;
  }
  context.putImageData(result, 0, 0);
  return canvas.toDataURL("image/jpeg", 0.9);
}

// The images that are seen come first; a later choice ends the work on an earlier one.
async function redraw(group, boxes) {
  const turn = (turns.get(group) ?? 0) + 1;
  turns.set(group, turn);
  const shown = boxes.filter((box) => box.checked).map((box) => ({
    place: Number(box.value),
    rgb: [1, 3, 5].map((at) => parseInt(box.dataset.code.slice(at, at + 2), 16)),
  }));
  const images = [...document.querySelectorAll(`img[data-group="${group}"]`)];
  const away = (image) => Math.max(0, Math.abs(image.getBoundingClientRect().top - innerHeight / 2));
  const sorted = images.map((image) => [away(image), image]).sort((a, b) => a[0] - b[0]);
  for (const [, image] of sorted) {
    const planes = new Image();
    planes.src = image.dataset.planes;
    await planes.decode();
    if (turns.get(group) !== turn) return;
    image.src = mix(planes, boxes.length, shown);
  }
}

for (const group of document.querySelectorAll("fieldset.channels")) {
  const boxes = [...group.querySelectorAll("input")];
  const limit = () => {
    const full = boxes.filter((box) => box.checked).length >= MOST;
    for (const box of boxes) box.disabled = full && !box.checked;
  };
  for (const box of boxes) box.hidden = "fixed" in box.dataset;
  limit();
  group.addEventListener("change", () => {
    limit();
    redraw(group.dataset.group, boxes);
  });
}
