"""Labels from the truth: a measuring device that says what perfect labels would be worth.

It is of use only where each cell's classes are known (`truth: <folder>` of the step): what a
network learns from these labels is the upper end of the scale that weak-label methods are measured
on.

A cell takes the classes of the true cell it is matched with; a cell without a match, or one whose
true cell is not to be judged and of no made world, weighs 0. With `classes` only these classes are
taken from the truth and the others from the field; with `cells` only so many cells are relabelled,
drawn by chance, and all others keep what they inherit.

Source: the A_1 arm of the gap closed; naming only some classes is the experiment on under-labelled
classes (the mitotic spindle of the HPA 2021 challenge).
"""

import numpy as np
import numpy.typing as npt

from cellwise.contracts.labeller import INHERITED, KNOWN, UNKNOWN, Bags, CellLabels, Flags, Labeller
from cellwise.errors import BadOption
from cellwise.registry import did_you_mean

NEEDS = ("truth",)


def build(classes: list[str] = [], cells: int = 0) -> Labeller:  # noqa: B006 (never changed)
    """Make the labeller.

    Args:
        classes: Classes that the truth decides; empty for all.
        cells: How many matched cells are relabelled; 0 for all of them.
    """
    if cells < 0:
        raise BadOption(f"label known: cells is not negative, as {cells} is.")

    def known(bags: Bags) -> CellLabels:
        if bags.truth is None:
            raise BadOption("label known: needs the truth; give its folder with 'truth: <folder>'.")
        matched: Flags = np.asarray(np.isfinite(bags.truth).all(axis=1))
        chosen = _sample(matched, cells, bags.seed)
        label = bags.inherited
        taken = _columns(classes, bags.classes)
        label[np.ix_(chosen, taken)] = bags.truth[np.ix_(chosen, taken)]
        weight = np.ones(len(label), np.float32) if cells else matched.astype(np.float32)
        reason = np.where(chosen, KNOWN, INHERITED if cells else UNKNOWN)
        return CellLabels(label, weight, tuple(reason.tolist()))

    return known


def _sample(matched: Flags, count: int, seed: int) -> Flags:
    """Which cells are relabelled; a larger sample of the same seed holds the smaller one."""
    places = np.flatnonzero(matched)
    if count:
        places = np.random.default_rng(seed).permutation(places)[:count]
    chosen = np.zeros(len(matched), bool)
    chosen[places] = True
    return chosen


def _columns(wanted: list[str], classes: tuple[str, ...]) -> npt.NDArray[np.int64]:
    for name in wanted:
        if name not in classes:
            raise BadOption(
                f"label known: there is no class {name!r}.{did_you_mean(name, list(classes))}"
            )
    names = wanted or classes
    return np.array([classes.index(name) for name in names], np.int64)
