"""Curves fitted to judged cells, class by class, over what was said of them before.

A class is fitted where at least `FEWEST` judged cells show it, as many do not, and either kind is
of `FEWEST_GROUPS` groups of the split; the others keep what was fitted to labels of fields. Each
cell counts for as many as it stands for in its draw, all together for as many cells of equal weight
as say as much (Kish 1965). The curve takes the logit of the probability that was fitted to fields,
so that a decider which is pulled to no change is pulled to that probability.

Source: Platt 1999 (Advances in Large Margin Classifiers) for the fit on answers of single items;
weights by one over the chance of being drawn, Horvitz and Thompson 1952 (J. Am. Stat. Assoc. 47).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cellwise.contracts.curves import Curve
from cellwise.contracts.decider import Evidence
from cellwise.measures.weighted import effective
from cellwise.stages.decide import deciders
from cellwise.stages.decide._logits import logit
from cellwise.stages.decide.negative.rules import shown_logit

FEWEST, FEWEST_GROUPS = 10, 5

Floats = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
By = str | dict[str, Any]


@dataclass(frozen=True, slots=True)
class Asked:
    """One class of judged cells.

    Args:
        shows: `[cell]`, 1 seen, 0 refused, NaN not known.
        weight: `[cell]`, for how many it stands, 0 for none; None where a stratum was not judged.
        group: `[cell]`, numbers of groups of cells that are alike.
    """

    shows: Floats
    weight: Floats | None
    group: Numbers

    @property
    def known(self) -> Flags:
        """`[cell]`: whether it counts."""
        weight = np.zeros(len(self.shows)) if self.weight is None else self.weight
        return np.asarray(np.isfinite(self.shows) & (weight > 0))

    def too_few(self) -> str:
        """Why nothing can be fitted; empty where something can."""
        if self.weight is None:
            return "of one stratum of the draw no cell was judged"
        counts = []
        for answer, words in ((1, "show it"), (0, "do not")):
            kind = self.known & (self.shows == answer)
            counts.append((int(kind.sum()), len(np.unique(self.group[kind])), words))
        for cells, groups, words in counts:
            if cells < FEWEST:
                return f"{cells} judged cells {words}, {FEWEST} are needed"
            if groups < FEWEST_GROUPS:
                return f"judged cells that {words} are of {groups} groups, {FEWEST_GROUPS} needed"
        return ""

    def told(self) -> dict[str, int]:
        """How many cells were judged, and how many of them show the class."""
        known = self.known
        return {"judged": int(known.sum()), "seen": int((self.shows[known] == 1).sum())}


def curve_of(by: By, chance: Floats, asked: Asked, rows: Flags | None = None) -> Curve | None:
    """The curve over the logit of `chance`, `[cell]` in 0..1; None where answers are all alike.

    Args:
        by: A decider that takes weights.
        chance: What was said of the cells before.
        asked: What people saw.
        rows: The cells that it may be fitted to; None for all.
    """
    known = asked.known if rows is None else asked.known & rows
    shows = asked.shows[known] == 1
    if not 0 < shows.sum() < len(shows) or asked.weight is None:
        return None
    weight = asked.weight[known]
    weight = weight * effective(weight) / weight.sum()
    logits = logit(chance[known]).astype(np.float32)[:, None]
    fitted = deciders.build(by)(Evidence(logits, np.arange(len(shows)), shows[:, None], weight))
    # Of too few cells a decider finds nothing, and says so.
    return None if fitted.calibration == "none" else fitted.as_curve


def nothing_shown(
    chance: Floats, asked: Asked, rows: Flags | None = None
) -> tuple[float, float] | None:
    """T and b of the rule `learned` of the negative class, fitted to judged cells.

    Args:
        chance: `[cell, class]` of the other classes, audited.
        asked: Whether a cell shows any of them.
        rows: The cells that it may be fitted to; None for all.
    """
    some = 1 / (1 + np.exp(-shown_logit(chance)))
    curve = curve_of({"name": "temperature", "bias": True}, some, asked, rows)
    return None if curve is None else (curve.temperatures[0], curve.biases[0])  # type: ignore[attr-defined]
