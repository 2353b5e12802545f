"""Each cell keeps its field's labels as far as out-of-fold scores support them.

For a class c of the field's label set, with p the probability that a model which never saw the
field gives the cell, and m the largest p among the field's cells:

    label = (p / max(m, least)) ** sharpen

so the best-supported cell of each class keeps the full label (if m >= `least`) and the others
follow in proportion. Classes outside the field's set get 0. Nothing forces a cell to keep a class:
a cell that supports none ends near the all-zero vector, which is Negative.

Where classes exclude each other (`exclusive`), each cell has one answer among the field's labels
and "none", whose score is 0, and the label is its probability:

    label = exp(sharpen * score) / (1 + sum over the field's labels of exp(sharpen * score))

so that a cell's labels sum to at most 1, or to exactly 1 where `none` is no answer.

Source: out-of-fold relabelling of the HPA 2021 system "Raman" (23rd); the rule that the field's own
labels bound the relabel is from AiRLab's pseudo-labels. The exclusive form is a step of Jin and
Ghahramani 2002 (NIPS 15), as in the progressive identification of Lv et al. 2020 (arXiv
2002.08053).
"""

import numpy as np
from scipy.special import expit

from cellwise.contracts.labeller import (
    SUPPORTED,
    UNSCORED,
    Bags,
    CellLabels,
    Flags,
    Floats,
    Labeller,
)
from cellwise.errors import BadOption
from cellwise.stages.label._cells import answers, bag_maximum, weights

NEEDS = ("scores",)


def build(
    sharpen: float = 1.0,
    least: float = 0.0,
    border: float = 1.0,
    tiny: float = 1.0,
    *,
    exclusive: bool = False,
    none: bool = True,
) -> Labeller:
    """Make the labeller; cells without a score keep the inherited label and say `unscored`.

    Args:
        sharpen: Exponent above 0; larger values set the best-supported cells further apart.
        least: In 0..1; a class whose best cell stays below it is not lifted to the full label,
            which lets a field label be doubted.
        border: Weight of cells at the edge, as in `inherit`.
        tiny: Weight of tiny cells, as in `inherit`.
        exclusive: Whether a cell shows one class only; then `least` means nothing.
        none: Whether an exclusive cell may show none of its field's classes.
    """
    if not sharpen > 0 or not 0 <= least <= 1:
        raise BadOption("label soft: sharpen is above 0 and least lies in 0..1.")
    if border < 0 or tiny < 0:
        raise BadOption("label soft: weights are not negative.")
    if exclusive and least:
        raise BadOption("label soft: least means nothing where classes exclude each other.")

    def soft(bags: Bags) -> CellLabels:
        if bags.scores is None:
            raise BadOption("label soft: needs scores; name them with 'from: <score step>'.")
        scored: Flags = np.asarray(np.isfinite(bags.scores).all(axis=1))
        if exclusive:
            supported = answers(bags, sharpen=sharpen, none=none)[:, : bags.scores.shape[1]]
        else:
            supported = _ratios(bags, scored, sharpen=sharpen, least=least)
        label = np.where(scored[:, None], supported, bags.inherited)
        return CellLabels(
            np.clip(label, 0, 1).astype(np.float32),
            weights(bags, border=border, tiny=tiny),
            tuple(SUPPORTED if known else UNSCORED for known in scored),
        )

    return soft


def _ratios(bags: Bags, scored: Flags, *, sharpen: float, least: float) -> Floats:
    """`[cell, class]`: support relative to the best cell of the field."""
    chance = np.where(scored[:, None], expit(bags.scores), 0).astype(np.float32)
    peak = bag_maximum(chance, bags.site, sites=len(bags.field_labels))
    scale = np.maximum(np.maximum(peak, np.float32(least)), np.finfo(np.float32).tiny)
    ratio = (chance / scale[bags.site]) ** np.float32(sharpen) * bags.inherited
    return ratio.astype(np.float32)
