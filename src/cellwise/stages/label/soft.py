"""Each cell keeps its field's labels as far as out-of-fold scores support them.

For a class c of the field's label set, with p the probability that a model which never saw the
field gives the cell, and m the largest p among the field's cells:

    label = (p / max(m, least)) ** sharpen

so the best-supported cell of each class keeps the full label (if m >= `least`) and the others
follow in proportion. Classes outside the field's set get 0. Nothing forces a cell to keep a class:
a cell that supports none ends near the all-zero vector, which is Negative.

Where a cell may show what its field was not given (`restricted: false`), the label of a class
outside the field's set is `p ** sharpen` as it is: no cell of the field is known to show it. With
`least: 1` every label is p, the soft pseudo-label of the source.

Where classes exclude each other (`exclusive`), each cell has one answer among the field's labels
and "none", whose score is 0, and the label is its probability:

    label = exp(sharpen * score) / (1 + sum over the field's labels of exp(sharpen * score))

so that a cell's labels sum to at most 1, or to exactly 1 where `none` is no answer; unrestricted,
the sum is over all classes.

With `inherited` w the label is w times the field's own and 1 - w times what scores say.

Scores are a network's (`from`): then each round is a train, a score and a label step. Or a learner
makes them here, of the vectors of an embed step (`embeddings`), out of fold by group and `rounds`
times, each round learning the labels of the one before.

Source: out-of-fold relabelling of the HPA 2021 system "Raman" (23rd), whose labels are not
restricted; the rule that the field's own labels bound the relabel is from AiRLab's pseudo-labels.
The exclusive form is a step of Jin and Ghahramani 2002 (NIPS 15), as in the progressive
identification of Lv et al. 2020 (arXiv 2002.08053); the share of the inherited label is the "soft
bootstrapping" of Reed et al. 2015 (arXiv 1412.6596).
"""

from dataclasses import dataclass, replace

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
from cellwise.stages.label._cells import answers, bag_maximum, shown, weights
from cellwise.stages.label._learned import as_scores, measured, others

NEEDS = ("scores", "rounds")


def build(
    sharpen: float = 1.0,
    least: float = 0.0,
    border: float = 1.0,
    tiny: float = 1.0,
    rounds: int = 1,
    inherited: float = 0.0,
    *,
    exclusive: bool = False,
    none: bool = True,
    restricted: bool = True,
) -> Labeller:
    """Make the labeller; cells without a score keep the inherited label and say `unscored`.

    Args:
        sharpen: Exponent above 0; larger values set the best-supported cells further apart.
        least: In 0..1; a class whose best cell stays below it is not lifted to the full label,
            which lets a field label be doubted.
        border: Weight of cells at the edge, as in `inherit`.
        tiny: Weight of tiny cells, as in `inherit`.
        rounds: Of learning and labelling where labels are learned from vectors; of scores one.
        inherited: In 0..1, share of the field's own label in each label.
        exclusive: Whether a cell shows one class only; then `least` means nothing.
        none: Whether an exclusive cell may show none of its field's classes.
        restricted: Whether a cell shows only classes that its field was given.
    """
    if not sharpen > 0 or not 0 <= least <= 1 or not 0 <= inherited <= 1:
        raise BadOption(
            "label soft: sharpen is above 0; least and inherited lie in 0..1, not "
            f"{least} and {inherited}."
        )
    if border < 0 or tiny < 0:
        raise BadOption("label soft: weights are not negative.")
    if rounds < 1:
        raise BadOption(f"label soft: rounds is at least 1, not {rounds}.")
    if exclusive and least:
        raise BadOption("label soft: least means nothing where classes exclude each other.")
    form = _Form(sharpen, least, inherited, exclusive, none, restricted)

    def soft(bags: Bags) -> CellLabels:
        if bags.vectors is not None:
            label, known = _learned(bags, form, rounds)
        elif bags.scores is None:
            raise BadOption("label soft: needs scores; name them with 'from: <score step>'.")
        elif rounds > 1:
            raise BadOption(
                "label soft: of scores there is one round; for another one train, score and label "
                "again, or name vectors with 'embeddings: <embed step>' in place of 'from'."
            )
        else:
            label = _round(bags, form)
            known = np.asarray(np.isfinite(bags.scores).all(axis=1))
        return CellLabels(
            label,
            weights(bags, border=border, tiny=tiny),
            tuple(SUPPORTED if one else UNSCORED for one in known),
            {"method": "soft", **shown(bags, label)},
        )

    return soft


@dataclass(frozen=True, slots=True)
class _Form:
    """How scores become labels; see `build`."""

    sharpen: float
    least: float
    inherited: float
    exclusive: bool
    none: bool
    restricted: bool


def _learned(bags: Bags, form: _Form, rounds: int) -> tuple[Floats, Flags]:
    """Labels `[cell, class]` after so many rounds on vectors, and which cells have one.

    Raises:
        PreflightError: All cells are of one group.
    """
    known = measured(bags)
    rows = np.flatnonzero(known)
    label = bags.inherited
    if not len(rows):
        return label, known
    smooth = others(bags, rows)
    scores = np.full(label.shape, np.nan, np.float32)
    for _ in range(rounds):
        scores[rows] = as_scores(smooth(label[rows]))
        label = _round(replace(bags, scores=scores), form)
    return label, known


def _round(bags: Bags, form: _Form) -> Floats:
    """`[cell, class]` in 0..1: labels by scores, inherited ones where there is no score."""
    assert bags.scores is not None
    own = bags.inherited
    scored: Flags = np.asarray(np.isfinite(bags.scores).all(axis=1))
    if form.exclusive:
        found = answers(bags, sharpen=form.sharpen, none=form.none, restricted=form.restricted)
        supported = found[:, : bags.scores.shape[1]]
        # What a field's labels leave to each of its cells, where a cell has one answer.
        share = own / np.maximum(own.sum(axis=1, keepdims=True), 1)
    else:
        supported = _ratios(bags, scored, form)
        share = own
    if form.inherited:
        supported = form.inherited * share + (1 - form.inherited) * supported
    label = np.where(scored[:, None], supported, own)
    return np.clip(label, 0, 1).astype(np.float32)


def _ratios(bags: Bags, scored: Flags, form: _Form) -> Floats:
    """`[cell, class]`: support relative to the best cell of the field; outside its labels as is."""
    assert bags.scores is not None
    chance = np.where(scored[:, None], expit(bags.scores), 0).astype(np.float32)
    peak = bag_maximum(chance, bags.site, sites=len(bags.field_labels))
    scale = np.maximum(np.maximum(peak, np.float32(form.least)), np.finfo(np.float32).tiny)
    ratio = (chance / scale[bags.site]) ** np.float32(form.sharpen) * bags.inherited
    if not form.restricted:
        ratio = np.where(bags.inherited > 0, ratio, chance ** np.float32(form.sharpen))
    return np.asarray(ratio, np.float32)
