"""The task of vectors: the losses are those of single cells and of bags."""

import numpy as np
import pytest
import torch

from cellwise.contracts.batch import Pool, When
from cellwise.contracts.task import Truth, item_loss
from cellwise.errors import BadOption
from cellwise.parts.losses import losses
from cellwise.parts.tasks import tasks


def truth():
    targets = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [0.0, 0.0]])
    return Truth(targets, torch.tensor([1.0, 0.5, 1.0, 0.0]), targets[:2], torch.ones(2, 2))


@pytest.mark.parametrize("loss", ["bce", "softmax"])
def test_single_vectors_cost_what_single_cells_do(loss):
    logits = torch.randn(4, 2)
    found = tasks.build("vectors").batch_loss(logits, truth(), losses.build(loss))
    assert found == item_loss(logits, truth(), losses.build(loss))


def test_bags_of_vectors_cost_what_bags_of_cells_do():
    logits, loss = torch.randn(4, 2), losses.build("bce")
    one = tasks.build({"name": "vectors", "bag": 2, "cell_weight": 0.3})
    other = tasks.build({"name": "bag", "cells": 2, "cell_weight": 0.3})
    assert one.batch_loss(logits, truth(), loss) == other.batch_loss(logits, truth(), loss)
    pool = Pool(np.array([0, 0, 1, 1, 1]))
    for a, b in zip(
        one.sampler(pool, 1, When(1, 2)), other.sampler(pool, 1, When(1, 2)), strict=True
    ):
        np.testing.assert_array_equal(a, b)


def test_what_a_vector_task_says_of_itself():
    assert tasks.build("vectors").items == "vectors"
    assert tasks.build("vectors").cell_labels == "needed"
    assert tasks.build({"name": "vectors", "bag": 4, "cell_weight": 0.0}).cell_labels == "unused"
    assert tasks.build("cell").items == "pixels"
    with pytest.raises(BadOption):
        tasks.build({"name": "vectors", "bag": -1})
