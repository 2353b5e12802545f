"""A finished run of a few cells, as large as a check of an exporter needs."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
from PIL import Image

from cellwise.domain.channels import Channel
from cellwise.domain.records import ChannelFile, Masks, Site
from cellwise.domain.tables import PREDICTIONS, PROFILES, SITES, TREATMENTS
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.masks import write_masks
from cellwise.store.run.sites import sites_to_frame
from cellwise.store.run.tables import write_table

ANSWERS = ("answer", "answer_free", "answer_grouped", "answer_assigned")
CLASSES = ("Golgi apparatus", "Cytosol", "Negative")


def site(name: str, part: str = "train", raw: str | None = None) -> Site:
    """One field of a single channel, in well A01."""
    files = (ChannelFile(Channel("gfp", "protein"), (f"{name}.png",)),)
    return Site(name, raw or name, files, part, metadata={"Well": "A01"})


def labels_of(name: str) -> npt.NDArray[np.uint16]:
    """Cells 1 and 4 in field `s1`, cell 2 in `s3`, none in any other; 20 x 30 pixels."""
    labels = np.zeros((20, 30), np.uint16)
    if name == "s1":
        labels[2:8, 2:9], labels[10:18, 12:25] = 1, 4
    if name == "s3":
        labels[0:5, 0:5] = 2
    return labels


def write_small_run(
    folder: Path,
    sites: list[Site] | None = None,
    *,
    drop: tuple[str, ...] = (),
    classes: tuple[str, ...] = CLASSES,
) -> RunFolder:
    """Write tables, masks and images.

    Args:
        folder: Where; made anew.
        sites: Its fields; four where none are given, the last two for testing, the second and the
            fourth without cells.
        drop: Columns that the predictions lack.
        classes: Names of three classes.
    """
    given = [site("s1"), site("s2"), site("s3", "test", "raw/3"), site("s4", "test")]
    sites = given if sites is None else sites
    run = RunFolder(folder)
    headers = {(s.id, "gfp"): {"height": 20, "width": 30} for s in sites}
    write_table(run.sites, SITES, sites_to_frame(sites, headers))
    rows = []
    rng, rng_of_images = np.random.default_rng(0), np.random.default_rng(1)
    for entry in sites:
        labels = labels_of(entry.id)
        write_masks(run.masks, entry.id, Masks(labels, np.zeros_like(labels)))
        plane = rng_of_images.integers(0, 256, labels.shape, np.uint8)
        path = folder / entry.files[0].paths[0]
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(plane).save(path)
        for number in sorted(set(labels.ravel().tolist()) - {0}):
            chances = rng.random(3).astype(np.float32)
            rows.append(
                _row(entry, labels == number, number, dict(zip(classes, chances, strict=True)))
            )
    schema: dict[str, Any] = {"fold": pl.Int32, "Cells_NuclearRingRatio_gfp": pl.Float32}
    schema |= dict.fromkeys(("Labels", "Weak_labels", "flags"), pl.List(pl.String))
    schema |= {f"Prob_{c}": pl.Float32 for c in classes}
    frame = pl.DataFrame(rows, schema_overrides=schema).drop(list(drop))
    write_table(run.predictions, PREDICTIONS, frame, classes=classes)
    return run


def _row(
    entry: Site, inside: npt.NDArray[np.bool_], number: int, chances: dict[str, np.float32]
) -> dict[str, Any]:
    first, second, _ = chances
    y, x = np.nonzero(inside)
    border = bool(y.min() == 0)
    return {
        "unit": "cell",
        "part": entry.part,
        "fold": 0 if entry.part == "train" else None,
        "site_id": entry.id,
        "cell_id": number,
        "x": x.mean(),
        "y": y.mean(),
        "area": len(y),
        "border": border,
        "Labels": [second, first] if number == 4 else [],
        "Weak_labels": [second] if entry.id == "s1" else None,
        "Uncertainty": 0.5,
        "flags": ["border"] if border else [],
        "Metadata_Well": "A01",
        "Cells_AreaShape_Area": float(len(y)),
        "Cells_NuclearRingRatio_gfp": None if number == 1 else 2.0,
        **{f"Prob_{c}": v for c, v in chances.items()},
    }


def write_small_wells(run: RunFolder) -> None:
    """Two wells with an answer and a profile: what exporters of wells need."""
    wells = [(f"E1/E1_1/B0{k}", "E1/E1_1", "E1", f"B0{k}", "U2OS", "test", None) for k in (2, 3)]
    names = ("well", "plate", "experiment", "position", "cell_type", "part", "class")
    schema = dict.fromkeys(names, pl.String)
    frame = pl.DataFrame(wells, schema=schema, orient="row").with_columns(
        well_type=pl.lit("treatment"), n_sites=2, fold=None, out_of_fold=False, confidence=0.5,
        group=None, support=None, pseudo_label=None, model=pl.lit("net/all"), n_vectors=2,
        **{name: pl.Series(["7", "12"]) for name in ANSWERS},
    )  # fmt: skip
    write_table(run.treatments(), TREATMENTS, frame.drop("model", "n_vectors"))
    vectors = pl.Series([[0.0, 1.0], [2.0, 3.0]], dtype=pl.Array(pl.Float32, 2))
    rows = frame.with_columns(vector=vectors).select([*PROFILES.columns])
    write_table(run.profiles("profile"), PROFILES, rows, classes=("first", "second"))
