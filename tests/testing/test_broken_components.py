"""Each check catches a component that breaks its contract.

Source: made up for these tests; every component here is wrong in one way.
"""

import itertools
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from tests.stages.read.read_folders import put

from cellwise import testing
from cellwise.contracts.layout import Arrangement, Layout, Plane
from cellwise.contracts.network import Asked, Output
from cellwise.contracts.scorer import Scorer
from cellwise.contracts.task import Task
from cellwise.domain.records import Masks
from cellwise.errors import BadOption, BrokenContract, InputError
from cellwise.parts.learners import kernel_ridge
from cellwise.parts.losses import bce
from cellwise.stages.decide import temperature
from cellwise.stages.export import cells_csv
from cellwise.stages.label import inherit
from cellwise.stages.read.layouts import single_channel
from cellwise.stages.segment import grid
from cellwise.stages.split import grouped


def giving(made, **parts):
    """A `build` that gives `made`."""

    def build():
        """Make it."""
        return made

    return build


def broken(check, made, rule, *more):
    with pytest.raises(BrokenContract, match=rule) as caught:
        check(giving(made), *more)
    assert "test_broken_components" in str(caught.value)


good_loss = bce.build()
LOSSES = {
    "per label": lambda z, y: good_loss(z, y).mean(),
    "values are finite": lambda z, y: -(y * z.sigmoid().log() + (1 - y) * (1 - z.sigmoid()).log()),
    "without a gradient": lambda z, y: good_loss(z.detach(), y),
    "gradients are finite": lambda z, y: (z.relu() * 0).sqrt() + good_loss(z, y),
    "order of the items": lambda z, y: good_loss(z, y) * torch.arange(1.0, len(z) + 1)[:, None],
    "stays as it is": lambda z, y: good_loss(z, y.mul_(0.9)),
    "less loss": lambda z, y: -good_loss(z, y),
    "keeps the precision": lambda z, y: good_loss(z, y).double(),
    "same batch has the same loss": lambda z, y: good_loss(z, y) * (1 + torch.rand(())),
}


@pytest.mark.parametrize("rule", LOSSES)
def test_losses(rule):
    broken(testing.check_loss, LOSSES[rule], rule)


def undocumented(gamma: float = 2.0):
    """Make the loss."""
    return good_loss


def untyped(gamma=2.0):
    """Make the loss; gamma is its power."""
    return good_loss


def silent(gamma: float = 2.0):
    """Make the loss; gamma is its power."""


def crashing(steps: int = 2):
    """Make the loss; steps is a number."""
    if steps < 1:
        raise ValueError(steps)
    return good_loss


@pytest.mark.parametrize(
    ("build", "rule"),
    [
        (undocumented, "options are explained.*'gamma'"),
        (untyped, "options have types.*'gamma'"),
        (silent, "it gives nothing"),
        (crashing, "BadOption.*ValueError for steps=-1"),
        (giving(3), "something to be called"),
    ],
)
def test_signatures(build, rule):
    with pytest.raises(BrokenContract, match=rule):
        testing.check_loss(build)


def test_wrong_options_are_refused_as_in_a_recipe():
    with pytest.raises(BadOption, match="gamma"):
        testing.check_loss(crashing, gamma=1)


def tuple_of(change):
    return lambda batch, rngs: change(batch)


AUGMENTATIONS = {
    "keep their shape": tuple_of(lambda batch: batch[:, :, 1:]),
    "pixels are finite": tuple_of(lambda batch: batch / 0),
    "keep their type": tuple_of(lambda batch: batch.double()),
    "stays as it is": tuple_of(lambda batch: batch.mul_(0.5)),
    "alike in any company": lambda batch, rngs: batch * float(rngs[0].random()),
}


@pytest.mark.parametrize("rule", AUGMENTATIONS)
def test_augmentations(rule):
    broken(testing.check_augmentation, AUGMENTATIONS[rule], rule)


def in_order(pool, size, when):
    count = -(-len(pool) // size)
    return list(np.array_split(np.arange(len(pool)), count)) if count else []


turns = itertools.cycle([1, -1])
SAMPLERS = {
    "positions lie in": lambda pool, size, when: [b + 1 for b in in_order(pool, size, when)],
    "whole numbers": lambda pool, size, when: [b / 2 for b in in_order(pool, size, when)],
    "larger than asked": lambda pool, size, when: in_order(pool, 2 * size, when),
    "seed and epoch alone": lambda pool, size, when: in_order(pool, size, when)[:: next(turns)],
    "as many batches": lambda pool, size, when: in_order(pool, size, when)[when.epoch :],
    "cells of one field": lambda pool, size, when: [np.arange(8).reshape(2, 4)],
    "gives no batch": lambda pool, size, when: in_order(pool, size, when) or [np.zeros(0, int)],
}


@pytest.mark.parametrize("rule", SAMPLERS)
def test_samplers(rule):
    broken(testing.check_sampler, SAMPLERS[rule], rule)


def test_schedules():
    broken(testing.check_schedule, lambda moment: -0.1, "0 or more")
    broken(testing.check_schedule, lambda moment: 0.0, "above 0")
    broken(testing.check_schedule, lambda moment: 1 / 0.0 if 0 else float("nan"), "finite")
    asked = []

    def counts(moment):
        asked.append(moment)
        return 1 / len(asked)

    broken(testing.check_schedule, counts, "the moment alone")


class Forgetful(torch.optim.SGD):
    """Keeps its momentum where no state is stored."""

    def state_dict(self):
        return {**super().state_dict(), "state": {}}


def test_optimisers():
    def some(net, rate, decay):
        return torch.optim.SGD([net.weight], rate)

    def uphill(net, rate, decay):
        return torch.optim.SGD(net.parameters(), rate, maximize=True)

    def forgetful(net, rate, decay):
        return Forgetful(net.parameters(), rate, momentum=0.9)

    broken(testing.check_optimiser, some, "every weight")
    broken(testing.check_optimiser, uphill, "lower the loss")
    broken(testing.check_optimiser, forgetful, "as if nothing had happened")


def test_tasks():
    def task(batch_loss):
        return Task("site", 32, "unused", in_order, batch_loss)

    broken(testing.check_task, task(lambda z, truth, loss: loss(z, truth.targets)), "one number")
    broken(testing.check_task, task(lambda z, truth, loss: z.detach().mean()), "learned from")
    broken(testing.check_task, in_order, "gives a Task")
    whole = task(lambda z, truth, loss: loss(z, truth.targets).mean())
    testing.check_task(giving(whole))
    wrong = replace(
        whole,
        objective=lambda ask, pixels, truth, loss, share: ask(pixels).logits.sum() / 0,
    )
    broken(testing.check_task, wrong, "finite")


class Net(torch.nn.Linear):
    """Gives the logits of mean pixels; a batch norm, if any, never stops learning."""

    def __init__(self, change):
        super().__init__(2, 3)
        self.change = change

    def forward(self, pixels, asked=Asked.LOGITS):
        logits = self.change(super().forward(pixels.mean((2, 3))))
        return Output(logits, None, logits if Asked.EMBEDDING in asked else None)


def test_nets():
    def net(change):
        return lambda channels, classes: Net(change)

    broken(testing.check_net, net(lambda logits: logits[:, :2]), "item, class")
    broken(testing.check_net, net(lambda logits: logits / 0), "finite")
    broken(testing.check_net, net(lambda logits: logits - logits.mean(0)), "its company")


def test_segmenters():
    plain = grid.build(16)

    def nuclei_elsewhere(field):
        masks = plain(field)
        return Masks(masks.cells, np.roll(masks.nuclei, 3, 0))

    def signed(field):
        masks = plain(field)
        return Masks(masks.cells.astype(np.int32), masks.nuclei)

    def cut(field):
        masks = plain(field)
        return Masks(masks.cells[:-1], masks.nuclei[:-1])

    broken(testing.check_segmenter, nuclei_elsewhere, "nucleus lies in the cell")
    broken(testing.check_segmenter, signed, "uint16")
    broken(testing.check_segmenter, cut, "height and width")


def test_a_segmenter_may_refuse_an_odd_field_but_not_crash():
    plain = grid.build(16)

    def refuses(field):
        if field.site_id != "discs":
            raise InputError("odd", code="odd")
        return plain(field)

    def crashes(field):
        if field.site_id == "empty":
            raise IndexError("no pixel")
        return plain(field)

    testing.check_segmenter(giving(refuses))
    with pytest.raises(IndexError):
        testing.check_segmenter(giving(crashes))


def test_scorers():
    flat = Scorer("cell", lambda predictor, pixels: predictor(pixels.crops).logits)
    broken(testing.check_scorer, flat, "view, cell, class")
    fields = Scorer("site", lambda predictor, pixels: predictor(pixels.field[None]).logits[None])
    broken(testing.check_scorer, fields, "3, 3")
    nothing = Scorer("cell", lambda p, pixels: p(pixels.crops).logits[None] / 0)
    broken(testing.check_scorer, nothing, "finite")
    vectors = Scorer("cell", lambda p, seen: p(seen.vectors).logits[None], items="vectors")
    testing.check_scorer(giving(vectors))
    broken(testing.check_scorer, replace(vectors, items="pixels"), "3, 3")
    mapped = replace(fields, gives="site", class_map=lambda p, pixels: pixels.field[0])
    broken(testing.check_scorer, mapped, "class, y, x")


class ClosedLearner:
    """A learner with one part of it changed."""

    def __init__(self, made, answer=lambda found: found, seed=0):
        self.made, self.answer, self.seed = made, answer, seed

    def fit(self, vectors, labels, weights, seed):
        fitted = self.made.fit(vectors, labels, weights, seed)
        return SimpleNamespace(
            predict=lambda new: self.answer(fitted.predict(new)), arrays=fitted.arrays
        )

    def out_of_fold(self, vectors, folds, seed):
        return self.made.out_of_fold(vectors, folds, seed)

    def restore(self, arrays):
        return self.made.restore(arrays)


def test_learners():
    plain = kernel_ridge.build()

    class Leaky(ClosedLearner):
        def out_of_fold(self, vectors, folds, seed):
            return lambda labels: (labels + 0.1 * labels.mean()).clip(0, 1)

    broken(testing.check_learner, ClosedLearner(plain, lambda p: p[:, :2]), "cell, class")
    broken(testing.check_learner, ClosedLearner(plain, lambda p: p * 2), "0..1")
    broken(testing.check_learner, ClosedLearner(plain, lambda p: p * np.nan), "finite")
    broken(testing.check_learner, ClosedLearner(plain, lambda p: 1 - p), "tells classes apart")
    broken(testing.check_learner, ClosedLearner(plain, lambda p: p * 0.5), "restored")
    broken(testing.check_learner, Leaky(plain), "own fold")
    broken(testing.check_learner, plain.fit, "gives a Learner")


def test_labellers():
    plain = inherit.build()

    def changed(**parts):
        return lambda bags: replace(plain(bags), **{k: f(bags) for k, f in parts.items()})

    broken(testing.check_labeller, changed(label=lambda b: b.inherited * 2), "0..1")
    broken(testing.check_labeller, changed(label=lambda b: b.inherited[1:]), "cell, class")
    broken(testing.check_labeller, changed(label=lambda b: b.scores * 0), "finite")
    broken(testing.check_labeller, changed(weight=lambda b: -np.ones(len(b.site))), "0 or more")
    broken(testing.check_labeller, changed(reason=lambda b: ("x",)), "has a reason")


def test_deciders():
    plain = temperature.build()

    def changed(**parts):
        return lambda evidence: replace(plain(evidence), **parts)

    broken(testing.check_decider, changed(temperatures=(1.0,)), "for each class")
    broken(testing.check_decider, changed(temperatures=(0.0, 1.0, 1.0)), "above 0")
    broken(testing.check_decider, changed(biases=(np.nan, 0.0, 0.0)), "finite")
    broken(testing.check_decider, changed(pooling="sum"), "pooling")
    broken(testing.check_decider, changed(calibration="yes"), "calibration")

    def by_order(evidence):
        return replace(plain(evidence), biases=tuple(evidence.logits[0].tolist()))

    broken(testing.check_decider, by_order, "order of the cells")


def test_adjusters():
    broken(testing.check_adjuster, lambda z, cells: z[:, :1], "cell, class")
    broken(testing.check_adjuster, lambda z, cells: np.where(abs(z) > 99, np.inf, z), "finite")
    broken(testing.check_adjuster, lambda z, cells: z + np.arange(len(z))[:, None], "order")


def test_splitters():
    plain = grouped.build()
    broken(testing.check_splitter, lambda given: np.arange(26) % 3, "group stays whole")
    broken(testing.check_splitter, lambda given: np.zeros(26, int), "every fold")
    broken(testing.check_splitter, lambda given: plain(given) + 1, "folds are")

    def never_refuses(given):
        return plain(replace(given, folds=min(given.folds, 3)))

    broken(testing.check_splitter, never_refuses, "refused with PreflightError")


def test_layouts(tmp_path):
    folder = put(tmp_path, "p/a.tif", "p/b.tif")
    plain = single_channel.build()

    def arranging(planes, unmatched=()):
        return Layout(plain.recognise, lambda listing: Arrangement(tuple(planes), unmatched))

    broken(testing.check_layout, Layout(lambda _: None, plain.arrange), "own folder", folder)
    one, two = (Plane(n, n, "image", f"p/{n}.tif") for n in "ab")
    broken(testing.check_layout, arranging([one]), "every image", folder)
    broken(testing.check_layout, arranging([one, replace(two, path="c.tif")]), "images of", folder)
    broken(testing.check_layout, arranging([one, replace(two, site_id="a")]), "one place", folder)
    broken(testing.check_layout, arranging([one, replace(two, channel="")]), "channel", folder)


def test_exporters():
    plain = cells_csv.build()

    def nothing(run, path):
        if not run.predictions.exists():
            plain(run, path)

    def two(run, path):
        plain(run, path)
        path.with_name("log").write_text("done")

    def careless(run, path):
        Path(path).write_text("x")

    def unlooked(run, path):
        path.write_bytes(run.predictions.read_bytes())

    def changes(run, path):
        plain(run, path)
        (run.path / "mark").touch()

    broken(testing.check_exporter, nothing, "writes the file")
    broken(testing.check_exporter, two, "leaves no other")
    broken(testing.check_exporter, careless, "refused with PreflightError")
    broken(testing.check_exporter, unlooked, "refused with PreflightError.*FileNotFoundError")
    broken(testing.check_exporter, changes, "run stays")
