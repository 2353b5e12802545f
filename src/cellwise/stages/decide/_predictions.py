"""The predictions table: one row per cell, probabilities, labels, uncertainty."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from cellwise.domain.tables import TableKind
from cellwise.domain.units import CELL, pieces
from cellwise.stages.decide._decision import Decision
from cellwise.store.atomic import writing
from cellwise.store.run.tables import write_table

Probabilities = npt.NDArray[np.float32]

PREFIX = "Prob_"
# Wider tables are slow to write and read; above this the array beside the table has them all.
MOST_COLUMNS = 64
_TOP = 10
_INTERNAL = ("shard", "row")


def uncertainty(chance: Probabilities) -> npt.NDArray[np.float32]:
    """`[cell]`: mean binary entropy over all classes in bits, 0 (sure) to 1 (a coin each)."""
    mean = np.empty(len(chance), np.float32)
    for rows in pieces(None, *chance.shape):
        p = chance[rows].astype(np.float64)
        safe, rest = np.where(p > 0, p, 1), np.where(p < 1, 1 - p, 1)
        bits = -(p * np.log2(safe) + (1 - p) * np.log2(rest))
        mean[rows] = np.clip(bits.mean(axis=1), 0, 1)
    return mean


def labels_of(chance: Probabilities, decision: Decision) -> list[list[str]]:
    """Names of the classes at or above their threshold, per cell, in class order."""
    above = chance >= np.array(decision.thresholds, np.float32)
    cells, classes = np.nonzero(above)
    found: list[list[str]] = [[] for _ in range(len(chance))]
    for cell, c in zip(cells.tolist(), classes.tolist(), strict=True):
        found[cell].append(decision.classes[c])
    return found


def predictions_frame(
    cells: pl.DataFrame, sites: pl.DataFrame, chance: Probabilities, decision: Decision
) -> pl.DataFrame:
    """Rows in the order of `cells`.

    Args:
        cells: Rows of the cells table.
        sites: One row per site: `site_id`, `part`, `fold`, `labels` and `Metadata_*`.
        chance: `[cell, class]`.
        decision: Gives class names and thresholds.
    """
    metadata = [name for name in sites.columns if name.startswith("Metadata_")]
    joined = cells.drop([name for name in _INTERNAL if name in cells.columns]).join(
        sites.select(
            "site_id",
            "part",
            "fold",
            pl.col("labels").alias("Weak_labels"),
            *(pl.col(name).cast(pl.String) for name in metadata),
        ),
        on="site_id",
        how="left",
        maintain_order="left",
    )
    measured = [name for name in joined.columns if name not in metadata]
    return joined.select(
        pl.lit(CELL).alias("unit"),
        *metadata,
        *measured,
        pl.Series("Labels", labels_of(chance, decision), dtype=pl.List(pl.String)),
        pl.Series("Uncertainty", uncertainty(chance), dtype=pl.Float32),
        *probability_columns(chance, decision.classes),
    )


def probability_columns(chance: Probabilities, classes: Sequence[str]) -> list[pl.Series]:
    """A column per class, or above 64 classes the ten likeliest as lists, likeliest first."""
    if len(classes) <= MOST_COLUMNS:
        return [
            pl.Series(PREFIX + name, np.ascontiguousarray(chance[:, c]), dtype=pl.Float32)
            for c, name in enumerate(classes)
        ]
    order = np.empty((len(chance), _TOP), np.int64)
    for rows in pieces(None, *chance.shape):
        order[rows] = np.argsort(-chance[rows], axis=1, kind="stable")[:, :_TOP]
    names = np.array(classes, dtype=object)[order].tolist()
    top = np.take_along_axis(chance, order, axis=1)
    return [
        pl.Series("top_classes", names, dtype=pl.List(pl.String)),
        pl.Series("top_probs", top.tolist(), dtype=pl.List(pl.Float32)),
    ]


def beside(path: Path, name: str) -> Path:
    """The table of a step: the main one of `decide`, beside it that of another name."""
    return path if name == "decide" else path.with_name(f"{path.stem}_{name}{path.suffix}")


def write_predictions(
    path: Path, kind: TableKind, frame: pl.DataFrame, chance: Probabilities, decision: Decision
) -> None:
    """Write a table of predictions and, of many classes, the array of the same rows beside it.

    Where cells were judged, the file says of each class what its probabilities were fitted to.
    """
    if len(decision.classes) > MOST_COLUMNS:
        # Before the table: whoever sees the table finds the array of the same rows.
        with writing(path.with_suffix(".npy")) as partial:
            np.save(partial, chance)
    marks = {}
    if decision.audit is not None:
        told = {name: one["calibration"] for name, one in decision.audit["classes"].items()}
        marks["cellwise_calibration"] = json.dumps(told, ensure_ascii=False)
    write_table(path, kind, frame, classes=decision.classes, marks=marks)
