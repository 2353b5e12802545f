"""Checks of what decides about cells: labellers, deciders, adjusters."""

import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from cellwise.contracts.adjuster import Adjuster, Cells, LabelSets
from cellwise.contracts.decider import POOLINGS, Decider, Evidence
from cellwise.contracts.labeller import Bags, Labeller
from cellwise.testing._component import Component

_FIELDS, _EACH, _CLASSES = 6, 4, 3
_CALIBRATIONS = ("weak", "audited", "none")


def check_labeller(build: Callable[..., Labeller], **options: Any) -> None:
    """Check a labeller: labels in 0..1 and weights, for scored, unscored and Negative cells.

    Raises:
        BrokenContract: A rule does not hold.
    """
    part = Component("labeller", build, options)
    labeller = part.make()
    bags = _bags()
    if "vectors" in getattr(sys.modules.get(build.__module__), "NEEDS", ()):
        drawn = np.random.default_rng(1).normal(size=(len(bags.site), 5))
        bags = replace(bags, vectors=drawn.astype(np.float32))
    assert bags.scores is not None
    for scores in (bags.scores, bags.scores * 1000, np.full_like(bags.scores, np.nan)):
        found = labeller(replace(bags, scores=scores))
        shape = bags.inherited.shape
        seen = found.label.shape
        part.need(seen == shape, f"labels are [cell, class], {shape}", seen)
        part.need_finite(found.label, "its labels")
        low, high = float(found.label.min()), float(found.label.max())
        part.need(low >= 0 and high <= 1 + 1e-6, "labels lie in 0..1", f"{low}..{high}")
        part.need(found.weight.shape == shape[:1], "weights are [cell]", found.weight.shape)
        part.need_finite(found.weight, "its weights")
        part.need(found.weight.min() >= 0, "weights are 0 or more", found.weight.min())
        words = len(found.reason) == shape[0] and all(isinstance(w, str) for w in found.reason)
        part.need(words, "every cell has a reason, a short word", found.reason[:3])
    first, again = labeller(bags), labeller(bags)
    part.need_equal(first.label, again.label, "the same cells get the same labels")
    fresh = _bags().scores
    untouched = fresh is not None and np.array_equal(bags.scores, fresh, equal_nan=True)
    part.need(untouched, "what it is given stays as it is", "scores were written to")


def check_decider(build: Callable[..., Decider], **options: Any) -> None:
    """Check a decider: a temperature and a bias per class, on telling and on empty evidence.

    Raises:
        BrokenContract: A rule does not hold.
    """
    part = Component("calibration", build, options)
    decider = part.make()
    known = _evidence()
    every, none = np.ones_like(known.labels), np.zeros_like(known.labels)
    worlds = [known, replace(known, labels=every), replace(known, labels=none)]
    worlds += [replace(known, logits=np.full_like(known.logits, level)) for level in (0, 50, -50)]
    for world in worlds:
        found = decider(world)
        sizes = len(found.temperatures), len(found.biases)
        rule = "there is a temperature and a bias for each class"
        part.need(sizes == (_CLASSES, _CLASSES), rule, f"{sizes} for {_CLASSES} classes")
        part.need_finite((*found.temperatures, *found.biases), "temperatures and biases")
        part.need(min(found.temperatures) > 0, "temperatures are above 0", found.temperatures)
        part.need(found.pooling in POOLINGS, f"pooling is one of {POOLINGS}", found.pooling)
        said = found.calibration
        part.need(said in _CALIBRATIONS, f"calibration is one of {_CALIBRATIONS}", said)
    first = decider(known)
    order = np.random.default_rng(1).permutation(len(known.field))
    other = decider(replace(known, logits=known.logits[order], field=known.field[order]))
    rule = "the order of the cells is of no influence"
    part.need_equal(first.temperatures, other.temperatures, rule)
    part.need_equal(first.biases, other.biases, rule)


def check_adjuster(build: Callable[..., Adjuster], **options: Any) -> None:
    """Check an adjuster: logits of the same shape, finite however sure the network is.

    Raises:
        BrokenContract: A rule does not hold.
    """
    part = Component("adjustment", build, options)
    adjust = part.make()
    rng = np.random.default_rng(0)
    field = np.repeat(np.arange(_FIELDS), _EACH)
    own = rng.normal(0, 3, (len(field), _CLASSES))
    cells = Cells(
        field,
        rng.normal(0, 3, (_FIELDS, _CLASSES))[field],
        rng.uniform(50, 500, len(field)),
        rng.random(len(field)) < 0.3,
        field // 2,
        field % 3 - 1,
        LabelSets(
            np.eye(_CLASSES, dtype=bool), np.ones((2, _CLASSES), int), np.full(_CLASSES, 0.3), 1
        ),
    )
    for logits in (own, own * 200, np.zeros_like(own)):
        before = logits.copy()
        found = adjust(logits, cells)
        rule = f"it gives logits [cell, class], {logits.shape}"
        part.need(found.shape == logits.shape, rule, found.shape)
        part.need_finite(found, "its logits")
        unchanged = np.array_equal(before, logits)
        part.need(unchanged, "what it is given stays as it is", "logits were written to")
    order = rng.permutation(len(field))
    names = ("field", "field_logits", "area", "border", "bag", "fold")
    moved = replace(cells, **{name: getattr(cells, name)[order] for name in names})
    rule = "the order of the cells is of no influence"
    part.need_equal(adjust(own, cells)[order], adjust(own[order], moved), rule)


def _bags() -> Bags:
    """Six fields, the last one Negative; one cell has no score and one is known in part."""
    rng = np.random.default_rng(0)
    site = np.repeat(np.arange(_FIELDS), _EACH)
    labels = np.eye(_CLASSES, dtype=bool)[np.arange(_FIELDS) % _CLASSES]
    labels[:, 0] |= np.arange(_FIELDS) % 2 == 0
    labels[-1] = False
    scores = rng.normal(0, 2, (len(site), _CLASSES)).astype(np.float32)
    scores[3] = np.nan
    truth = (labels[site] & (rng.random((len(site), _CLASSES)) < 0.8)).astype(np.float32)
    truth[5] = np.nan
    return Bags(
        site=site,
        field_labels=labels,
        scores=scores,
        border=rng.random(len(site)) < 0.3,
        tiny=rng.random(len(site)) < 0.2,
        model=site % 2,
        truth=truth,
        classes=("A", "B", "C"),
        seed=3,
    )


def _evidence() -> Evidence:
    """Thirty fields whose cells' logits tell, with some noise, what the field carries."""
    rng = np.random.default_rng(0)
    labels = rng.random((30, _CLASSES)) < 0.5
    field = np.repeat(np.arange(30), 5)
    shows = labels[field] & (rng.random((len(field), _CLASSES)) < 0.7)
    logits = np.where(shows, 2.0, -2.0) + rng.normal(0, 1, shows.shape)
    return Evidence(logits.astype(np.float32), field, labels)
