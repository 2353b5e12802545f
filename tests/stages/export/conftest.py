"""A finished small run: fields with and without cells, three classes."""

from typing import Any

import numpy as np
import polars as pl
import pytest

from cellwise.domain.channels import Channel
from cellwise.domain.records import ChannelFile, Masks, Site
from cellwise.domain.tables import PREDICTIONS, SITES
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.masks import write_masks
from cellwise.store.run.sites import sites_to_frame
from cellwise.store.run.tables import write_table

CLASSES = ("Golgi / ER", "Cytosol", "Negative")


def site(name, part="train", raw=None):
    files = (ChannelFile(Channel("gfp", "protein"), (f"{name}.png",)),)
    return Site(name, raw or name, files, part, metadata={"Well": "A01"})


def labels_of(name):
    labels = np.zeros((20, 30), np.uint16)
    if name == "s1":
        labels[2:8, 2:9], labels[10:18, 12:25] = 1, 4
    if name == "s3":
        labels[0:5, 0:5] = 2
    return labels


def write_run(folder, sites, *, drop=()):
    run = RunFolder(folder)
    headers = {(s.id, "gfp"): {"height": 20, "width": 30} for s in sites}
    write_table(run.sites, SITES, sites_to_frame(sites, headers))
    rows = []
    rng = np.random.default_rng(0)
    for entry in sites:
        labels = labels_of(entry.id)
        write_masks(run.masks, entry.id, Masks(labels, np.zeros_like(labels)))
        for number in sorted(set(labels.ravel().tolist()) - {0}):
            y, x = np.nonzero(labels == number)
            chances = rng.random(3).astype(np.float32)
            rows.append(
                {
                    "unit": "cell",
                    "part": entry.part,
                    "fold": 0 if entry.part == "train" else None,
                    "site_id": entry.id,
                    "cell_id": number,
                    "x": x.mean(),
                    "y": y.mean(),
                    "area": len(y),
                    "border": bool(y.min() == 0),
                    "Labels": ["Cytosol", "Golgi / ER"] if number == 4 else [],
                    "Weak_labels": ["Cytosol"] if entry.id == "s1" else None,
                    "Uncertainty": 0.5,
                    "flags": ["border"] if y.min() == 0 else [],
                    "Metadata_Well": "A01",
                    "Cells_AreaShape_Area": float(len(y)),
                    "Cells_NuclearRingRatio_gfp": None if number == 1 else 2.0,
                    **{f"Prob_{c}": v for c, v in zip(CLASSES, chances, strict=True)},
                }
            )
    schema: dict[str, Any] = {
        "fold": pl.Int32,
        "Labels": pl.List(pl.String),
        "Weak_labels": pl.List(pl.String),
    }
    schema |= {"flags": pl.List(pl.String), "Cells_NuclearRingRatio_gfp": pl.Float32}
    schema |= {f"Prob_{c}": pl.Float32 for c in CLASSES}
    frame = pl.DataFrame(rows, schema_overrides=schema).drop(list(drop))
    write_table(run.predictions, PREDICTIONS, frame, classes=CLASSES)
    return run


@pytest.fixture
def run(tmp_path):
    """Four fields, the last two for testing; the second and the fourth are empty."""
    sites = [site("s1"), site("s2"), site("s3", "test", "raw/3"), site("s4", "test")]
    return write_run(tmp_path / "run", sites)


@pytest.fixture
def make_run(tmp_path):
    """Makes a run from (site id, part) pairs; `drop` leaves out columns of the predictions."""

    def make(*sites, drop=()):
        return write_run(tmp_path / "run", [site(*entry) for entry in sites], drop=drop)

    return make


@pytest.fixture
def classes():
    return CLASSES


@pytest.fixture
def true_labels():
    """The label image of a site, by id."""
    return labels_of
