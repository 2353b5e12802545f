"""Report: the run folder becomes one page, `report.html`, that opens without a network.

Reads whatever the other steps left (missing files are ordinary) and the images, if they are still
where they were; writes `report.html`.
"""

import csv
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from cellwise.domain.channels import Channel
from cellwise.domain.records import Field, Masks, Site
from cellwise.domain.steps import Job, Report
from cellwise.domain.tables import (
    CANDIDATES,
    CELLS,
    FOLDS,
    PIXELS,
    PREDICTIONS,
    WELLS,
    TableKind,
)
from cellwise.domain.trial import Trial
from cellwise.errors import FormatError, InputError
from cellwise.stages.report._judged import judged_parts
from cellwise.stages.report._page import render
from cellwise.stages.report.material import Choices, Material, choose
from cellwise.stages.report.shown import FieldImages
from cellwise.stages.report.spec import Options
from cellwise.store.atomic import write_text
from cellwise.store.images.fields import read_field
from cellwise.store.run.class_maps import ClassMaps, read_class_maps
from cellwise.store.run.crops import CropStore, read_channels
from cellwise.store.run.folder import RunFolder, read_json
from cellwise.store.run.masks import mask_path, read_labels, read_masks
from cellwise.store.run.reader import RunReader
from cellwise.store.run.segmentation import read_notes
from cellwise.store.run.sites import read_sites
from cellwise.store.run.tables import read_table

LARGEST = 15_000_000
# Fields that decide the contrast where fewer are shown.
_CONTRAST_FIELDS = 8
# Of a page with as many images as it takes, and of the sections and galleries about classes.
_SECONDS, _OF_CLASSES = 0.8, 0.8


def forecast(job: Job, trial: Trial) -> float:
    """Seconds of one core: drawing takes about as long for few fields as for many."""
    return _SECONDS + (_OF_CLASSES if trial.classes is not None else 0.0)


def work(job: Job, report: Report) -> dict[str, Any]:
    """Write `report.html`; returns its size in bytes.

    A page above 15 MB is made again, first without switches for the channels of cells, then with
    fewer and fewer images, until it can be sent on.
    """
    options = Options.of(job.options)
    wanted = Choices(options.sites, options.gallery, options.negative_control, job.seed)
    material = gather(job, wanted)
    share, switched = 1.0, True
    while True:
        fewer = replace(
            wanted,
            sites=int(wanted.sites * share),
            gallery=int(wanted.gallery * share),
            cell_switches=switched,
        )
        page = render(replace(material, choices=fewer), report)
        size = len(page.encode())
        if size < LARGEST or share < 0.05:
            break
        share, switched = (share if switched else share / 2), False
    write_text(RunFolder(job.run).report, page)
    return {"bytes": size}


def gather(job: Job, choices: Choices) -> Material:
    """Read everything the page is made from."""
    run = RunFolder(job.run)
    sites = read_sites(run.sites) if run.sites.exists() else []
    frame = _site_rows(run)
    cells = _table(run.cells, CELLS)
    cells = None if cells is None else cells.with_row_index("position")
    predictions = _predictions(run.predictions, cells, frame)
    known = _json(run.path / "evaluation_truth.json")
    truth = (known.get("truth") or {}).get("folder")
    shown = RunImages(
        run, job.images, {site.id: site for site in sites}, cells, Path(truth) if truth else None
    )
    control = run.path / f"predictions_{choices.negative_control}.parquet"
    channels = sites[0].channels if sites else ()
    decisions = {path.stem: _json(path) for path in sorted(run.path.glob("decisions/*.json"))}
    return Material(
        images=shown,
        choices=choices,
        drawn=_drawn(shown, frame, channels, choices),
        sites=frame,
        channels=channels,
        pixels=_table(run.pixels, PIXELS),
        cells=cells,
        folds=_table(run.folds, FOLDS),
        curation=RunReader(run).curation(),
        predictions=predictions,
        units=_units(predictions),
        wells=_table(run.wells, WELLS),
        control=_predictions(control, cells, frame) if choices.negative_control else None,
        record=_json(run.record),
        reading=_json(run.reading),
        split=_json(run.path / "split.json"),
        evaluation=_json(run.path / "evaluation.json"),
        metrics=_json(run.metrics).get("metrics") or {},
        known=known,
        notes=read_notes(run),
        decisions=decisions,
        class_maps=_class_maps(run),
        candidates=_candidates(run),
        quarantine=_quarantine(run.quarantine),
        **judged_parts(run, decisions.get("decide") or {}, predictions),
    )


@dataclass(frozen=True, slots=True)
class RunImages:
    """Pixels of a run: fields from the image folder, masks and crops from the run folder."""

    run: RunFolder
    images: Path
    sites: dict[str, Site]
    cells: pl.DataFrame | None
    truth: Path | None = None

    def field(self, site_id: str) -> Field | None:
        """The decoded field, or None where its files are gone or no longer readable."""
        try:
            return read_field(self.sites[site_id], self.images)
        except (InputError, OSError):
            return None

    def masks(self, site_id: str) -> Masks | None:
        """The label images, or None where the site has none."""
        if not mask_path(self.run.masks, site_id, "cells").exists():
            return None
        try:
            return read_masks(self.run.masks, site_id)
        except (FormatError, OSError):
            return None

    def known(self, site_id: str, kind: str) -> npt.NDArray[Any] | None:
        """The known label image, or None where there is none or it is gone."""
        if self.truth is None:
            return None
        try:
            return read_labels(mask_path(self.truth / "masks", site_id, kind))
        except (FormatError, OSError):
            return None

    def crops(self, positions: npt.NDArray[np.int64]) -> npt.NDArray[np.float32] | None:
        """Single-cell images for rows of the cells table, or None where they were deleted."""
        if self.cells is None or not self.run.crops.is_dir() or not self.crop_channels:
            return None
        try:
            return CropStore(self.run.crops, self.cells).read(positions)
        except (FormatError, OSError):
            return None

    @property
    def crop_channels(self) -> tuple[Channel, ...]:
        """The channels of the single-cell images; empty where there are no images."""
        try:
            return tuple(read_channels(self.run.crops))
        except FormatError:
            return ()


def _drawn(
    images: RunImages, sites: pl.DataFrame | None, channels: tuple[Channel, ...], choices: Choices
) -> FieldImages | None:
    if sites is None:
        return None
    most = max(choices.sites, _CONTRAST_FIELDS)
    sample = choose(sites["site_id"].to_list(), most, choices.seed)
    return FieldImages(images.field, channels, sample)


def _class_maps(run: RunFolder) -> dict[str, ClassMaps]:
    paths = {name: run.class_maps(name) for name in _steps(run, "score")}
    return {name: read_class_maps(path) for name, path in paths.items() if path.exists()}


def _candidates(run: RunFolder) -> dict[str, pl.DataFrame]:
    # What `cellwise audit --near` found comes first: somebody asked for it.
    paths = {
        path.name.partition(".")[0].replace("-", " "): path
        for path in sorted(run.annotations.glob("near-*.candidates.parquet"))
    }
    paths |= {name: run.candidates(name) for name in _steps(run, "label")}
    return {name: read_table(path, CANDIDATES) for name, path in paths.items() if path.exists()}


def _steps(run: RunFolder, kind: str) -> list[str]:
    """Names of the recipe's steps; another recipe in the same folder may have left others."""
    steps = (_json(run.record).get("recipe") or {}).get("steps") or []
    return [step["name"] for step in steps if step.get("kind") == kind]


def _table(path: Path, kind: TableKind) -> pl.DataFrame | None:
    return read_table(path, kind) if path.exists() else None


def _json(path: Path) -> dict[str, Any]:
    return read_json(path) if path.exists() else {}


def _site_rows(run: RunFolder) -> pl.DataFrame | None:
    """One row per site, with what all its channels share."""
    if not run.sites.exists():
        return None
    usable = RunReader(run).sites().filter(pl.col("status") == "ok")
    pixels = _table(run.pixels, PIXELS)
    # Sites that could not be decoded are counted where inputs were set aside, and nowhere else.
    return usable if pixels is None else usable.join(pixels, on="site_id", how="semi")


def _predictions(
    path: Path, cells: pl.DataFrame | None, sites: pl.DataFrame | None
) -> pl.DataFrame | None:
    """Predictions with the cells' row numbers and, where they lack them, the sites' metadata."""
    frame = _table(path, PREDICTIONS)
    if frame is None:
        return None
    if cells is not None:
        places = cells.select("site_id", "cell_id", "position")
        frame = frame.join(places, on=["site_id", "cell_id"], how="left", maintain_order="left")
    if sites is not None:
        absent = [
            name
            for name in sites.columns
            if name.startswith("Metadata_") and name not in frame.columns
        ]
        if absent:
            named = sites.select("site_id", *absent)
            frame = frame.join(named, on="site_id", how="left", maintain_order="left")
    return frame


def _units(predictions: pl.DataFrame | None) -> str:
    if predictions is None or not predictions.height:
        return "cell"
    return str(predictions["unit"][0])


def _quarantine(path: Path) -> tuple[dict[str, str], ...]:
    if not path.exists():
        return ()
    with path.open(encoding="utf-8", newline="") as handle:
        return tuple(
            {str(name): value or "" for name, value in row.items()}
            for row in csv.DictReader(handle)
        )
