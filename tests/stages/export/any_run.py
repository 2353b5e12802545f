"""A run of any masks: what exporters that go from field to field are tried on."""

import json
from typing import Any

import numpy as np
import polars as pl
from PIL import Image

from cellwise.domain.channels import Channel
from cellwise.domain.records import ChannelFile, Masks, Site
from cellwise.domain.tables import CELLS, PREDICTIONS, SITES
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.masks import write_masks
from cellwise.store.run.sites import sites_to_frame
from cellwise.store.run.tables import write_table

CHANNELS = (Channel("dna", "nucleus"), Channel("gfp", "protein"))
CLASSES = ("Golgi / ER: near", "Cytosol", "Negative")


def write_run(folder, fields, *, classes=CLASSES, pixel_size=None, metadata=(), seed=0, top=0):
    """A run whose fields have these masks.

    Args:
        folder: Where.
        fields: Site id to `cells` or `(cells, nuclei)`, or to None for one that was set aside.
        classes: Of the predictions; without any the run has cells only.
        pixel_size: Of all fields, or by id.
        metadata: Of all fields, or by id.
        seed: Of the probabilities.
        top: Probabilities of that many classes instead of all.
    """
    run = RunFolder(folder)
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    sites, heads, rows = [], {}, []
    for name, masks in fields.items():
        pair = masks if isinstance(masks, tuple) or masks is None else (masks, masks * 0)
        files = tuple(ChannelFile(c, (f"{name}_{c.name}.png",)) for c in CHANNELS)
        size = pixel_size.get(name) if isinstance(pixel_size, dict) else pixel_size
        named = dict(metadata.get(name, {}) if metadata and name in metadata else metadata or {})
        sites.append(Site(name, f"raw/{name}", files, pixel_size=size, metadata=named))
        if pair is None:
            continue
        write_masks(run.masks, name, Masks(*pair))
        for channel in CHANNELS:
            heads[name, channel.name] = {
                "height": pair[0].shape[0],
                "width": pair[0].shape[1],
                "dtype": "uint8",
            }
        rows += [cell_row(name, pair[0], number, classes, rng, top) for number in numbers(pair[0])]
    write_table(run.sites, SITES, sites_to_frame(sites, heads))
    schema: dict[str, Any] = dict.fromkeys(
        ("Labels", "Weak_labels", "flags", "top_classes"), pl.List(pl.String)
    )
    schema |= {"top_probs": pl.List(pl.Float32), "fold": pl.Int32}
    schema |= dict.fromkeys(("y0", "x0", "y1", "x1"), pl.Int32)
    if not rows:
        rows, empty = [cell_row("none", np.ones((1, 1), int), 1, classes, rng, top)], True
    else:
        empty = False
    frame = pl.DataFrame(rows, schema_overrides={k: v for k, v in schema.items() if k in rows[0]})
    frame = frame.clear() if empty else frame
    if classes:
        write_table(run.predictions, PREDICTIONS, frame, classes=classes)
        run.decision("decide").parent.mkdir(exist_ok=True)
        run.decision("decide").write_text(json.dumps({"negative": "Negative"}))
    else:
        write_table(run.cells, CELLS, frame)
    return run


def numbers(labels):
    return [int(k) for k in np.unique(labels) if k]


def cell_row(site_id, labels, number, classes, rng, top):
    y, x = np.nonzero(labels == number)
    row = {
        "site_id": site_id,
        "cell_id": number,
        "x": float(x.mean()),
        "y": float(y.mean()),
        "area": len(y),
        "border": bool(y.min() == 0),
        "flags": ["border"] if y.min() == 0 else [],
        "Cells_AreaShape_Area": float(len(y)),
        "Nuclei_AreaShape_Area": None if number % 2 else 3.5,
    }
    if not classes:
        return row | {"y0": y.min(), "x0": x.min(), "y1": y.max() + 1, "x1": x.max() + 1}
    chances = rng.random(len(classes)).astype(np.float32).tolist()
    row |= {
        "unit": "cell",
        "part": "train",
        "fold": 1,
        "Labels": [name for name, p in zip(classes, chances, strict=True) if p > 0.5],
        "Weak_labels": None,
        "Uncertainty": 0.25,
    }
    if top:
        order = np.argsort(chances)[::-1][:top]
        row["top_classes"] = [classes[k] for k in order]
        row["top_probs"] = [chances[k] for k in order]
        return row | {"Labels": row["top_classes"][:1]}
    return row | {f"Prob_{name}": p for name, p in zip(classes, chances, strict=True)}


def write_images(run, fields, dtype=np.uint8, seed=3):
    """The images of the run's fields, in the run folder itself; returns them by id."""
    rng = np.random.default_rng(seed)
    made = {}
    for name, masks in fields.items():
        shape = (masks[0] if isinstance(masks, tuple) else masks).shape
        top = np.iinfo(dtype).max
        made[name] = rng.integers(0, top, (len(CHANNELS), *shape), dtype, endpoint=True)
        for channel, plane in zip(CHANNELS, made[name], strict=True):
            Image.fromarray(plane).save(run.path / f"{name}_{channel.name}.png")
    return made
