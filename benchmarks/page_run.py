"""A run folder for `page.py`: as many cells as asked for, drawn once and spread over many fields.

The tables, masks and single-cell images are those of a run as the page reads it; pixels are drawn
shapes. Eight fields have image files: seven of 2,048 px with 300 cells and one of 6,000 px.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import polars as pl
import tifffile

from cellwise.domain.channels import Channel
from cellwise.domain.records import ChannelFile, Masks, Site
from cellwise.domain.tables import CELLS, PREDICTIONS, SITES
from cellwise.store.run.crops import shard_path, write_channels, write_shard
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.masks import mask_path, write_masks
from cellwise.store.run.sites import sites_to_frame
from cellwise.store.run.tables import write_table

CHANNELS = (
    Channel("dna", "nucleus"),
    Channel("gfp", "protein"),
    Channel("tubulin", "microtubule"),
    Channel("er", "er"),
)
CLASSES = (*(f"pattern {n}" for n in range(1, 19)), "Negative")
PER_SITE, SIDE, CROP = 300, 2048, 64
# Files of single-cell images that are written; further fields share them under names of their own.
SHARDS = 40
LARGE = 6000
# Fields after the first two that have image files, under names of their own.
FURTHER = 6


@dataclass(frozen=True, slots=True)
class Drawn:
    """One field: `labels[y, x]`, boxes and centres of its cells."""

    labels: npt.NDArray[Any]
    boxes: npt.NDArray[np.int32]
    areas: npt.NDArray[np.int32]


def field(side: int, count: int, seed: int) -> Drawn:
    """Cells of wavy outline on a grid."""
    rng = np.random.default_rng(seed)
    across = int(np.ceil(np.sqrt(count)))
    pitch = side / across
    labels = np.zeros((side, side), np.int32)
    angle = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    for number in range(count):
        middle = pitch * (np.array([number // across, number % across]) + 0.5)
        middle += rng.uniform(-0.06, 0.06, 2) * pitch
        waves = 1 + 0.12 * np.sin(3 * angle + rng.uniform(0, 6)) + 0.06 * np.sin(7 * angle)
        radius = 0.4 * pitch * rng.uniform(0.75, 1) * waves
        ring = np.stack([middle[1] + radius * np.cos(angle), middle[0] + radius * np.sin(angle)], 1)
        cv2.fillPoly(labels, [np.rint(ring).astype(np.int32)], number + 1)
    boxes = np.zeros((count, 4), np.int32)
    areas = np.bincount(labels.ravel(), minlength=count + 1)[1 : count + 1].astype(np.int32)
    for number in range(count):
        row, column = number // across, number % across
        top, left = int(row * pitch), int(column * pitch)
        part = labels[top : top + int(pitch) + 2, left : left + int(pitch) + 2] == number + 1
        y, x = np.nonzero(part)
        edges = (y.min() + top, x.min() + left, y.max() + top + 1, x.max() + left + 1)
        boxes[number] = edges
    return Drawn(labels, boxes, areas)


def planes(drawn: Drawn, seed: int) -> list[npt.NDArray[np.uint16]]:
    """What the four channels show, 16 bit."""
    rng = np.random.default_rng(seed)
    inside = (drawn.labels > 0).astype(np.float32)
    found = []
    for blur, gain in ((9, 0.9), (3, 0.4), (5, 0.5), (7, 0.6)):
        light = cv2.GaussianBlur(inside, (0, 0), blur) ** 3 * gain + 0.02
        noise = rng.normal(0, 0.03, light.shape).astype(np.float32)
        found.append(np.rint(np.clip(light + noise * light, 0, 1) * 20000).astype(np.uint16))
    return found


def write_run(folder: Path, cells: int) -> Path:
    """Write the run and return its folder."""
    run, images = RunFolder(folder / "page.run"), folder / "images"
    images.mkdir(parents=True)
    count = -(-cells // PER_SITE)
    small, large = field(SIDE, PER_SITE, 1), field(LARGE, PER_SITE, 2)
    ids = [f"P{n // 96 + 1}_{'ABCDEFGH'[n // 12 % 8]}{n % 12 + 1:02d}" for n in range(count)]
    drawn = {ids[0]: small, ids[1]: large}
    headers = {}
    for name in ids:
        side = LARGE if name == ids[1] else SIDE
        for channel in CHANNELS:
            facts = {"size": 1, "mtime_ns": 1, "height": side, "width": side, "dtype": "uint16"}
            headers[name, channel.name] = facts
    sites = [_site(name) for name in ids]
    write_table(run.sites, SITES, sites_to_frame(sites, headers))
    for channel, plane in zip(CHANNELS, planes(small, 3), strict=True):
        # The light of the large field is that of the small one, side by side.
        whole = np.tile(plane, (3, 3))[:LARGE, :LARGE]
        for name, pixels in ((ids[0], plane), (ids[1], whole)):
            path = images / f"{name}_{channel.name}.tif"
            tifffile.imwrite(path, pixels, compression="zlib", compressionargs={"level": 1})
        for name in ids[2 : 2 + FURTHER]:
            (images / f"{name}_{channel.name}.tif").hardlink_to(
                images / f"{ids[0]}_{channel.name}.tif"
            )
    _write_masks(run, ids, drawn, small)
    _write_tables(run, ids, drawn, small, cells)
    record = {
        "status": "done",
        "inputs": {"folder": str(images)},
        "recipe": {"name": "benchmark", "steps": []},
    }
    run.record.write_text(json.dumps(record))
    run.reading.write_text(json.dumps({"images": str(images)}))
    return run.path


def _site(name: str) -> Site:
    plate, well = name.split("_")
    files = tuple(ChannelFile(channel, (f"{name}_{channel.name}.tif",)) for channel in CHANNELS)
    metadata = {"Plate": plate, "Well": well}
    return Site(name, name, files, "train", (CLASSES[sum(well.encode()) % 19],), metadata, 0.325)


def _write_masks(run: RunFolder, ids: list[str], drawn: dict[str, Drawn], small: Drawn) -> None:
    for name, one in drawn.items():
        write_masks(run.masks, name, Masks(one.labels, one.labels))
    content = mask_path(run.masks, ids[0], "cells").read_bytes()
    for name in ids[2:]:
        for what in ("cells", "nuclei"):
            mask_path(run.masks, name, what).write_bytes(content)


def _write_tables(
    run: RunFolder, ids: list[str], drawn: dict[str, Drawn], small: Drawn, cells: int
) -> None:
    rng = np.random.default_rng(5)
    shape = (PER_SITE, len(CHANNELS), CROP, CROP)
    y, x = np.mgrid[:CROP, :CROP] - CROP / 2
    shapes = np.clip(1.2 - np.hypot(y, x) / rng.uniform(14, 30, (PER_SITE, 4, 1, 1)), 0, 1)
    for place, name in enumerate(ids):
        if place < SHARDS:
            noise = rng.random(shape, np.float32)
            write_shard(run.crops, name, (shapes * (0.2 + 0.2 * noise)).astype(np.float16))
        else:
            shard_path(run.crops, name).hardlink_to(shard_path(run.crops, ids[place % SHARDS]))
    write_channels(run.crops, CHANNELS)
    boxes = np.concatenate([drawn.get(name, small).boxes for name in ids])[:cells]
    areas = np.concatenate([drawn.get(name, small).areas for name in ids])[:cells]
    number = np.tile(np.arange(1, PER_SITE + 1, dtype=np.int32), len(ids))[:cells]
    site = np.repeat(np.array(ids), PER_SITE)[:cells]
    table = pl.DataFrame({"site_id": site, "cell_id": number}).with_columns(
        *(pl.Series(edge, boxes[:, n]) for n, edge in enumerate(("y0", "x0", "y1", "x1"))),
        pl.Series("x", boxes[:, [1, 3]].mean(1).astype(np.float32)),
        pl.Series("y", boxes[:, [0, 2]].mean(1).astype(np.float32)),
        pl.Series("area", areas),
        pl.Series("border", rng.random(cells) < 0.1),
        pl.Series("flags", [[]] * cells, dtype=pl.List(pl.String)),
        pl.col("site_id").alias("shard"),
        (pl.col("cell_id") - 1).alias("row"),
        *(pl.Series(f"Cells_Feature_{n}", rng.random(cells, np.float32)) for n in range(100)),
    )
    write_table(run.cells, CELLS, table)
    chance = rng.beta(0.4, 4, (cells, len(CLASSES))).astype(np.float32)
    given = [[CLASSES[code]] for code in chance.argmax(1)]
    plate = pl.col("site_id").str.split("_").list
    said = table.select("site_id", "cell_id", "x", "y", "area", "border").with_columns(
        pl.lit("cell").alias("unit"),
        pl.lit("train").alias("part"),
        pl.lit(0, pl.Int32).alias("fold"),
        pl.Series("Labels", given, dtype=pl.List(pl.String)),
        pl.Series("Weak_labels", given, dtype=pl.List(pl.String)),
        pl.Series("Uncertainty", rng.random(cells, np.float32)),
        plate.get(0).alias("Metadata_Plate"),
        plate.get(1).alias("Metadata_Well"),
        *(pl.Series(f"Prob_{name}", chance[:, n]) for n, name in enumerate(CLASSES)),
    )
    write_table(run.predictions, PREDICTIONS, said)
