"""Figures beside macro average precision, of each row in each drawn world."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from cellwise.lab.benchmark.cells import Known
from cellwise.lab.benchmark.statistics import Estimate, over_worlds
from cellwise.measures.average_precision import Floats, average_precision
from cellwise.measures.within_fields import (
    brier_score,
    composition_error,
    false_claims,
    within_field_precision,
)

# Of each figure what a table calls it, and whether more is better.
MASK_MAP = "mask_map_60"
FIGURES: dict[str, tuple[str, bool]] = {
    "within_field_ap": ("AP within fields", True),
    "worst_class_ap": ("worst class", True),
    "false_claims": ("claims on cells that show none", False),
    "brier": ("Brier score", False),
    "composition_error": ("error of a field's composition", False),
    MASK_MAP: ("mAP of masks at IoU 0.6", True),
}


@dataclass(frozen=True, slots=True)
class Beside:
    """One figure of a row.

    Args:
        value: Mean over worlds, with Student's interval over worlds.
        difference: Paired to the row's base, likewise; None without a base.
    """

    value: Estimate
    difference: Estimate | None


def figures(known: Known, scores: Floats, chosen: Sequence[int]) -> dict[str, float]:
    """All figures of one row and seed in one drawn world.

    Args:
        known: The cells.
        scores: `[cell, class]` probabilities; below 0 for a cell that the row says nothing of.
        chosen: Places of the classes that count. Which cells show none is asked of all classes.
    """
    if not chosen:
        return dict.fromkeys(FIGURES, math.nan)
    fields = known.keys["site_id"].rank("dense").to_numpy().astype(np.int64)
    truth, chance = known.truth[:, chosen], np.clip(scores[:, chosen], 0.0, 1.0)
    within = [within_field_precision(t, s, fields) for t, s in zip(truth.T, chance.T, strict=True)]
    apart = [average_precision(t, s) for t, s in zip(truth.T, scores[:, chosen].T, strict=True)]
    found = {
        "within_field_ap": _mean(within),
        "worst_class_ap": float(np.nanmin(apart)) if np.isfinite(apart).any() else math.nan,
        "false_claims": false_claims(known.truth, np.clip(scores, 0.0, 1.0)),
        "brier": brier_score(truth, chance),
        "composition_error": composition_error(truth, chance, fields),
    }
    # Sums depend on the order of cells in their last digits.
    return {name: round(value, 12) for name, value in found.items()} | {MASK_MAP: math.nan}


def of_row(
    own: Sequence[Mapping[str, float]], base: Sequence[Mapping[str, float]] | None, *, clusters: int
) -> dict[str, Beside]:
    """The row's figures over worlds.

    Args:
        own: Of each drawn world, means over its seeds.
        base: The same of the row it is compared with.
        clusters: Independent worlds, see `statistics.over_worlds`.
    """
    found = {}
    for name in FIGURES:
        values = np.array([world[name] for world in own])
        difference = None
        if base is not None:
            paired = values - np.array([world[name] for world in base])
            difference = over_worlds(paired, clusters=clusters)
        found[name] = Beside(over_worlds(values, clusters=clusters), difference)
    return found


def mean_of_seeds(
    found: Sequence[Mapping[str, float]], mask_maps: Sequence[float] = ()
) -> dict[str, float]:
    """Mean over seeds of each figure; the mAP of masks comes from elsewhere."""
    means = {name: _mean([one[name] for one in found]) for name in FIGURES}
    return {**means, MASK_MAP: _mean(mask_maps)}


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if math.isfinite(value)]
    return float(np.mean(known)) if known else math.nan
