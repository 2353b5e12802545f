"""All that a report is made from, read once; what a run does not have is None or empty."""

from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import polars as pl

from cellwise.domain.channels import Channel
from cellwise.domain.records import Field, Masks
from cellwise.stages.report._answers import Answers
from cellwise.stages.report.shown import FieldImages
from cellwise.store.run.class_maps import ClassMaps

PLATE, WELL = "Metadata_Plate", "Metadata_Well"
PREFIX = "Prob_"
_HALF = 0.5


class Images(Protocol):
    """Where pixels come from; each answer is None where the files are gone."""

    def field(self, site_id: str) -> Field | None:
        """The decoded field of a site."""

    def masks(self, site_id: str) -> Masks | None:
        """The label images of a site."""

    def crops(self, positions: npt.NDArray[np.int64]) -> npt.NDArray[np.float32] | None:
        """Single-cell images `[cell, channel, y, x]` for rows of the cells table."""

    def known(self, site_id: str, kind: str) -> npt.NDArray[Any] | None:
        """The known label image of `cells` or `nuclei` that the run was compared with."""

    @property
    def crop_channels(self) -> tuple[Channel, ...]:
        """The channels of the single-cell images."""


def place_of(row: dict[str, Any]) -> str:
    """Plate and well of a site's row, empty where its id says them already."""
    words = [str(row[column]) for column in (PLATE, WELL) if row.get(column)]
    return "" if all(word in str(row["site_id"]) for word in words) else " ".join(words)


@dataclass(frozen=True, slots=True)
class Choices:
    """The report's own options: sites shown, cells per gallery row, the control's name, seed.

    `cell_switches`: whether the channels of cells can be switched; fields always have it.
    """

    sites: int = 24
    gallery: int = 12
    negative_control: str = ""
    seed: int = 0
    cell_switches: bool = True


def choose(sites: list[str], most: int, seed: int) -> list[str]:
    """At most `most` of the sites, drawn by the seed, in their own order."""
    if len(sites) <= most:
        return sites
    picked = np.random.default_rng(seed).choice(len(sites), most, replace=False)
    return [sites[i] for i in sorted(picked)]


@dataclass(frozen=True, slots=True)
class Material:
    """The contents of one run folder.

    Args:
        images: Source of pixels.
        choices: The report's own options.
        drawn: Fields as they are shown; None where no site was read.
        sites: One row per site: `site_id`, `part`, `labels`, `pixel_size`, `Metadata_*`; None where
            unread.
        channels: The channels of the first site.
        cells: `cells.parquet` with its row number as `position`.
        curation: Which sites teach, and why others do not; no rows where nobody asked.
        predictions: One row per cell with `Prob_*`, `Metadata_*` and `position`.
        units: What one row of the predictions is: `cell`, `site` or `well`.
        control: Predictions of the model without the protein channel.
        record, reading, split, evaluation: The JSON files of the same names.
        metrics: Name to value, low, high, n, unit.
        known: What `cellwise evaluate` found against known masks; empty where it was not asked.
        notes: Per site what was odd about masks that were brought, counts by name.
        decisions: What was fitted, by name.
        class_maps: Where networks saw each class, by score step.
        candidates: Cells whose labels a person should look at, by label step.
        audit: What is known of inherited labels, see `measures.inherited`; empty without any.
        sets: What is known of prediction sets, see `measures.prediction_sets`; empty without any.
        sets_of: The run whose audit that is, where this run only applies its models.
        answers: What is known of single cells that were judged.
        variability: Shares of cells per unit and class, see `measures.variability_table`.
        before: Of labelled and judged cells what score steps said of each positive class, 0..1.
        quarantine: Rows of `quarantine.csv`.
    """

    images: Images
    choices: Choices
    drawn: FieldImages | None = None
    sites: pl.DataFrame | None = None
    channels: tuple[Channel, ...] = ()
    pixels: pl.DataFrame | None = None
    cells: pl.DataFrame | None = None
    folds: pl.DataFrame | None = None
    curation: pl.DataFrame | None = None
    predictions: pl.DataFrame | None = None
    units: str = "cell"
    wells: pl.DataFrame | None = None
    control: pl.DataFrame | None = None
    record: dict[str, Any] = field(default_factory=dict)
    reading: dict[str, Any] = field(default_factory=dict)
    split: dict[str, Any] = field(default_factory=dict)
    evaluation: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, dict[str, Any]] = field(default_factory=dict)
    known: dict[str, Any] = field(default_factory=dict)
    notes: dict[str, dict[str, float]] = field(default_factory=dict)
    decisions: dict[str, dict[str, Any]] = field(default_factory=dict)
    class_maps: dict[str, ClassMaps] = field(default_factory=dict)
    candidates: dict[str, pl.DataFrame] = field(default_factory=dict)
    audit: dict[str, Any] = field(default_factory=dict)
    sets: dict[str, Any] = field(default_factory=dict)
    sets_of: str = ""
    answers: tuple[Answers, ...] = ()
    before: pl.DataFrame | None = None
    variability: pl.DataFrame | None = None
    quarantine: tuple[dict[str, str], ...] = ()

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes that predictions give a probability for, in their order."""
        columns = () if self.predictions is None else self.predictions.columns
        return tuple(name.removeprefix(PREFIX) for name in columns if name.startswith(PREFIX))

    @property
    def unlearned(self) -> tuple[str, ...]:
        """Classes of which nothing is to be seen: no field has the label and no cell reaches 0.5.

        None of them where no field has any label, or models of another run were applied.
        """
        applied = (self.record.get("inputs") or {}).get("fitted")
        if self.sites is None or self.predictions is None or not self.has_labels or applied:
            return ()
        there = set(self.sites["labels"].explode().unique())
        largest = {name: self.predictions[self.column(name)].max() for name in self.classes}
        return tuple(
            name
            for name, most in largest.items()
            if name not in there and not (isinstance(most, float) and most >= _HALF)
        )

    @property
    def n_sites(self) -> int:
        """Sites that were read."""
        return 0 if self.sites is None else self.sites.height

    @property
    def n_cells(self) -> int:
        """Cells that were found."""
        return 0 if self.cells is None else self.cells.height

    @property
    def labelled(self) -> pl.DataFrame:
        """Cells of labelled fields with `field_labels`, as predicted; empty where there are none.

        Cells that the model was trained on without being left out (no fold in a run that has
        folds) are not among them: their probabilities would flatter.
        """
        if self.predictions is None or self.sites is None:
            return pl.DataFrame(schema={"site_id": pl.String, "field_labels": pl.List(pl.String)})
        known = self.sites.filter(pl.col("labels").is_not_null())
        labels = known.select("site_id", pl.col("labels").alias("field_labels"))
        joined = self.predictions.join(labels, on="site_id", how="inner")
        if joined["fold"].null_count() < joined.height:
            joined = joined.filter(pl.col("fold").is_not_null() | (pl.col("part") == "test"))
        return joined

    @property
    def has_labels(self) -> bool:
        """Whether any field has a label."""
        return self.sites is not None and self.sites["labels"].null_count() < self.sites.height

    @property
    def outlines_only(self) -> bool:
        """Whether the recipe finds cells and says nothing of classes."""
        kinds = {step.get("kind") for step in (self.record.get("recipe") or {}).get("steps") or []}
        learns = kinds & {"label", "train", "score", "decide"}
        return "segment" in kinds and not learns and self.predictions is None

    @property
    def of_wells(self) -> bool:
        """Whether whole sites were judged for a treatment of each well, and no cells."""
        return self.cells is None and bool(self.evaluation.get("screen"))

    def column(self, name: str) -> str:
        """The predictions' column of a class."""
        return PREFIX + name
