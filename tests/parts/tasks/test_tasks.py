"""Tasks: the loss of a batch, by hand and by a published value."""

import numpy as np
import pytest
import torch

from cellwise.contracts.task import Truth, label_weights
from cellwise.errors import BadOption
from cellwise.parts.losses import losses
from cellwise.parts.tasks import tasks
from cellwise.parts.tasks.bag import pooled

BAGS = torch.tensor([[[1, -1], [0, 2]], [[-0.5, 0.3], [0.7, -0.2]]])
FIELDS = torch.tensor([[1.0, 0], [0, 1]])
EVEN = torch.ones(2, 2)
BCE = losses.build("bce")


def test_the_bag_cost_agrees_with_the_published_form():
    task = tasks.build({"name": "bag", "cells": 2, "cell_weight": 0.0})
    truth = Truth(torch.zeros(4, 2), torch.zeros(4), FIELDS, EVEN)
    assert task.batch_loss(BAGS.reshape(4, 2), truth, BCE).item() == pytest.approx(
        0.962597, abs=1e-6
    )


def test_the_bag_cost_is_four_parts_maximum_and_one_part_mean():
    task = tasks.build({"name": "bag", "cell_weight": 0.0})
    truth = Truth(torch.zeros(4, 2), torch.zeros(4), FIELDS, EVEN)
    total = 0.0
    for bag, field in zip(BAGS.tolist(), FIELDS.tolist(), strict=True):
        for c, wanted in enumerate(field):
            logits = [cell[c] for cell in bag]
            for weight, z in ((4, max(logits)), (1, sum(logits) / 2)):
                z = torch.tensor(z)
                total += weight * float(torch.nn.functional.softplus(z) - z * wanted)
    assert task.batch_loss(BAGS.reshape(4, 2), truth, BCE).item() == pytest.approx(total / 5 / 4)


def test_the_cell_term_counts_only_where_cells_have_labels():
    task = tasks.build({"name": "bag", "cell_weight": 0.5})
    plain = tasks.build({"name": "bag", "cell_weight": 0.0})
    logits = BAGS.reshape(4, 2)
    without = Truth(torch.zeros(4, 2), torch.zeros(4), FIELDS, EVEN)
    torch.testing.assert_close(
        task.batch_loss(logits, without, BCE), plain.batch_loss(logits, without, BCE)
    )
    labelled = Truth(torch.ones(4, 2), torch.tensor([1.0, 0, 0, 0]), FIELDS, EVEN)
    own = BCE(logits[:1], torch.ones(1, 2)).mean()
    torch.testing.assert_close(
        task.batch_loss(logits, labelled, BCE), plain.batch_loss(logits, labelled, BCE) + 0.5 * own
    )


def test_a_cell_counts_as_much_as_its_weight():
    task = tasks.build("cell")
    logits, targets = torch.tensor([[0.3], [-2.0]]), torch.tensor([[0.7], [1.0]])
    truth = Truth(targets, torch.tensor([3.0, 1.0]), targets, torch.ones(2, 1))
    per_item = BCE(logits, targets)[:, 0]
    expected = (3 * per_item[0] + per_item[1]) / 4
    torch.testing.assert_close(task.batch_loss(logits, truth, BCE), expected)


def test_a_rare_class_can_be_made_to_count_as_much_as_its_absence():
    task = tasks.build("image")
    logits, targets = torch.zeros(4, 1), torch.tensor([[1.0], [0], [0], [0]])
    class_weights = torch.tensor([[0.5 / 0.75], [0.5 / 0.25]])
    logits[0] = 2.0
    truth = Truth(targets, torch.ones(4), targets, class_weights)
    per_item = BCE(logits, targets)
    expected = (per_item[:1].mean() + per_item[1:].mean()) / 2
    torch.testing.assert_close(task.batch_loss(logits, truth, BCE), expected)


def test_where_classes_exclude_each_other_an_item_weighs_as_much_as_its_class():
    """Three of one class and one of another: the rare one weighs as much as the three."""
    task, softmax = tasks.build("cell"), losses.build("softmax")
    targets = torch.tensor([[1.0, 0], [1, 0], [1, 0], [0, 1]])
    logits = torch.tensor([[0.2, 1.0], [0.7, -1.0], [2.0, 0.0], [0.4, -0.3]])
    share = torch.tensor([0.75, 0.25])
    truth = Truth(targets, torch.ones(4), targets, torch.stack([0.5 / (1 - share), 0.5 / share]))
    per_item = softmax(logits, targets)
    expected = (per_item[:3].mean() + per_item[3]) / 2
    torch.testing.assert_close(task.batch_loss(logits, truth, softmax), expected)


def test_an_item_of_several_labels_weighs_their_mean_and_one_of_none_an_average_class():
    class_weights = torch.tensor([[1.0, 1.0], [2.0, 4.0]])
    targets = torch.tensor([[1.0, 1.0], [0.5, 0.0], [0.0, 0.0], [0.2, 0.6]])
    found = label_weights(torch.zeros(4), targets, class_weights)
    torch.testing.assert_close(found, torch.tensor([3.0, 2.0, 3.0, 3.5]))


@pytest.mark.parametrize("name", ["bag", "cell", "image"])
def test_every_task_takes_a_loss_of_either_kind(name):
    weights = torch.tensor([1.0, 0.0, 2.0, 1.0])
    targets = torch.tensor([[1.0, 0], [0, 1], [0, 0], [1, 1]])
    truth = Truth(targets, weights, FIELDS, EVEN)
    for loss in ("bce", "softmax", "partial_label"):
        batch_loss = tasks.build(name).batch_loss(BAGS.reshape(4, 2), truth, losses.build(loss))
        assert batch_loss.shape == ()
        assert batch_loss.item() > 0


def test_no_labelled_item_has_no_loss_rather_than_nan():
    truth = Truth(torch.zeros(2, 1), torch.zeros(2), torch.zeros(2, 1), torch.ones(2, 1))
    assert tasks.build("cell").batch_loss(torch.ones(2, 1), truth, BCE).item() == 0


@pytest.mark.parametrize("spec", [{"name": "image", "size": 3}, {"name": "bag", "cell_weight": -1}])
def test_impossible_settings_are_refused(spec):
    with pytest.raises(BadOption):
        tasks.build(spec)


def test_the_noisy_or_is_one_minus_the_product_and_attention_a_weighted_mean():
    logits = torch.tensor(np.random.default_rng(0).normal(0, 3, (5, 7, 3)))
    chance = 1 - (1 - torch.sigmoid(logits)).prod(1)
    assert torch.allclose(torch.sigmoid(pooled(logits, "noisy_or")), chance)
    looks = np.exp(logits.numpy()) / np.exp(logits.numpy()).sum(1, keepdims=True)
    slow = (looks * logits.numpy()).sum(1)
    assert torch.allclose(pooled(logits, "attention"), torch.tensor(slow))


@pytest.mark.parametrize("level", [-90.0, 90.0])
def test_the_noisy_or_of_certain_cells_is_finite_and_has_a_gradient(level):
    logits = torch.full((1, 4, 1), level, requires_grad=True)
    found = pooled(logits, "noisy_or")
    found.sum().backward()
    assert torch.isfinite(found).all()
    assert torch.isfinite(logits.grad).all()
    assert (found > 0) == (level > 0)


def test_an_unknown_pool_is_refused():
    with pytest.raises(BadOption, match="max_mean, noisy_or, attention, not 'mean'"):
        tasks.build({"name": "bag", "pool": "mean"})
