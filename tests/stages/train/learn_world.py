"""A run folder small enough to train on: spots, rings and plain cells, with known truth.

Fields `s00`... have four cells each, all of the field's class: protein in the middle of the cell
(`spot`), at its rim (`ring`), or nowhere in particular (`Negative`).
"""

import json

import numpy as np
import polars as pl
from PIL import Image

from cellwise.domain.channels import Channel
from cellwise.domain.records import ChannelFile, Masks, Site
from cellwise.domain.steps import Job
from cellwise.domain.tables import CELLS, FOLDS, LABELS, SITES
from cellwise.store.run.crops import write_channels, write_shard
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.masks import write_masks
from cellwise.store.run.sites import sites_to_frame
from cellwise.store.run.tables import write_table

CLASSES = ("ring", "spot", "Negative")
CHANNELS = (Channel("dna", "nucleus"), Channel("gfp", "protein"))
CENTRES = [(16, 16), (16, 48), (48, 16), (48, 48)]
SIDE, SIZE = 64, 24


def label_of(number):
    return CLASSES[number % 3]


def draw(label, seed):
    """Pixels `[channel, y, x]` of one field."""
    rng = np.random.default_rng(seed)
    pixels = rng.uniform(0.0, 0.1, (2, SIDE, SIDE)).astype(np.float32)
    y, x = np.mgrid[:SIDE, :SIDE]
    for cy, cx in CENTRES:
        away = np.hypot(y - cy, x - cx)
        pixels[0][away < 4] += 0.6
        level = rng.uniform(0.3, 0.8)
        shape = {"spot": away < 4, "ring": (away > 7) & (away < 10), "Negative": away < 10}[label]
        pixels[1][shape] += level
    return np.clip(pixels, 0, 1)


def make_run(folder, *, sites=12, folds=2, unlabelled=0, channels=CHANNELS):
    """A run folder up to the labels; the last `unlabelled` sites have no label and no fold."""
    run, images = RunFolder(folder / "run"), folder / "images"
    images.mkdir(parents=True)
    ids = [f"s{n:02d}" for n in range(sites + unlabelled)]
    records, rows = [], []
    for number, site_id in enumerate(ids):
        pixels = draw(label_of(number), number)
        by_key = dict(zip((c.key for c in CHANNELS), pixels, strict=True))
        labels = (label_of(number),) if number < sites else None
        records.append(_write_site(images, site_id, by_key, channels=channels, labels=labels))
        rows += _write_cells(run, site_id, np.stack([by_key[c.key] for c in channels]))
    write_table(run.sites, SITES, sites_to_frame(records, {}))
    run.reading.write_text(json.dumps({"classes": {"names": CLASSES, "negative": "Negative"}}))
    cells = pl.DataFrame(rows, schema_overrides={"flags": pl.List(pl.String), "row": pl.Int32})
    write_table(run.cells, CELLS, cells)
    write_channels(run.crops, channels)
    write_folds(run, {i: n // 3 % folds if n < sites else None for n, i in enumerate(ids)})
    write_labels(run, {i: label_of(n) for n, i in enumerate(ids[:sites])})
    return run


def write_folds(run, folds):
    frame = pl.DataFrame(
        {"site_id": list(folds), "fold": list(folds.values()), "group": list(folds)},
        schema_overrides={"fold": pl.Int32},
    )
    write_table(run.folds, FOLDS, frame)


def write_labels(run, labels, *, weight=1.0):
    rows = [
        {
            "site_id": site,
            "cell_id": cell,
            "label": [float(label == c) for c in CLASSES[:2]],
            "weight": weight,
            "reason": "inherited",
        }
        for site, label in labels.items()
        for cell in (1, 2, 3, 4)
    ]
    if rows:
        frame = pl.DataFrame(rows, schema_overrides={"label": pl.Array(pl.Float32, 2)})
        write_table(run.labels("label"), LABELS, frame, classes=CLASSES[:2])


def make_job(run, *, name="model", key="k1", seed=3, step="train", fitted=None, **options):
    quick = {
        "labels": "label",
        "net": {"name": "tiny", "width": 8},
        "epochs": 3,
        "batch": 8,
        "threads": 1,
    }
    if step == "score":
        quick = {"model": "model", "threads": 1}
    images = run.path.parent / "images"
    return Job(run.path, images, name, {**quick, **options}, key, seed, fitted=fitted)


def silent(done, total, note):
    assert 0 <= done <= total
    assert isinstance(note, str)


def _write_site(images, site_id, by_key, *, channels, labels):
    files = []
    for channel in channels:
        path = f"{site_id}_{channel.name}.png"
        Image.fromarray(np.round(by_key[channel.key] * 255).astype(np.uint8)).save(images / path)
        files.append(ChannelFile(channel, (path,)))
    return Site(site_id, site_id, tuple(files), "train" if labels else "unlabelled", labels)


def _write_cells(run, site_id, pixels):
    y, x = np.mgrid[:SIDE, :SIDE]
    masks = np.zeros((SIDE, SIDE), np.uint16)
    rows, crops, half = [], [], SIZE // 2
    for cell, (cy, cx) in enumerate(CENTRES, start=1):
        masks[np.hypot(y - cy, x - cx) < 11] = cell
        crops.append(pixels[:, cy - half : cy + half, cx - half : cx + half])
        box = {"y0": cy - half, "x0": cx - half, "y1": cy + half, "x1": cx + half}
        place = {"shard": site_id, "row": cell - 1}
        rows.append(
            {"site_id": site_id, "cell_id": cell, **box, "x": cx, "y": cy, "area": 380,
             "border": False, "flags": [], **place}
        )  # fmt: skip
    write_masks(run.masks, site_id, Masks(masks, masks * (masks > 0)))
    write_shard(run.crops, site_id, np.stack(crops))
    return rows
