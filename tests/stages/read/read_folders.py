"""Small folders of images for the tests of reading."""

import csv

import numpy as np
import tifffile
from PIL import Image

from cellwise.stages.read.spec import Options
from cellwise.stages.read.step import understand

SIZE = (24, 32)


def image(seed=0, size=SIZE, dtype="uint8"):
    top = np.iinfo(dtype).max
    return np.random.default_rng(seed).integers(0, top + 1, size, dtype=dtype)


def put(folder, *names, size=SIZE, dtype="uint8", **options):
    """Save one image under each name; TIFF by tifffile, everything else by Pillow."""
    for seed, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = image(seed, size, dtype)
        if path.suffix.lower() in (".tif", ".tiff"):
            tifffile.imwrite(path, pixels, **{"photometric": "minisblack", **options})
        else:
            Image.fromarray(pixels).save(path, **options)
    return folder


def put_colours(folder, *names):
    for seed, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image(seed, (*SIZE, 3))).save(path)
    return folder


def put_hues(folder, hues, size=(96, 64)):
    """Save grey images shown in one colour each: by name, how much red, green and blue."""
    for seed, (name, hue) in enumerate(hues.items()):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        # In blocks, as JPEG keeps colours.
        grey = np.kron(image(seed, (size[0] // 32, size[1] // 32)), np.ones((32, 32)))
        Image.fromarray(np.uint8(grey[..., None] * hue)).save(path)
    return folder


def put_channels(folder, *names, channels=3, size=SIZE, **options):
    """Save TIFF files with several channels each."""
    for seed, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        tifffile.imwrite(
            path, image(seed, (channels, *size), "uint16"), photometric="minisblack", **options
        )
    return folder


def put_table(path, *rows, delimiter=",", encoding="utf-8"):
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding=encoding) as stream:
        csv.writer(stream, delimiter=delimiter).writerows(rows)
    return path


def read(folder, **options):
    return understand(folder, Options.of(options), workers=2)


def by_id(reading):
    return {site.id: site for site in reading.sites}


def codes(reading):
    return [problem.code for problem in reading.problems]


def channels(reading):
    return {channel.name: channel.role for channel in reading.channels}
