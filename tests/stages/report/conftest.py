"""A small run folder, written through the store as the steps would: a plate of 12 drawn wells."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from PIL import Image

from cellwise.domain.channels import Channel
from cellwise.domain.records import ChannelFile, Masks, Site
from cellwise.domain.steps import Job
from cellwise.domain.tables import (
    CELLS,
    FOLDS,
    PIXELS,
    PREDICTIONS,
    SITES,
    WELLS,
)
from cellwise.store.run.crops import write_channels, write_shard
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.masks import write_masks
from cellwise.store.run.sites import sites_to_frame
from cellwise.store.run.tables import write_table

SIDE, CROP, PER_SITE = 160, 48, 9
CHANNELS = (Channel("dna", "nucleus"), Channel("gfp", "protein"))


@dataclass(frozen=True)
class Made:
    """A run folder with its images, and the job that reports on it."""

    run: Path
    images: Path

    def job(self, **options: Any) -> Job:
        return Job(self.run, self.images, "report", options, key="k", seed=7)

    def html(self, **options: Any) -> str:
        from cellwise.stages.report.step import work

        work(self.job(**options), lambda done, total, note: None)
        return (self.run / "report.html").read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def make_run() -> Callable[..., Made]:
    return write_run


@pytest.fixture
def plate_run(tmp_path: Path) -> Made:
    """Labelled controls, unlabelled dose wells, one model and its negative control."""
    return write_run(tmp_path)


def write_run(
    root: Path,
    *,
    classes: tuple[str, ...] = ("inside", "Negative"),
    wells: bool = True,
    labels: bool = True,
    cells: int = PER_SITE,
    name: str = "plate",
) -> Made:
    """Write a run; the first class rises with the column, the last is the exclusive negative."""
    made = Made(root / "plate.run", root / "plate <b>&amp;")
    made.images.mkdir(parents=True)
    run = RunFolder(made.run)
    random = np.random.default_rng(3)
    sites = [_site(i, classes, wells=wells, labels=labels, name=name) for i in range(12)]
    drawn = [_draw(made.images, run, site, i % 6, cells, random) for i, site in enumerate(sites)]
    headers = {
        (site.id, c.name): {"size": 1, "mtime_ns": 1, "height": SIDE, "width": SIDE, "dtype": "u1"}
        for site in sites
        for c in CHANNELS
    }
    write_table(run.sites, SITES, sites_to_frame(sites, headers))
    table = _cells(run, sites, drawn)
    _write_pixels(run, sites)
    _write_json(made, classes, wells=wells and cells > 0)
    if classes:
        _write_predictions(run, sites, table, classes)
    return made


def _site(i: int, classes: tuple[str, ...], *, wells: bool, labels: bool, name: str) -> Site:
    row, column = divmod(i, 6)
    well = f"{'AB'[row]}{column + 1:02d}"
    given = None
    if labels and classes:
        columns = {0: (classes[-1],), 1: (classes[-1],), 4: (classes[0],), 5: (classes[0],)}
        given = columns.get(column)
    metadata = {"Dose": str(column)}
    if wells:
        metadata |= {"Plate": "P1", "Well": well}
    files = tuple(ChannelFile(c, (f"{well}_{c.name}.png",)) for c in CHANNELS)
    return Site(f"{name}_{well}", f"{name} {well}", files, "train", given, metadata)


def _draw(
    images: Path, run: RunFolder, site: Site, column: int, n: int, random: np.random.Generator
) -> tuple[np.ndarray, Masks]:
    """Discs on a jittered grid; the protein moves from ring to nucleus as the column rises."""
    y, x = np.mgrid[:SIDE, :SIDE]
    cells, nuclei = np.zeros((SIDE, SIDE), np.uint16), np.zeros((SIDE, SIDE), np.uint16)
    for i in range(n):
        cy, cx = 28 + 52 * (i // 3) + random.integers(-6, 7), 28 + 52 * (i % 3)
        distance = np.hypot(y - cy, x - cx - random.integers(-6, 7))
        cells[(distance < 21) & (cells == 0)] = i + 1
        nuclei[(distance < 9) & (cells == i + 1)] = i + 1
    share = column / 5
    protein = (cells > 0) * (0.55 - 0.3 * share) + (nuclei > 0) * (0.9 * share - 0.3)
    pixels = np.stack([(nuclei > 0) * 0.7, protein]) + 0.06
    noisy = np.clip(pixels + random.normal(0, 0.03, pixels.shape), 0, 1).astype(np.float32)
    for channel, plane in zip(site.files, noisy, strict=True):
        Image.fromarray((plane * 255).astype(np.uint8)).save(images / channel.paths[0])
    masks = Masks(cells, nuclei)
    write_masks(run.masks, site.id, masks)
    return noisy, masks


def _cells(run: RunFolder, sites: list[Site], drawn: list[Any]) -> pl.DataFrame:
    rows: list[dict[str, Any]] = []
    for site, (pixels, masks) in zip(sites, drawn, strict=True):
        crops = []
        for cell in range(1, int(masks.cells.max()) + 1):
            ys, xs = np.nonzero(masks.cells == cell)
            top, left = max(0, int(ys.mean()) - CROP // 2), max(0, int(xs.mean()) - CROP // 2)
            crop = np.zeros((len(CHANNELS), CROP, CROP), np.float32)
            part = pixels[:, top : top + CROP, left : left + CROP]
            crop[:, : part.shape[1], : part.shape[2]] = part
            crops.append(crop)
            rows.append(
                {
                    "site_id": site.id,
                    "cell_id": cell,
                    "y0": int(ys.min()),
                    "x0": int(xs.min()),
                    "y1": int(ys.max()) + 1,
                    "x1": int(xs.max()) + 1,
                    "x": float(xs.mean()),
                    "y": float(ys.mean()),
                    "area": len(ys),
                    "border": cell % 8 == 0,
                    "flags": ["no_nucleus"] if cell == 5 else [],
                    "shard": site.id,
                    "row": cell - 1,
                    "Cells_Intensity_Mean_gfp": float(pixels[1][ys, xs].mean()),
                    "Cells_NuclearRingRatio_gfp": _ratio(pixels[1], masks, cell),
                }
            )
        if crops:
            write_shard(run.crops, site.id, np.stack(crops).astype(np.float16))
    run.crops.mkdir(exist_ok=True)
    write_channels(run.crops, CHANNELS)
    schema: dict[str, Any] = {"shard": pl.String, "row": pl.Int32, "flags": pl.List(pl.String)}
    measured = ["Cells_Intensity_Mean_gfp", "Cells_NuclearRingRatio_gfp"]
    names = [*CELLS.columns, "shard", "row", *measured]
    frame = pl.DataFrame(rows, schema=None if rows else names, schema_overrides=schema)
    write_table(run.cells, CELLS, frame)
    return frame


def _ratio(protein: np.ndarray, masks: Masks, cell: int) -> float:
    inside = (masks.nuclei == cell) & (masks.cells == cell)
    ring = (masks.cells == cell) & ~inside
    return float(protein[inside].mean() / protein[ring].mean())


def _write_pixels(run: RunFolder, sites: list[Site]) -> None:
    rows = [
        {
            "site_id": site.id,
            "channel": c.name,
            "sha256": "0" * 64,
            "minimum": 0.0,
            "maximum": 1.0,
            "mean": 0.2,
            "saturated": 0.0,
            "focus": 1.0,
            "flags": ["saturated"] if i == 3 else [],
        }
        for i, site in enumerate(sites)
        for c in CHANNELS
    ]
    frame = pl.DataFrame(rows, schema_overrides={"flags": pl.List(pl.String)})
    write_table(run.pixels, PIXELS, frame)


def _write_predictions(
    run: RunFolder, sites: list[Site], cells: pl.DataFrame, classes: tuple[str, ...]
) -> None:
    random = np.random.default_rng(5)
    by_id = {site.id: site for site in sites}
    rows, control = [], []
    for cell in cells.select("site_id", "cell_id", "x", "y", "area", "border").to_dicts():
        site = by_id[cell["site_id"]]
        column = int(site.metadata["Dose"])
        first = float(np.clip(column / 5 + random.normal(0, 0.18), 0.01, 0.99))
        others = random.beta(1, 8, len(classes) - 1)
        values = np.array([first, *others])
        if len(classes) > 1:
            values[-1] = 1 - values[:-1].max()
        blind = np.array([0.5 + random.normal(0, 0.05) for _ in classes])
        for table, probabilities in ((rows, values), (control, blind)):
            table.append(_prediction(site, cell, classes, probabilities))
    for path, table in ((run.predictions, rows), (run.path / "predictions_blind.parquet", control)):
        names = [*PREDICTIONS.columns, *(f"Prob_{name}" for name in classes)]
        overrides: dict[str, Any] = {
            "Labels": pl.List(pl.String),
            "Weak_labels": pl.List(pl.String),
            "fold": pl.Int32,
        }
        frame = pl.DataFrame(table, schema=None if table else names, schema_overrides=overrides)
        write_table(path, PREDICTIONS, frame)
    folds = [
        {"site_id": s.id, "fold": i // 6 if s.labels else None, "group": f"row {'AB'[i // 6]}"}
        for i, s in enumerate(sites)
    ]
    write_table(run.folds, FOLDS, pl.DataFrame(folds, schema_overrides={"fold": pl.Int32}))
    _write_wells(run, sites, rows, classes)


def _prediction(
    site: Site, cell: dict[str, Any], classes: tuple[str, ...], probabilities: np.ndarray
) -> dict[str, Any]:
    row, labelled = 0 if "_A0" in site.id else 1, site.labels is not None
    extra = {f"Metadata_{key}": value for key, value in site.metadata.items() if key != "Dose"}
    return {
        **{key: cell[key] for key in ("site_id", "cell_id", "x", "y", "area", "border")},
        "unit": "cell",
        "part": "train" if labelled else "unlabelled",
        "fold": row if labelled else None,
        "Labels": [c for c, p in zip(classes, probabilities, strict=True) if p >= 0.5],
        "Weak_labels": list(site.labels or ()),
        "Uncertainty": float(1 - 2 * np.abs(probabilities - 0.5).mean()),
        **extra,
        **{f"Prob_{c}": float(p) for c, p in zip(classes, probabilities, strict=True)},
    }


def _write_wells(
    run: RunFolder, sites: list[Site], rows: list[dict[str, Any]], classes: tuple[str, ...]
) -> None:
    """Shares per well as `decide` writes them; rows A and B of a column are replicates."""
    if "Well" not in sites[0].metadata or not rows:
        return
    shares = {
        (site.id, c): np.mean([c in row["Labels"] for row in rows if row["site_id"] == site.id])
        for site in sites
        for c in classes
    }
    table = []
    for i, site in enumerate(sites):
        row = {
            "Metadata_Plate": "P1",
            "Metadata_Well": site.metadata["Well"],
            "Metadata_Dose": site.metadata["Dose"],
            "n_sites": 1,
            "n_cells": sum(row["site_id"] == site.id for row in rows),
            "Weak_labels": list(site.labels) if site.labels else None,
            "negative_control": i % 6 < 2,
            "Condition": f"dose {i % 6}",
        }
        for c in classes:
            share, twin = shares[site.id, c], shares[sites[(i + 6) % 12].id, c]
            row |= {
                f"Fraction_{c}": share,
                f"Low_{c}": max(0.0, share - 0.2),
                f"High_{c}": min(1.0, share + 0.2),
                f"Mean_{c}": share,
                f"Delta_{c}": share,
                f"ReplicateSd_{c}": abs(share - twin) / 2**0.5,
            }
        table.append(row)
    overrides = {"Weak_labels": pl.List(pl.String)}
    write_table(run.wells, WELLS, pl.DataFrame(table, schema_overrides=overrides))


def _write_json(made: Made, classes: tuple[str, ...], *, wells: bool) -> None:
    run = RunFolder(made.run)
    record = {
        "format_version": 1,
        "status": "done",
        "cellwise": "0.1.0",
        "started": "2026-01-01T00:00:00+00:00",
        "finished": "2026-01-01T00:03:20+00:00",
        "seconds": 200.5,
        "command": ["cellwise", "run", "my plate/", "--out", "plate.run", "--labels", "labels.csv"],
        "inputs": {
            "folder": "/data/<script>alert(1)",
            "labels": "labels.csv",
            "masks": None,
            "listing_sha256": "ab" * 32,
            "labels_sha256": "cd" * 32,
        },
        "recipe": {
            "name": "plate-quick" if classes else "segment-only",
            "digest": "ef" * 12,
            "steps": [
                {"kind": "read", "name": "read", "options": {"layout": "auto"}},
                {"kind": "segment", "name": "segment", "options": {"name": "watershed"}},
            ],
        },
        "seed": 7,
        "device": "cpu",
        "workers": 2,
        "versions": {"python": "3.11", "numpy": "2.4", "torch": "2.13.0"},
        "platform": "Linux x86_64",
        "steps": [
            {
                "name": "segment",
                "kind": "segment",
                "key": "0123456789abcdef",
                "seconds": 12.25,
                "counts": {"sites": 12, "cells": 108},
                "state": "done",
            }
        ],
        "counts": {"sites": 12, "cells": 108, "quarantined": 2},
    }
    reading = {
        "problems": [
            {
                "code": "label_without_image",
                "path": "C09",
                "reason": "A label for a field that has no image.",
                "remedy": "Check the spelling.",
                "site_id": "",
                "quarantined": False,
            }
        ],
        **({"classes": {"names": list(classes), "negative": None}} if classes else {}),
    }
    for path, content in ((run.record, record), (run.reading, reading)):
        path.write_text(json.dumps(content))
    run.quarantine.write_text(
        "path,stage,code,reason,remedy\n"
        '"<script>document.title=""broken""</script>.png",read,truncated,The file ends too early.,'
        "Copy it again.\nC05_gfp.png,read,zero_byte,The file is empty.,Copy it again.\n"
    )
    if not classes:
        return
    split = {
        "by": ["Metadata_Row"],
        "folds": 2,
        "leaks": [
            {"column": "group", "used": True, "values": 2, "straddling": 0, "examples": []},
            {
                "column": "Metadata_Plate",
                "used": False,
                "values": 1,
                "straddling": 1,
                "examples": ["P1"],
            },
        ],
        "balance": [{"class": c, "sites": 4, "groups": 2, "folds": [2, 2]} for c in classes],
        "warnings": [],
        "passed_over": {"Metadata_Plate": "one value only"},
    }
    (made.run / "split.json").write_text(json.dumps(split))
    if wells:
        evaluation = _evaluation(classes)
        (made.run / "evaluation.json").write_text(json.dumps(evaluation))
    decision = {
        "calibration": "weak",
        "classes": list(classes),
        "negative": classes[-1] if len(classes) > 1 else None,
        "pooling": "noisy_or",
        "n_fields": 8,
        "n_cells": 72,
    }
    run.decision("decide").parent.mkdir()
    run.decision("decide").write_text(json.dumps(decision))
    metrics = {"accuracy": {"value": 0.91, "low": 0.82, "high": 0.97, "n": 72, "unit": "cell"}}
    run.metrics.write_text(json.dumps({"metrics": metrics}))


def _evaluation(classes: tuple[str, ...]) -> dict[str, Any]:
    """The keys that the step `evaluate` writes, with figures that go with the drawn plate."""
    figures = {"value": 0.97, "low": 0.86, "high": 1.0, "positives": 4, "groups": 2, "apart": ""}
    nothing = {
        "value": None,
        "low": None,
        "high": None,
        "positives": 0,
        "apart": "only 0 positives",
    }
    line = [[x / 10, 1 / (1 + np.exp(-2 * (x / 10 - 2.4)))] for x in range(51)]
    points = [
        {"well": f"{row}{c + 1:02d}", "plate": "P1", "dose": c, "value": c / 5, "n_cells": PER_SITE}
        for row in "AB"
        for c in range(6)
    ]
    drug = {"drug": "wortmannin", "class": classes[0], "bottom": 0.02, "top": 0.98, "slope": 2.0}
    drug |= {"midpoint": 2.4, "low": 2.1, "high": 2.8, "r2": 0.97, "spearman": 0.98, "n": 12}
    quality = {"z_prime": 0.62, "z_prime_low": 0.41, "z_prime_high": 0.8}
    quality |= {"ssmd": 9.1, "ssmd_low": 6.0, "ssmd_high": 14.0, "n_positive": 4, "n_negative": 4}
    positions = [
        {"plate": "P1", "class": classes[0], "factor": f, "eta2": e, "expected": x, "n": 12}
        for f, e, x in (("row", 0.02, 0.09), ("column", 0.9, 0.45), ("edge", None, None))
    ]
    blind = {**quality, "z_prime": -2.5, "class": classes[0]}
    return {
        "pooling": "mean",
        "draws": 500,
        "sites": {
            "n": 8,
            "resampled": "fields",
            "classes": [
                {"name": name, **(figures if name in (classes[0], classes[-1]) else nothing)}
                for name in classes
            ],
            "apart": {},
        },
        "drugs": [{**drug, "reason": "", "points": points, "line": line}],
        "screen_quality": [{"class": classes[0], **quality}],
        "replicates": [
            {
                "class": classes[0],
                "icc": 0.95,
                "low": 0.8,
                "high": 0.99,
                "wells": 12,
                "conditions": 6,
            }
        ],
        "positions": positions,
        "negative_control": {
            "drugs": [{**drug, "spearman": 0.11}],
            "screen_quality": [blind],
        },
        "warnings": [
            "Plate P1: Dose follows the column of the plate (rank correlation 1.00): an "
            "effect of dose and an effect of the column cannot be distinguished."
        ],
    }
