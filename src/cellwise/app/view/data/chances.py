"""Probabilities of classes for each cell: a matrix, or above 64 classes the likeliest of each."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import polars as pl

PREFIX = "Prob_"
TOP_CLASSES, TOP_PROBS = "top_classes", "top_probs"

Floats = npt.NDArray[np.float32]


class Chances(Protocol):
    """What a run says of each cell and class."""

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes, in order."""

    @property
    def best(self) -> npt.NDArray[np.int32]:
        """The likeliest class of each cell, -1 where nothing is said."""

    @property
    def most(self) -> Floats:
        """Its probability, NaN where nothing is said."""

    def of_class(self, code: int) -> Floats:
        """The probability of one class for each cell; NaN where it is not known."""

    def of_cell(self, row: int) -> list[tuple[int, float]]:
        """Class and probability of one cell, likeliest first."""


@dataclass(frozen=True, slots=True)
class Matrix:
    """Probabilities `[cell, class]` of all classes."""

    classes: tuple[str, ...]
    values: Floats
    best: npt.NDArray[np.int32]
    most: Floats

    def of_class(self, code: int) -> Floats:
        """The probability of one class for each cell."""
        return self.values[:, code]

    def of_cell(self, row: int) -> list[tuple[int, float]]:
        """Class and probability of one cell, likeliest first."""
        values = self.values[row]
        order = np.argsort(-values, kind="stable")
        return [(int(code), float(values[code])) for code in order if np.isfinite(values[code])]


@dataclass(frozen=True, slots=True)
class Likeliest:
    """The likeliest classes `[cell, place]` as codes (-1 for none) and their probabilities."""

    classes: tuple[str, ...]
    codes: npt.NDArray[np.int32]
    values: Floats
    best: npt.NDArray[np.int32]
    most: Floats

    def of_class(self, code: int) -> Floats:
        """The probability of one class; NaN where it is not among the likeliest of the cell."""
        here = self.codes == code
        return np.where(here.any(1), np.where(here, self.values, 0).sum(1), np.nan).astype("f4")

    def of_cell(self, row: int) -> list[tuple[int, float]]:
        """Class and probability of one cell, likeliest first."""
        pairs = zip(self.codes[row].tolist(), self.values[row].tolist(), strict=True)
        return [(code, value) for code, value in pairs if code >= 0]


def chances(frame: pl.DataFrame, declared: tuple[str, ...] = ()) -> Chances:
    """What a table of predictions says.

    Args:
        frame: Its rows, with `Prob_*` columns or the two columns of the likeliest.
        declared: The run's class list, for tables that name only the likeliest.
    """
    if TOP_CLASSES in frame.columns:
        return _likeliest(frame, declared)
    names = [name for name in frame.columns if name.startswith(PREFIX)]
    columns = [frame[name].cast(pl.Float32).fill_null(np.nan).to_numpy() for name in names]
    values = np.stack(columns, 1) if columns else np.empty((frame.height, 0), np.float32)
    classes = tuple(name.removeprefix(PREFIX) for name in names)
    known = np.isfinite(values).any(1) if columns else np.zeros(frame.height, bool)
    best = np.full(frame.height, -1, np.int32)
    most = np.full(frame.height, np.nan, np.float32)
    if known.any():
        clean = np.where(np.isfinite(values), values, -1)
        best[known] = clean.argmax(1)[known]
        most[known] = clean.max(1)[known]
    return Matrix(classes, values, best, most)


def _likeliest(frame: pl.DataFrame, declared: tuple[str, ...]) -> Likeliest:
    long = frame.select(pl.col(TOP_CLASSES, TOP_PROBS)).with_row_index("row")
    long = long.explode(TOP_CLASSES, TOP_PROBS).drop_nulls(TOP_CLASSES)
    named = long[TOP_CLASSES].unique().to_list()
    classes = declared + tuple(sorted(set(named) - set(declared)))
    known = pl.DataFrame(
        {TOP_CLASSES: classes, "code": np.arange(len(classes), dtype=np.int32)},
        schema_overrides={TOP_CLASSES: pl.String},
    )
    long = long.join(known, on=TOP_CLASSES, how="left", maintain_order="left")
    rows = long["row"].to_numpy().astype(np.int64)
    counts = np.bincount(rows, minlength=frame.height)
    places = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
    wide = max(1, int(counts.max(initial=0)))
    codes = np.full((frame.height, wide), -1, np.int32)
    values = np.full((frame.height, wide), np.nan, np.float32)
    codes[rows, places] = long["code"].to_numpy()
    values[rows, places] = long[TOP_PROBS].to_numpy()
    return Likeliest(classes, codes, values, codes[:, 0].copy(), values[:, 0].copy())
