"""The consistency task: the loss of agreement, when it counts, and that it follows the seed."""

import pytest
import torch
from torch import nn

from cellwise.contracts.network import Asked, Output
from cellwise.contracts.task import Truth, item_loss
from cellwise.errors import BadOption
from cellwise.parts.losses import losses
from cellwise.parts.nets import nets
from cellwise.parts.tasks import tasks
from cellwise.parts.tasks.consistency import disagreement

BCE = losses.build("bce")
EVEN = torch.ones(2, 1)


class Corner(nn.Module):
    """Answers by the upper left corner: another one for every view."""

    def forward(self, pixels, asked=Asked.LOGITS):
        logits = 40 * (pixels[:, :1, :4, :4].mean((2, 3)) - 0.5)
        return Output(logits)


def truth(count):
    targets = torch.ones(count, 1)
    return Truth(targets, torch.ones(count), targets, EVEN)


def objective(net, pixels, done, **options):
    task = tasks.build({"name": "consistency", "harder": ["dihedral"], "sure": 0.5, **options})
    return task.objective(net, pixels, truth(len(pixels)), BCE, done).item()


def test_disagreement_by_hand():
    plain = torch.tensor([[3.0, 0.0], [-3.0, 0.2]])
    harder = torch.tensor([[0.0, 5.0], [-3.0, -5.0]])
    # Two of four labels are sure, and one of them changed.
    sure = 1 / (1 + torch.exp(torch.tensor(-3.0)))
    assert disagreement(harder, plain, 0.9).item() == pytest.approx((sure.item() - 0.5) ** 2 / 2)
    assert disagreement(harder, plain, 0.99).item() == 0


def test_agreement_counts_more_and_more():
    pixels = torch.rand(6, 1, 16, 16)
    net = Corner()
    own = item_loss(net(pixels).logits, truth(6), BCE).item()
    values = []
    for done in (0.0, 0.2, 0.4, 0.9):
        torch.manual_seed(1)
        values.append(objective(net, pixels, done) - own)
    assert values[0] == 0
    assert 0 < values[1] < values[2]
    assert values[1] == pytest.approx(values[2] / 2, rel=1e-4)
    assert values[3] == pytest.approx(values[2])


def test_a_net_that_does_not_care_for_views_agrees_with_itself():
    class Mean(nn.Module):
        def forward(self, pixels, asked=Asked.LOGITS):
            logits = pixels.mean((1, 2, 3))[:, None]
            return Output(logits)

    pixels = torch.rand(3, 1, 16, 16)
    assert objective(Mean(), pixels, 1.0) == pytest.approx(objective(Mean(), pixels, 0.0))


def test_the_view_follows_the_state_of_torch_alone():
    pixels = torch.rand(4, 1, 16, 16)
    found = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        found.append(objective(Corner(), pixels, 1.0))
    assert found[0] == found[1] != found[2]


@pytest.mark.parametrize(
    ("size", "unit", "labels"), [(0, "cell", "needed"), (64, "site", "unused")]
)
def test_crops_or_whole_fields(size, unit, labels):
    task = tasks.build({"name": "consistency", "size": size})
    assert (task.unit, task.size, task.cell_labels) == (unit, size or None, labels)


def test_the_tiny_net_learns():
    torch.manual_seed(0)
    pixels = torch.rand(8, 1, 32, 32)
    pixels[::2, :, 10:20, 8:24] += 2
    targets = torch.tensor([[1.0], [0.0]]).repeat(4, 1)
    batch = Truth(targets, torch.ones(8), targets, EVEN)
    net = nets.build({"name": "tiny", "width": 8})(1, 1)
    optimiser = torch.optim.Adam(net.parameters(), lr=0.01)
    task = tasks.build("consistency")
    values = []
    for step in range(40):
        batch_loss = task.objective(net, pixels, batch, BCE, step / 40)
        optimiser.zero_grad()
        batch_loss.backward()
        optimiser.step()
        values.append(batch_loss.item())
    assert values[-1] < 0.3 * values[0]


@pytest.mark.parametrize(
    "options",
    [
        {"size": 7},
        {"size": 64, "per_site": 3},
        {"weight": -1.0},
        {"rise": 0.0},
        {"sure": 0.4},
        {"harder": ["swap_landmark"]},
    ],
    ids=str,
)
def test_settings_that_cannot_be_are_refused(options):
    with pytest.raises(BadOption):
        tasks.build({"name": "consistency", **options})


def test_no_gradient_goes_through_the_plain_view():
    plain = torch.randn(4, 3, requires_grad=True)
    harder = torch.randn(4, 3, requires_grad=True)
    disagreement(harder, plain, 0.5).backward()
    assert plain.grad is None
    assert harder.grad.abs().sum() > 0
