"""Where a posterior's evidence comes from: learners of vectors, or a network's scores."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import expit

from cellwise.contracts.labeller import Bags, Flags
from cellwise.errors import BadOption
from cellwise.parts.learners import kernel_ridge
from cellwise.stages.label._learned import (
    PARTITIONS,
    blocks_of,
    groups_of,
    measured,
    others,
    partitions,
)
from cellwise.stages.label.posterior._fields import Numbers, Smooth
from cellwise.stages.label.posterior.one_state import OneState

# What restarts draw from: no truth-free criterion was good enough to choose among these.
_RIDGES = (0.1, 0.2, 0.4)
_GAMMAS = (0.25, 0.5)
_TEMPERS = (1.5, 2.0)


@dataclass(frozen=True, slots=True)
class Start:
    """One restart: what cells of other groups make of labels, and the constants of its rounds."""

    smooth: Smooth
    one_state: OneState

    @property
    def rounds(self) -> int:
        """Of learning and labelling."""
        return self.one_state.rounds


def usable(bags: Bags) -> Flags:
    """`[cell]`: whether anything is known of the cell beyond the labels of its field.

    Raises:
        BadOption: There are neither vectors nor scores.
    """
    if bags.vectors is not None:
        return measured(bags)
    if bags.scores is not None:
        return np.asarray(np.isfinite(bags.scores).all(1))
    raise BadOption("label posterior: needs 'embeddings: <embed step>' or 'from: <score step>'.")


def starts(
    bags: Bags, rows: Numbers, columns: Numbers, *, restarts: int, state: OneState
) -> Iterator[Start]:
    """What each restart learns with; with scores in place of vectors one start of one round.

    Args:
        bags: The cells.
        rows: The usable cells, in the order of the fields.
        columns: The classes that are told apart.
        restarts: 1 takes middle settings; more draw theirs by chance.
        state: The constants of each start, but for those that are drawn.
    """
    if bags.vectors is None:
        assert bags.scores is not None
        found = expit(bags.scores[np.ix_(rows, columns)]).astype(np.float32)
        yield Start(lambda _: found, replace(state, rounds=1))
        return
    if restarts == 1:
        yield Start(others(bags, rows), state)
        return
    vectors, groups = bags.vectors[rows], groups_of(bags)[rows]
    random = np.random.default_rng(bags.seed)
    for number in range(restarts):
        learner = kernel_ridge.build(
            ridge=float(random.choice(_RIDGES)),
            gamma=float(random.choice(_GAMMAS)),
            blocks=blocks_of(bags),
        )
        constants = replace(state, temper=float(random.choice(_TEMPERS)))
        folds = partitions(groups, PARTITIONS, random)
        smooth = learner.out_of_fold(vectors, folds, bags.seed + number)
        yield Start(smooth, constants)
