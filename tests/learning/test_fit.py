"""The trainer on a lesson of its own: order, loaders, errors, and any shape of item."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from cellwise.contracts.batch import Pool
from cellwise.contracts.network import Asked, Output
from cellwise.errors import InputError
from cellwise.learning.fit import fit
from cellwise.learning.labelled import make_lesson
from cellwise.learning.lesson import Lesson, Turn
from cellwise.learning.material import Material, Method
from cellwise.learning.plan import Place, Plan
from cellwise.learning.ranks import Ranks
from cellwise.parts.augment import augmentations
from cellwise.parts.losses import losses
from cellwise.parts.nets import nets
from cellwise.parts.normalise import fit as fit_normalisation
from cellwise.parts.optimisers import optimisers
from cellwise.parts.schedules import schedules
from cellwise.parts.tasks import tasks


def plan(**options):
    parts = (optimisers.build("sgd"), schedules.build("one_cycle"))
    return Plan(3, 0.05, 0.0, *parts, 7, **options)


class Linear(nn.Module):
    """Logits of vectors; knows no map of places."""

    def __init__(self, features, classes):
        super().__init__()
        self.head = nn.Linear(features, classes)

    def forward(self, items, asked=Asked.LOGITS):
        return Output(self.head(items))


def material(items, seed=0):
    rng = np.random.default_rng(seed)
    targets = rng.integers(0, 2, (len(items), 2)).astype(np.float32)
    weights = np.ones(len(items), np.float32)
    return Material(
        Pool(np.arange(len(items)) // 2), targets, weights, targets, lambda at: items[at]
    )


def method(items, task="cell", augment=()):
    normalisation = fit_normalisation(torch.from_numpy(items), "standard")
    changes = tuple(augmentations.build(spec) for spec in augment)
    bound = tuple(lambda x, t, rngs, change=change: (change(x, rngs), t) for change in changes)
    even = np.ones((2, 2), np.float32)
    return Method(tasks.build(task), losses.build("bce"), bound, normalisation, even, 4)


def pixels():
    return np.random.default_rng(1).random((14, 3, 16, 16), np.float32)


def train(tmp_path, name, lesson, net=None, **options):
    torch.manual_seed(0)
    net = net or nets.build({"name": "tiny", "width": 8})(3, 2)
    return fit(net, lesson, plan(**options), Place(tmp_path / name, lambda done, note: None))


def same(one, two):
    return one.losses == two.losses and all(
        np.array_equal(one.weights[name], two.weights[name]) for name in one.weights
    )


@pytest.mark.parametrize("on_device", [False, True])
def test_loaders_and_the_place_of_augmentation_change_no_bit(tmp_path, on_device):
    items = pixels()
    way = method(items, augment=("dihedral", "affine", "gain"))
    lessons = [make_lesson(material(items), way, plan(), on_device=at) for at in (False, on_device)]
    one = train(tmp_path, "one", lessons[0])
    two = train(tmp_path, "two", lessons[1], loaders=2)
    assert same(one, two)
    other = train(tmp_path, "three", make_lesson(material(items), method(items), plan()))
    assert one.losses != other.losses, "augmentation matters"


def test_vectors_are_items_like_any_other(tmp_path):
    rng = np.random.default_rng(0)
    vectors = rng.normal(3, 2, (40, 5)).astype(np.float32)
    known = material(vectors)
    known.targets[:] = vectors[:, :2] > 3
    lesson = make_lesson(known, method(vectors), plan(), validation=known)
    found = train(tmp_path, "vectors", lesson, Linear(5, 2))
    assert found.losses[-1] < found.losses[0]
    assert len(found.validation) == 3
    bags = make_lesson(known, method(vectors, {"name": "bag", "cells": 3}), plan())
    assert np.isfinite(train(tmp_path, "bags", bags, Linear(5, 2)).losses).all()


@pytest.mark.parametrize("loaders", [0, 2])
def test_turns_come_in_order_and_epochs_differ(tmp_path, loaders):
    seen = []

    def order(epoch):
        return list(np.arange(6).reshape(3, 2) + 10 * epoch)

    def draw(turn):
        return (torch.tensor(turn.positions, dtype=torch.float32)[:, None],)

    def batch_loss(ask, drawn, turn, done):
        seen.append((turn.epoch, turn.number, drawn[0].flatten().tolist()))
        return ask(drawn[0]).logits.square().mean()

    train(tmp_path, "order", Lesson(order, draw, batch_loss), Linear(1, 1), loaders=loaders)
    wanted = [
        (epoch, number, [10.0 * epoch + 2 * number, 10.0 * epoch + 2 * number + 1])
        for epoch in range(3)
        for number in range(3)
    ]
    assert seen == wanted


@pytest.mark.parametrize("loaders", [0, 2])
def test_an_error_of_a_loader_arrives_as_what_it_is(tmp_path, loaders):
    def draw(turn):
        raise InputError("Half a file.", code="truncated", path="a.tif")

    lesson = Lesson(lambda epoch: [np.arange(2)], draw, lambda *_: None)
    with pytest.raises(InputError, match="Half a file") as caught:
        train(tmp_path, "broken", lesson, Linear(1, 1), loaders=loaders)
    assert (caught.value.code, caught.value.path) == ("truncated", "a.tif")


@pytest.mark.parametrize("task", ["cell", {"name": "bag", "cells": 3}])
def test_each_rank_draws_its_share_of_what_one_process_draws(monkeypatch, task):
    """The same crops, changed in the same way, and cells met twice in a bag each in their own."""
    from cellwise.learning import labelled

    items, drawn = pixels(), []
    for ranks in (Ranks(), Ranks(0, 2), Ranks(1, 2)):
        monkeypatch.setattr(labelled, "Ranks", SimpleNamespace(here=lambda ranks=ranks: ranks))
        lesson = make_lesson(material(items), method(items, task, ("affine", "gain")), plan())
        turn = Turn(1, 0, lesson.order(1)[0])
        drawn.append(lesson.draw(turn))
    for whole, first, second in zip(*drawn, strict=True):
        torch.testing.assert_close(torch.cat([first, second]), whole, rtol=0, atol=0)
