"""A new field is taken for one like those that were labelled: its cells speak for each other.

Field labels come in sets. How well the cells of a field fit each set that labelled fields have says
which classes the field is likely to show, and cells are judged by that:

    likelihood of a set   = product over cells of (1 - e) mean over its classes of L + e
    L                     = (p / prior) ** sharpen
    share of a class      = (1 - e) sum over sets of (posterior of the set) (1 / size) + e prior
    odds of a cell        = odds * (share / prior) ** weight

with e = 0.1, shares and priors over all classes adding up to 1. For the empty set (Negative) L is
that of "none of the classes", and it gives no class a share. A labelled field is judged by sets of
the other folds alone, as its cells are scored by models of the other folds.

It does nothing unless a group's labels follow better from the sets of other groups than from each
label's frequency (`LabelSets.gain`), for which no cell's truth is needed. Where new samples differ
in kind from labelled ones it misleads: give results without it beside those with it.

Source: a mixture of multinomials over label sets, as in the topic models of Blei et al. 2003 (JMLR
3); the damped prior shift is that of Saerens et al. 2002 (Neural Computation 14).
"""

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logsumexp

from cellwise.contracts.adjuster import Adjuster, Cells, Floats, LabelSets
from cellwise.errors import BadOption
from cellwise.stages.decide._logits import log_chance

NEEDS = ("sets",)

_APART = 0.1
_LEAST_PRIOR = 0.01
# Numbers of cells and sets that are held at a time.
_BLOCK = 1 << 22


def build(weight: float = 0.5, sharpen: float = 1.5, *, always: bool = False) -> Adjuster:
    """Make the adjuster.

    Args:
        weight: How much of the prior's shift is taken, at least 0.
        sharpen: Exponent of what is found of a cell, above 0.
        always: Whether it is used even where label sets do not tell.
    """
    if weight < 0 or not sharpen > 0:
        raise BadOption("decide context: weight is not negative and sharpen is above 0.")

    def context(logits: Floats, cells: Cells) -> Floats:
        sets = cells.sets
        if sets is None or not len(logits) or (sets.gain <= 0 and not always):
            return logits
        prior = np.clip(sets.prior, _LEAST_PRIOR, None)
        even = prior / prior.sum()
        field = cells.field if cells.bag is None else cells.bag
        fold = np.full(len(field), -1) if cells.fold is None else cells.fold
        bags, number = np.unique(np.stack([field, fold]), axis=1, return_inverse=True)
        fits = _fits(logits, number.reshape(-1), bags.shape[1], sets, prior, sharpen)
        share = np.stack(
            [_shares(sets, f, row, even) for row, f in zip(fits, bags[1], strict=True)]
        )
        shift = weight * np.log(share / even)
        return np.asarray(logits + shift[number.reshape(-1)])

    return context


def _fits(
    logits: Floats,
    bag: npt.NDArray[np.int64],
    bags: int,
    sets: LabelSets,
    prior: Floats,
    sharpen: float,
) -> Floats:
    """`[bag, set]`: log-likelihood of the cells of each bag under each set."""
    size = sets.given.sum(1)
    mean = sets.given / np.maximum(size, 1)[:, None]
    none = np.prod(1 - np.minimum(prior, 0.99))
    found = np.zeros((bags, len(mean)))
    order = np.argsort(bag, kind="stable")
    step = max(1, _BLOCK // max(1, len(mean)))
    for begin in range(0, len(order), step):
        rows = order[begin : begin + step]
        chance = np.clip(expit(logits[rows]), 1e-3, 1)
        lift = (chance / prior) ** sharpen
        fit = lift @ mean.T
        if (size == 0).any():
            absent = np.exp(log_chance(-logits[rows]).sum(1))
            fit[:, size == 0] = ((absent / none) ** sharpen)[:, None]
        starts = np.flatnonzero(np.r_[True, np.diff(bag[rows]) > 0])
        logs = np.log((1 - _APART) * fit + _APART)
        found[bag[rows][starts]] += np.add.reduceat(logs, starts, axis=0)
    return found


def _shares(sets: LabelSets, fold: int, fit: Floats, even: Floats) -> Floats:
    """`[class]`: how likely a cell of the bag shows each class; they add up to 1 at most."""
    count = sets.count.sum(0)
    if 0 <= fold < len(sets.count):
        count = count - sets.count[fold]
    if not count.any():
        return even
    with np.errstate(divide="ignore"):
        own = fit + np.log(count)
    weight = np.exp(own - logsumexp(own))
    mean = sets.given / np.maximum(sets.given.sum(1), 1)[:, None]
    return np.asarray((1 - _APART) * (weight @ mean) + _APART * even)
