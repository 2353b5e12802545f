"""The loss of samples of several sites and a control: against a walk over samples."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import cross_entropy

from cellwise.contracts.task import Truth
from cellwise.errors import BadOption
from cellwise.parts.losses import losses
from cellwise.parts.tasks import tasks

SOFTMAX = losses.build({"name": "softmax", "none": False})
TILE = {"name": "tile", "size": 64, "tile": 32}


@given(st.integers(1, 3), st.sampled_from([0.0, 0.1, 0.7]), st.integers(1, 5), st.integers(0, 99))
@settings(max_examples=40)
def test_logits_of_a_well_are_averaged_and_its_control_weighs_as_told(sites, control, count, seed):
    torch.manual_seed(seed)
    each = sites + (control > 0)
    answers = torch.randint(5, (count,)).repeat_interleave(each)
    beside = torch.randint(5, (count,))
    if control:
        answers[each - 1 :: each] = beside
    logits = torch.randn(count * each, 5, dtype=torch.float64)
    targets = torch.nn.functional.one_hot(answers, 5).double()
    truth = Truth(targets, torch.ones(len(logits)), targets[::each], torch.ones(2, 5))
    task = tasks.build({**TILE, "sites": sites, "control": control})
    found = task.batch_loss(logits, truth, SOFTMAX)
    total = 0.0
    for sample in range(count):
        own = logits[sample * each : (sample + 1) * each]
        wanted = answers[sample * each : sample * each + 1]
        total += float(cross_entropy(own[:sites].mean(0)[None], wanted))
        if control:
            total += control * float(cross_entropy(own[-1:], beside[sample : sample + 1]))
    assert float(found) == pytest.approx(total / count, rel=1e-6)


def test_labels_that_were_mixed_are_shared_by_the_sites_of_a_well():
    logits = torch.randn(2, 3)
    targets = torch.tensor([[1.0, 0, 0], [0.4, 0.6, 0]])
    truth = Truth(targets, torch.ones(2), targets[:1], torch.ones(2, 3))
    found = tasks.build({**TILE, "sites": 2}).batch_loss(logits, truth, SOFTMAX)
    own = torch.log_softmax(logits.mean(0), 0)
    assert float(found) == pytest.approx(-float(0.7 * own[0] + 0.3 * own[1]), rel=1e-5)


def test_a_single_site_without_a_control_is_a_sample_by_itself():
    task = tasks.build(TILE)
    assert task.tile == 32
    for wrong in ({"sites": 0}, {"control": -0.1}):
        with pytest.raises(BadOption, match="at least 1"):
            tasks.build({**TILE, **wrong})
