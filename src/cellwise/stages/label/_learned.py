"""What cells of other groups make of labels: a learner that leaves them out in turn."""

import numpy as np
import numpy.typing as npt
from scipy.special import logit

from cellwise.contracts.labeller import Bags, Flags, Floats
from cellwise.contracts.learner import Smoother
from cellwise.errors import PreflightError
from cellwise.parts.learners import kernel_ridge

Numbers = npt.NDArray[np.int64]

PARTITIONS = 5
_FOLDS = 5
# Scores are logits of what a learner finds, which may be 0 or 1.
_LEAST = 1e-6


def groups_of(bags: Bags) -> Numbers:
    """`[cell]`: who is never judged by each other."""
    return bags.site if bags.group is None else bags.group


def blocks_of(bags: Bags) -> list[int]:
    """How many numbers each part of the vectors has, where there are several."""
    return [count for count in bags.blocks if count] if len(bags.blocks) > 1 else []


def partitions(groups: Numbers, count: int, random: np.random.Generator) -> Numbers:
    """`[partition, cell]`: groups dealt out to folds by chance.

    Raises:
        PreflightError: All cells are of one group.
    """
    names = len(np.unique(groups))
    if names < 2:
        raise PreflightError(
            "label: all labelled cells are of one group, so none can be judged by what others "
            "say. Label more fields, or inherit: --set label.by=inherit"
        )
    return np.stack([deal(groups, min(_FOLDS, names), random) for _ in range(count)])


def deal(groups: Numbers, parts: int, random: np.random.Generator) -> Numbers:
    """`[cell]`: groups dealt out by chance to so many parts, alike in groups."""
    names, place = np.unique(groups, return_inverse=True)
    return np.asarray(random.permutation(np.arange(len(names)) % parts)[place.reshape(-1)])


def measured(bags: Bags) -> Flags:
    """`[cell]`: whether the cell's vector holds any number.

    Raises:
        ValueError: There are no vectors.
    """
    if bags.vectors is None:
        raise ValueError("There are no vectors.")
    return np.asarray(~np.isnan(bags.vectors).all(axis=1))


def others(bags: Bags, rows: Numbers) -> Smoother:
    """What cells of other groups make of labels `[row, class]`: kernel ridge on the vectors.

    Args:
        bags: The cells, with vectors.
        rows: The cells that are learned from and judged.

    Raises:
        PreflightError: All cells are of one group.
    """
    assert bags.vectors is not None
    folds = partitions(groups_of(bags)[rows], PARTITIONS, np.random.default_rng(bags.seed))
    learner = kernel_ridge.build(blocks=blocks_of(bags))
    return learner.out_of_fold(bags.vectors[rows], folds, bags.seed)


def as_scores(chances: Floats) -> Floats:
    """Logits of what a learner found, as a network's scores are."""
    return np.asarray(logit(np.clip(chances, _LEAST, 1 - _LEAST)), np.float32)
