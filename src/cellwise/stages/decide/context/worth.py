"""What the adjustment `context` does to labelled fields: its figures with and without it.

Cells are scored by models that left their field out, and a field is judged by label sets of the
other folds: its own label enters nothing. What is judged are field labels, so this says how well
fields are told apart; cells may gain more or less.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from cellwise.contracts.adjuster import LabelSets
from cellwise.domain.classes import ClassList
from cellwise.domain.units import group_numbers
from cellwise.measures.average_precision import weighted_precision
from cellwise.measures.bootstrap import Floats, row_means, weight_chunks
from cellwise.registry import split_spec
from cellwise.store.run.reader import labels_matrix

NAME = "context"
_DRAWS = 300
_LEAST = 3
_SIDES = (2.5, 97.5)

Adjust = Sequence[str | dict[str, Any]]
Flags = npt.NDArray[np.bool_]


def without(adjust: Adjust) -> tuple[str | dict[str, Any], ...]:
    """The adjustments less `context`."""
    return tuple(spec for spec in adjust if split_spec(spec)[0] != NAME)


def forced(adjust: Adjust) -> tuple[str | dict[str, Any], ...]:
    """The adjustments with `context` whatever its test says."""
    return tuple(
        {**split_spec(spec)[1], "name": NAME, "always": True}
        if split_spec(spec)[0] == NAME
        else spec
        for spec in adjust
    )


def is_used(adjust: Adjust, sets: LabelSets) -> bool:
    """Whether `context` is among the adjustments and its test, or its option, lets it act."""
    asked = [options for name, options in map(split_spec, adjust) if name == NAME]
    return any(sets.gain > 0 or bool(options.get("always")) for options in asked)


def context_counts(kept: dict[str, Any] | None) -> dict[str, Any]:
    """What the step's record says of the label sets that a decision keeps."""
    if kept is None:
        return {}
    # Decisions of before do not say whether it was used.
    used = {"context_used": kept["used"]} if "used" in kept else {}
    return {"context_gain": kept["gain"], **used}


def worth(
    sites: pl.DataFrame,
    classes: ClassList,
    site_id: pl.Series,
    clean: Flags,
    chances: tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]],
    *,
    seed: int,
) -> dict[str, Any] | None:
    """Macro average precision of labelled fields; None where nothing can be told.

    A field's score is the mean over its cells. Positive classes count that at least 3 of the
    fields carry and 3 do not. Intervals (95 %) are of 300 draws of whole groups, the same for both.

    Args:
        sites: `site_id`, `labels`, `fold`, `group`.
        classes: All classes.
        site_id: `[cell]`.
        clean: `[cell]`, whether it was scored, and out of fold.
        chances: `[cell, class]` in 0..1, without and with the context.
        seed: Of the draws.
    """
    known = sites.filter((pl.col("labels").list.len() > 0) & pl.col("fold").is_not_null())
    rows = clean & site_id.is_in(known["site_id"].to_list()).to_numpy()
    if not rows.any():
        return None
    site_id = site_id.filter(pl.Series(rows))
    positive = [c for c, name in enumerate(classes.names) if name != classes.negative]
    number = group_numbers([site_id], site_id)
    names = site_id.unique(maintain_order=True)
    found = pl.DataFrame({"site_id": names}).join(
        known.select("site_id", "labels", "group"),
        on="site_id", how="left", maintain_order="left",
    )  # fmt: skip
    truth = labels_matrix(found["labels"], classes.positive)
    held = np.minimum(truth.sum(0), (~truth).sum(0)) >= _LEAST
    if not held.any():
        return None
    groups = group_numbers([found["group"]], found["site_id"])
    columns = np.array(positive)[held]
    cells = [chance[np.ix_(rows, columns)].astype(np.float64) for chance in chances]
    pooled = [_field_means(chance, number, len(found)) for chance in cells]
    plain, drawn = zip(*(_precision(truth[:, held], p, groups, seed) for p in pooled), strict=True)
    return {
        "fields": len(found),
        "groups": int(groups.max()) + 1,
        "classes": int(held.sum()),
        "without": _figure(plain[0], drawn[0]),
        "with": _figure(plain[1], drawn[1]),
        "difference": _figure(plain[1] - plain[0], drawn[1] - drawn[0]),
    }


def _field_means(chance: Floats, number: npt.NDArray[np.int64], count: int) -> Floats:
    total = np.zeros((count, chance.shape[1]))
    np.add.at(total, number, chance)
    return np.asarray(total / np.bincount(number, minlength=count)[:, None])


def _precision(
    truth: Flags, scores: Floats, groups: npt.NDArray[np.int64], seed: int
) -> tuple[float, Floats]:
    """The mean over classes, of all fields and of each draw."""

    def mean(weights: Floats) -> Floats:
        each = [
            weighted_precision(has, score, weights)
            for has, score in zip(truth.T, scores.T, strict=True)
        ]
        return row_means(np.stack(each, axis=1))

    drawn = np.concatenate([mean(w) for w in weight_chunks(groups, draws=_DRAWS, seed=seed)])
    return float(mean(np.ones((1, len(truth))))[0]), drawn


def _figure(value: float, drawn: Floats) -> dict[str, float]:
    low, high = np.nanpercentile(drawn, _SIDES)
    return {"value": float(value), "low": float(low), "high": float(high)}
