"""Exclusive cells share out their field's labels: each label gets a cell, each class its part.

Three steps turn out-of-fold scores into labels of cells that show one class each. Scores become
probabilities of the field's labels (as `soft` with `exclusive`). A bias per class, the same for all
cells that one model scored, is fitted so that each class gets as many cells as the field labels
suggest, an equal part of each field for each of its labels: a network that learned from inherited
labels prefers frequent classes everywhere, and relabelling by it would starve the rare ones. Last,
what is known of a field is used up: every label is shown by at least one of its cells.

Source: equal parts by biases is the optimal transport of Asano, Rupprecht and Vedaldi 2020 (arXiv
1911.05371), one side of it; for the last step see `_cover`.
"""

import numpy as np
import numpy.typing as npt

from cellwise.contracts.labeller import SUPPORTED, UNSCORED, Bags, CellLabels, Flags, Labeller
from cellwise.errors import BadOption
from cellwise.stages.label._cells import answers, weights
from cellwise.stages.label._cover import covering

NEEDS = ("scores",)

Floats64 = npt.NDArray[np.float64]

_ROUNDS = 100
_CLOSE = 1e-3
_LEAST = 1e-9


def build(
    sharpen: float = 3.0,
    border: float = 1.0,
    tiny: float = 1.0,
    *,
    parts: bool = True,
    cover: bool = True,
    none: bool = True,
) -> Labeller:
    """Make the labeller; cells without a score keep the inherited label and say `unscored`.

    Args:
        sharpen: Factor of the scores, above 0; networks that learned from weak labels are less sure
            than they are right.
        border: Weight of cells at the edge, as in `inherit`.
        tiny: Weight of tiny cells, as in `inherit`.
        parts: Whether each class gets the part of the cells that the field labels suggest.
        cover: Whether each label of a field is shown by at least one of its cells.
        none: Whether a cell may show none of its field's classes.
    """
    if not sharpen > 0:
        raise BadOption(f"label assign: sharpen is above 0, not {sharpen}.")
    if border < 0 or tiny < 0:
        raise BadOption("label assign: weights are not negative.")

    def assign(bags: Bags) -> CellLabels:
        if bags.scores is None:
            raise BadOption("label assign: needs scores; name them with 'from: <score step>'.")
        scored = np.asarray(np.isfinite(bags.scores).all(axis=1))
        chances = answers(bags, sharpen=sharpen, none=none).astype(np.float64)
        if parts:
            chances = _with_parts(chances, bags, scored)
        if cover:
            chances = _covered(chances, bags, scored)
        label = np.where(scored[:, None], chances[:, :-1], bags.inherited)
        return CellLabels(
            np.clip(label, 0, 1).astype(np.float32),
            weights(bags, border=border, tiny=tiny),
            tuple(SUPPORTED if known else UNSCORED for known in scored),
        )

    return assign


def _with_parts(chances: Floats64, bags: Bags, scored: Flags) -> Floats64:
    """Chances after a bias per class and model, so that classes get their parts of the cells."""
    result = chances.copy()
    models = np.zeros(len(scored), np.int64) if bags.model is None else bags.model
    labels = bags.field_labels / np.maximum(bags.field_labels.sum(axis=1, keepdims=True), 1)
    for model in np.unique(models[scored]):
        rows = np.flatnonzero(scored & (models == model))
        part = labels[bags.site[rows]]
        result[rows] = _biased(result[rows], part)
    return result


def _biased(chances: Floats64, part: Floats64) -> Floats64:
    """Chances of the cells of one model; `part` is each cell's even share of its field's labels."""
    for _ in range(_ROUNDS):
        # What goes to "none" is taken from all classes of a field alike.
        wanted = ((1 - chances[:, -1:]) * part).sum(axis=0)
        found = chances[:, :-1].sum(axis=0)
        met = (wanted > _LEAST) & (found > _LEAST)
        factor = np.ones(len(wanted))
        factor[met] = wanted[met] / found[met]
        if np.abs(factor - 1).max(initial=0) < _CLOSE:
            break
        chances = chances * np.append(factor, 1.0)
        total = chances.sum(axis=1, keepdims=True)
        chances = chances / np.where(total > 0, total, 1)
    return chances


def _covered(chances: Floats64, bags: Bags, scored: Flags) -> Floats64:
    """Chances given that each label of a field is shown by one of its scored cells."""
    result = chances.copy()
    rows = np.flatnonzero(scored)
    order = rows[np.argsort(bags.site[rows], kind="stable")]
    edges = np.flatnonzero(np.diff(bags.site[order])) + 1
    for cells in np.split(order, edges) if len(order) else []:
        site = bags.site[cells[0]]
        labels = np.flatnonzero(bags.field_labels[site])
        columns = np.append(labels, chances.shape[1] - 1)
        result[np.ix_(cells, columns)] = covering(chances[np.ix_(cells, columns)], len(labels))
    return result
