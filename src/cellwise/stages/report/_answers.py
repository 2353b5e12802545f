"""What probabilities are held against: cells that people judged, known cells, labels of fields."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from cellwise.measures.calibration import curve, sums_by_bin

Points = list[tuple[float, float, int]]
Floats = npt.NDArray[np.float64]

_BINS = 10
KEY = ["site_id", "cell_id"]


@dataclass(frozen=True, slots=True)
class Answers:
    """What is known of some cells.

    Args:
        by: What knows it, in words.
        rows: `site_id` and `cell_id` of each.
        classes: The positive classes.
        shows: `[cell, class]`, 1 or 0, NaN where nothing is known.
        weight: `[cell]`, for how many cells each stands.
    """

    by: str
    rows: pl.DataFrame
    classes: tuple[str, ...]
    shows: Floats
    weight: Floats


def stated_before(
    scores: Sequence[pl.DataFrame], classes: tuple[str, ...], sites: Sequence[str]
) -> pl.DataFrame:
    """Probabilities of cells as score steps said them: nothing adjusted and nothing calibrated.

    They are the sigmoid of the mean of the scores that a cell has.

    Args:
        scores: Rows of each score step, of cells or of sites.
        classes: The positive classes.
        sites: Of which sites.
    """
    parts = [
        one.filter((pl.col("unit") == "cell") & pl.col("site_id").is_in(list(sites))).select(
            *KEY, "score"
        )
        for one in scores
    ]
    rows = pl.concat(parts) if parts else pl.DataFrame(schema={"site_id": pl.String})
    if not rows.height:
        return pl.DataFrame(schema={"site_id": pl.String, "cell_id": pl.Int32})
    values = rows["score"].to_numpy().reshape(len(rows), -1).astype(np.float64)
    named = rows.select(KEY).with_columns(
        pl.Series(name, values[:, column]) for column, name in enumerate(classes)
    )
    mean = named.group_by(KEY, maintain_order=True).agg(pl.col(*classes).mean())
    return mean.with_columns((1 / (1 + (-pl.col(name)).exp())).alias(name) for name in classes)


def weighted_points(stated: Floats, shows: Floats, weight: Floats) -> Points:
    """Bins of probability: mean stated, share that shows the class, judged cells; no empty bins."""
    known = np.isfinite(shows) & np.isfinite(stated) & (weight > 0)
    p, y, w = stated[known], shows[known], weight[known]
    place = np.minimum((p * _BINS).astype(np.int64), _BINS - 1)
    total, said, seen = (np.bincount(place, v, minlength=_BINS) for v in (w, w * p, w * y))
    there = np.bincount(place, minlength=_BINS)
    return [
        (float(said[b] / total[b]), float(seen[b] / total[b]), int(there[b]))
        for b in np.flatnonzero(there)
    ]


def reliability_points(score: npt.NDArray[Any], truth: npt.NDArray[np.bool_]) -> Points:
    """Ten bins of probability: mean stated, share found, number of cells; no empty bins."""
    every = np.zeros(len(score), np.int64)
    sums = sums_by_bin(truth[:, None], score[:, None], every, (1, _BINS))
    return list(curve(*sums[:3]))


def error_of(points: Points) -> float | None:
    """The mean distance of stated and found over bins, each as often as it has cells."""
    cells = sum(n for _, _, n in points)
    return sum(n * abs(p - y) for p, y, n in points) / cells if cells else None
