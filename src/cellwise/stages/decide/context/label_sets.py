"""Which labels were given together, how far that tells, and what a decision keeps of it."""

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.special import logsumexp

from cellwise.contracts.adjuster import Flags, Floats, LabelSets
from cellwise.domain.units import group_numbers
from cellwise.errors import FormatError
from cellwise.store.run.reader import labels_matrix

# A label that the true set has is missing so often, and one that it lacks is given so often.
_MISSED, _WRONG = 0.12, 0.02
# Fewer groups say nothing about which labels go together.
_ENOUGH = 20
# Beyond it a probability is 0 or 1 to the last digit, and its exponential no number.
_FARTHEST = 700.0


def label_sets(sites: pl.DataFrame, classes: tuple[str, ...]) -> LabelSets | None:
    """The label sets of the labelled sites; None without any. Priors are 0 until they are known.

    A group counts once for each set that it has.

    Args:
        sites: `site_id`, `part`, `labels`, `fold` and `group`.
        classes: The positive classes.
    """
    known = sites.filter((pl.col("labels").list.len() > 0) & (pl.col("part") == "train"))
    if known.is_empty():
        return None
    labels = labels_matrix(known["labels"], classes)
    group = group_numbers([known["group"]], known["site_id"])
    fold = known["fold"].fill_null(-1).to_numpy()
    given, number = np.unique(labels, axis=0, return_inverse=True)
    entries, first = np.unique(np.stack([group, number.reshape(-1)]), axis=1, return_index=True)
    count = np.zeros((max(1, int(fold.max()) + 1), len(given)), np.int64)
    # Where fields have no fold nobody is judged out of it: they count with the first.
    np.add.at(count, (np.maximum(fold[first], 0), entries[1]), 1)
    gain = set_gain(given, entries[0], entries[1])
    return LabelSets(given, count, np.zeros(len(classes)), gain)


def set_gain(given: Flags, group: npt.NDArray[np.int64], number: npt.NDArray[np.int64]) -> float:
    """Nats per entry by which sets of other groups foretell a set better than frequencies do.

    A set follows from another one by labels missed with probability 0.12 and wrongly given with
    0.02; all sets of the entry's group are left out.

    Args:
        given: `[set, class]`.
        group: `[entry]`, the group of each entry.
        number: `[entry]`, its set.
    """
    groups, place = np.unique(group, return_inverse=True)
    if len(groups) < _ENOUGH:
        return -np.inf
    has = given.astype(np.float64)
    total = np.bincount(number, minlength=len(given)).astype(np.float64)
    own = np.zeros((len(groups), len(given)))
    np.add.at(own, (place.reshape(-1), number), 1)
    chance = np.where(given, 1 - _MISSED, _WRONG)
    follows = has @ np.log(chance).T + (1 - has) @ np.log1p(-chance).T
    gains = np.empty(len(number))
    for entry, (row, one) in enumerate(zip(place.reshape(-1), number, strict=True)):
        others = total - own[row]
        share = (others @ has + 0.5) / (others.sum() + 1)
        alone = has[one] @ np.log(share) + (1 - has[one]) @ np.log1p(-share)
        left = others > 0
        together = logsumexp(follows[one, left], b=others[left] / others.sum())
        gains[entry] = together - alone
    return float(gains.mean())


def with_prior(sets: LabelSets, logits: npt.NDArray[Any], clean: Flags) -> LabelSets:
    """The sets with the mean probability of each class over cells out of fold, else over all.

    Args:
        sets: The sets.
        logits: `[cell, class]`, NaN in rows of cells without a score.
        clean: `[cell]`, whether it was scored out of fold.
    """
    scored = np.isfinite(logits).all(1)
    rows = scored & clean if (scored & clean).any() else scored
    if not rows.any():
        return sets
    held = np.clip(logits[rows].astype(np.float64), -_FARTHEST, _FARTHEST)
    chance: Floats = 1 / (1 + np.exp(-held))
    return replace(sets, prior=chance.mean(0))


def sets_to_json(sets: LabelSets) -> dict[str, Any]:
    """What a decision keeps: sets as lists of class numbers, counts over all folds."""
    return {
        "given": [np.flatnonzero(row).tolist() for row in sets.given],
        "count": sets.count.sum(0).tolist(),
        "prior": [float(value) for value in sets.prior],
        "gain": None if np.isinf(sets.gain) else sets.gain,
    }


def sets_of_json(content: dict[str, Any]) -> LabelSets:
    """Read back what `sets_to_json` gave; all that is judged is new, so folds are gone.

    Raises:
        FormatError: Its parts do not fit.
    """
    try:
        prior = np.array(content["prior"], np.float64)
        given = np.zeros((len(content["given"]), len(prior)), bool)
        for row, members in zip(given, content["given"], strict=True):
            row[members] = True
        count = np.array([content["count"]], np.int64).reshape(1, len(given))
        gain = -np.inf if content["gain"] is None else float(content["gain"])
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise FormatError(f"The decision's label sets cannot be read: {error}") from error
    return LabelSets(given, count, prior, gain)
