"""Tiny plates whose truth is known: drawn cells with a protein in the nucleus or outside it."""

import numpy as np
import tifffile
from PIL import Image

CHANNELS = ("DNA", "GFP")
SIZE = 96
NUCLEUS = 7
CELL = 14
PITCH = 32


def wells(count):
    """`A01`, `A02`... twelve to a row."""
    return [f"{'ABCDEFGH'[k // 12]}{k % 12 + 1:02d}" for k in range(count)]


def draw(seed, *, nuclear=True, size=SIZE, pitch=PITCH, nucleus=NUCLEUS, cell=CELL):
    """DNA and protein of one field as uint8 `[y, x]`: one cell per square of side `pitch`."""
    generator = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size]
    dna = generator.normal(8, 1, (size, size))
    protein = generator.normal(8, 1, (size, size))
    for top in range(0, size - pitch + 1, pitch):
        for left in range(0, size - pitch + 1, pitch):
            play = max(1, pitch // 10)
            middle = np.array([top, left]) + pitch / 2
            centre = middle + generator.integers(-play, play + 1, 2)
            distance = np.hypot(y - centre[0], x - centre[1])
            inside, body = distance < nucleus, distance < cell
            level = generator.uniform(0.8, 1.2)
            dna += 120 * level * inside
            protein += level * (90 * inside if nuclear else 90 * (body & ~inside)) + 25 * body
    return tuple(np.clip(plane, 0, 255).astype(np.uint8) for plane in (dna, protein))


def save(path, pixels, **options):
    """Save one image, in the format that the name ends in."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix in (".tif", ".tiff"):
        tifffile.imwrite(path, pixels, photometric="minisblack", **options)
    else:
        Image.fromarray(pixels).save(path, **options)
    return path


def plate(folder, count=6, *, ending=".png", size=SIZE):
    """Draw `{well}_{channel}` files: nuclear protein in wells of even number, else outside it."""
    for number, well in enumerate(wells(count)):
        field(folder, well, number, ending=ending, size=size)
    return folder


def field(folder, well, seed, *, ending=".png", size=SIZE):
    """Draw both channels of one well."""
    planes = draw(seed, nuclear=seed % 2 == 0, size=size)
    return [
        save(folder / f"{well}_{channel}{ending}", plane)
        for channel, plane in zip(CHANNELS, planes, strict=True)
    ]


def labels(path, count=6):
    """A labels file: `Nuclear` for wells of even number, `Negative` for the others."""
    rows = [f"{well},{'Negative' if k % 2 else 'Nuclear'}" for k, well in enumerate(wells(count))]
    path.write_text("\n".join(["well,label", *rows, ""]), encoding="utf-8")
    return path
