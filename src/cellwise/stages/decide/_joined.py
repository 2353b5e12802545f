"""How several score steps become one: a curve for each, and what each weighs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from cellwise.contracts.curves import Curve, Lines
from cellwise.contracts.decider import Evidence, Fitted
from cellwise.errors import BadOption
from cellwise.stages.decide._combination import Combination, Members, silences
from cellwise.stages.decide._scores import Flags, Scores, member_logits
from cellwise.stages.decide._weights import validated_weights
from cellwise.stages.decide.spec import AUTO, OTHERS, Options

# Points of a curve of ranks; between them it is straight.
_POINTS = 257
_NAMED = 10


@dataclass(frozen=True, slots=True)
class Joined:
    """What was found for the members of a decision.

    Args:
        combination: How they become one.
        calibrated: Whether a curve of a member was fitted to labels.
    """

    combination: Combination
    calibrated: bool = False


@dataclass(frozen=True, slots=True)
class Given:
    """What members are judged on.

    Args:
        cells: One row per cell.
        sites: One row per site.
        scores: The rows of a score set by its name.
        classes: The positive classes.
        views: How many views each score step takes, by name.
    """

    cells: pl.DataFrame
    sites: pl.DataFrame
    scores: Scores
    classes: tuple[str, ...]
    views: Mapping[str, int]


def fit_joined(options: Options, given: Given, evidence_of: Any, fitted_by: Any) -> Joined:
    """Curves and weights of the score steps, fitted out of fold, each step by itself.

    Args:
        options: Those of the step.
        given: Cells and scores.
        evidence_of: Logits `[cell, class]` and which are clean, to `Evidence`.
        fitted_by: A decider and `Evidence` to `Fitted`.

    Raises:
        PreflightError: Weights are asked of validation, and no labelled field has them all.
    """
    how = options.combine or "logits"
    if how != "ranks" and not options.calibrate and not isinstance(options.weights, str | dict):
        return Joined(Combination(how, tuple(options.weights)))
    members, unseen = member_logits(given.scores, options.scores, given.cells, given.classes)
    curves: tuple[Curve, ...] = ()
    calibrated = False
    if how == "ranks":
        curves = tuple(ranks_of(values) for values in members)
    elif options.calibrate:
        found: list[Fitted] = []
        for values, clean in zip(members, unseen, strict=True):
            there = np.isfinite(values).all(axis=1)
            found.append(fitted_by(options.calibrate, evidence_of(values, clean & there)))
        curves = tuple(each.as_curve for each in found)
        calibrated = any(each.calibration == "weak" for each in found)
    weights, groups = _weights(options, given, members, unseen, evidence_of)
    return Joined(Combination(how, weights, curves, groups), calibrated)


def ranks_of(values: Members) -> Lines:
    """The share of all cells with a lower score, per class, as a curve.

    Equal scores have the mean of their ranks; a score beyond all others the rank of the last.
    """
    known = values[np.isfinite(values).all(axis=1)]
    points, shares = [], []
    for column in known.T:
        own, count = np.unique(column, return_counts=True)
        share = (np.cumsum(count) - count / 2) / max(len(column), 1)
        if len(own) > _POINTS:
            some = np.unique(np.searchsorted(share, np.linspace(share[0], share[-1], _POINTS)))
            own, share = own[some], share[some]
        points.append(tuple(own.tolist()) or (0.0,))
        shares.append(tuple(share.tolist()) or (0.5,))
    if not points:
        points, shares = [(0.0,)], [(0.5,)]
    return Lines(tuple(points), tuple(shares))


def _weights(
    options: Options, given: Given, members: Members, unseen: Flags, evidence_of: Any
) -> tuple[tuple[float, ...], tuple[tuple[str, tuple[float, ...]], ...]]:
    """Weights of the members for all cells, and for those of some groups."""
    asked = options.weights
    if isinstance(asked, dict):
        there_are = {group for group in groups_of(given.sites, given.cells, options.per) if group}
        if odd := sorted(set(asked) - there_are - {OTHERS}):
            raise BadOption(
                f"decide: weights name {', '.join(map(repr, odd))}, and no cell has that "
                f"{options.per}; there are: {', '.join(sorted(there_are)[:_NAMED]) or 'none'}."
            )
        named = tuple((name, tuple(own)) for name, own in asked.items() if name != OTHERS)
        return tuple(asked.get(OTHERS, ())), named
    if not isinstance(asked, str):
        return tuple(asked), ()
    if asked != AUTO:
        return tuple(float(given.views.get(name, 1)) for name in options.scores), ()
    there: Flags = np.asarray(unseen.all(axis=0) & np.isfinite(members).all(axis=(0, 2)))

    def evidence(member: Members, rows: Flags) -> Evidence:
        found: Evidence = evidence_of(member, rows)
        return found

    if (silent := silences(members)).any():
        name = options.scores[int(np.flatnonzero(silent.any(axis=1))[0])]
        raise BadOption(
            f"decide: 'weights: auto' compares score steps over all classes, and {name!r} was "
            "taught some of them. Give the weights as numbers."
        )
    overall = validated_weights([evidence(each, there) for each in members], least=1)
    if not options.per:
        return overall, ()
    groups = groups_of(given.sites, given.cells, options.per)
    own = []
    for name in sorted({group for group in groups if group}):
        rows = there & np.array([group == name for group in groups], dtype=bool)
        if rows.any():
            each = [evidence(member, rows) for member in members]
            own.append((name, validated_weights(each, towards=overall)))
    return overall, tuple(own)


def groups_of(sites: pl.DataFrame, cells: pl.DataFrame, per: str) -> list[str | None]:
    """`[cell]`, the value of a metadata column; None where there is none."""
    if per not in sites.columns:
        return [None] * len(cells)
    named = dict(zip(sites["site_id"], sites[per].cast(pl.String), strict=True))
    return [named.get(site) for site in cells["site_id"]]
