"""Two heads on one embedding and the loss of both: against their layers, computed one by one."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import cross_entropy, one_hot

from cellwise.contracts.batch import Pool
from cellwise.contracts.loss import ForTwoHeads, bound_loss
from cellwise.contracts.network import Asked, Output
from cellwise.errors import BadOption
from cellwise.learning.labelled import make_lesson
from cellwise.learning.lesson import Turn
from cellwise.learning.material import Material, Method
from cellwise.learning.plan import Plan
from cellwise.parts.heads import heads
from cellwise.parts.losses import losses
from cellwise.parts.normalise import Normalisation
from cellwise.parts.optimisers import optimisers
from cellwise.parts.schedules import schedules
from cellwise.parts.tasks import tasks
from cellwise.stages.train.spec import Options

BOTH = [{"name": "softmax", "none": False}, "arcface"]
HEAD = {"name": "softmax_and_arcface", "size": 6}


def test_logits_and_cosines_come_of_one_embedding():
    torch.manual_seed(0)
    head = heads.build(HEAD)(5, 4).eval()
    features = torch.randn(3, 5, 2, 2)
    with torch.no_grad():
        found = head(features, Asked.LOGITS | Asked.EMBEDDING | Asked.COSINES)
    weights = {name: value.numpy() for name, value in head.state_dict().items()}
    seen = features.mean((2, 3)).numpy() / np.sqrt(1 + 1e-5)
    hidden = np.maximum(seen @ weights["neck.1.weight"].T, 0) / np.sqrt(1 + 1e-5)
    embedding = hidden @ weights["neck.4.weight"].T / np.sqrt(1 + 1e-5)
    np.testing.assert_allclose(found.embedding.numpy(), embedding, atol=1e-5)
    logits = embedding @ weights["score.weight"].T + weights["score.bias"]
    np.testing.assert_allclose(found.logits.numpy(), logits, atol=1e-5)
    for row, own in enumerate(embedding):
        for place, direction in enumerate(weights["direction"]):
            cosine = own @ direction / np.linalg.norm(own) / np.linalg.norm(direction)
            assert float(found.cosines[row, place]) == pytest.approx(32 * cosine, abs=1e-4)
    with pytest.raises(LookupError, match="cosines"):
        _ = head(features).cosines
    with pytest.raises(BadOption, match="no map"):
        head(features, Asked.CLASS_MAP)


class Both:
    """A network that is asked for both heads and says what it was made with."""

    def __init__(self, logits, cosines):
        self.logits, self.cosines = logits, cosines

    def __call__(self, items, asked=None, *, of=None, covariates=None):
        assert asked == Asked.LOGITS | Asked.COSINES
        return Output(self.logits, cosines=self.cosines)

    def together(self, rows, of):
        return rows


@given(st.integers(0, 999), st.sampled_from([(0.8, 0.2), (0.8, 0.1), (0.0, 1.0), (1.0, 0.0)]))
@settings(max_examples=25)
def test_a_batch_costs_so_much_of_one_loss_and_so_much_of_the_other(seed, weights):
    rng = np.random.default_rng(seed)
    logits, cosines = (torch.from_numpy(rng.normal(size=(4, 5))) for _ in range(2))
    cosines = 32 * torch.tanh(cosines)
    answers = rng.integers(5, size=4)
    targets = np.eye(5, dtype=np.float32)[answers]
    loss = losses.build({"name": "two_heads", "of": BOTH, "weights": list(weights)})
    assert isinstance(loss, ForTwoHeads)
    task = tasks.build({"name": "tile", "size": 32, "tile": 16})
    first, second = bound_loss(loss.first, ()), bound_loss(loss.second, ())
    method = Method(task, first, (), Normalisation("self", (0.0,), (1.0,)),
                    np.ones((2, 5), np.float32), 4, (second, loss.weights))  # fmt: skip
    pool = Pool(np.arange(4))
    pixels = rng.random((4, 1, 32, 32)).astype(np.float32)
    material = Material(pool, targets, np.ones(4, np.float32), targets, lambda at: pixels[at])
    made = (optimisers.build("adam"), schedules.build("constant"))
    lesson = make_lesson(material, method, Plan(1, 0.1, 0.0, *made, seed=0))
    order = np.array([2, 0, 3, 1])

    ask = Both(logits[order], cosines[order])
    turn = Turn(0, 0, order)
    found = lesson.batch_loss(ask, lesson.draw(turn), turn, 0.0)
    truth = torch.from_numpy(answers)
    moved = torch.arccos(cosines / 32) + 0.5 * one_hot(truth, 5)
    # Beyond half a turn the line of the easy form goes on.
    easy = cosines - 32 * 0.5 * np.sin(np.pi - 0.5)
    angular = torch.where(moved < np.pi, 32 * torch.cos(moved), easy)
    wanted = weights[0] * cross_entropy(logits, truth) + weights[1] * cross_entropy(angular, truth)
    assert float(found) == pytest.approx(float(wanted), rel=1e-4)


def test_what_has_not_two_heads_is_refused():
    loss = {"name": "two_heads", "of": BOTH}
    with pytest.raises(BadOption, match="softmax_and_arcface"):
        Options.of({"task": "tile", "loss": loss, "net": {"name": "backbone", "head": "arcface"}})
    Options.of({"task": "tile", "loss": loss, "net": {"name": "backbone", "head": HEAD}})
    for wrong in ({"of": ["softmax"]}, {"of": BOTH, "weights": [1, -1]}, {"of": [loss, "softmax"]}):
        with pytest.raises(BadOption, match="two losses of one head"):
            losses.build({"name": "two_heads", **wrong})
    with pytest.raises(BadOption, match="no part of one"):
        losses.build({"name": "weighted_sum", "of": [loss, "softmax"]})
