"""The puzzle task: cutting and stitching, the loss by a slow computation, and its refusals."""

import pytest
import torch
from torch import nn

from cellwise.contracts.network import Asked, Output
from cellwise.contracts.task import Truth
from cellwise.errors import BadOption
from cellwise.parts.losses import losses
from cellwise.parts.nets import nets
from cellwise.parts.tasks import tasks
from cellwise.parts.tasks.puzzle import quarters, stitch


class Local(nn.Module):
    """Two classes; each place of the map is the mean of its own 4 x 4 pixels."""

    def forward(self, pixels, asked=Asked.LOGITS):
        class_map = nn.functional.avg_pool2d(pixels, 4)
        return Output(class_map.mean((2, 3)), class_map)


class Global(Local):
    """The same, times what the whole image shows: quarters see it differently."""

    def forward(self, pixels, asked=Asked.LOGITS):
        class_map = nn.functional.avg_pool2d(pixels, 4) * pixels.mean((2, 3), keepdim=True)
        return Output(class_map.mean((2, 3)), class_map)


def truth(targets):
    targets = torch.tensor(targets)
    even = torch.ones(2, targets.shape[1])
    return Truth(targets, torch.ones(len(targets)), targets, even)


def total(net, pixels, done, targets=((1.0, 0.0), (0.0, 1.0), (0.0, 0.0)), **options):
    task = tasks.build({"name": "puzzle", "size": 32, **options})
    loss = losses.build({"name": "focal", "gamma": 1.0})
    return task.objective(net, pixels, truth(targets), loss, done).item()


def test_stitching_undoes_cutting():
    pixels = torch.rand(3, 2, 8, 12)
    assert quarters(pixels).shape == (12, 2, 4, 6)
    torch.testing.assert_close(quarters(pixels)[3], pixels[0, :, :4, 6:])
    torch.testing.assert_close(stitch(quarters(pixels)), pixels)


def test_a_network_that_looks_at_each_place_alone_agrees_with_itself():
    pixels = torch.rand(3, 2, 32, 32)
    assert total(Local(), pixels, 1.0) == pytest.approx(total(Local(), pixels, 0.0))


@pytest.mark.parametrize("done", [0.0, 0.1, 0.5, 1.0])
def test_the_cost_by_a_slow_computation(done):
    torch.manual_seed(0)
    pixels = 2 * torch.rand(3, 2, 32, 32) * torch.linspace(0.2, 1, 32)
    net = Global()
    whole = net(pixels)
    parts = torch.empty_like(whole.class_map)
    for item in range(3):
        for top in (0, 16):
            for left in (0, 16):
                piece = pixels[item : item + 1, :, top : top + 16, left : left + 16]
                place = parts[item, :, top // 4 : top // 4 + 4, left // 4 : left // 4 + 4]
                place.copy_(net(piece).class_map[0])
    targets = torch.tensor([[1.0, 0], [0, 1], [0, 0]])

    def focal(z):
        p = torch.sigmoid(z)
        wrong = (p - targets).abs()
        return (wrong * -(targets * p.log() + (1 - targets) * (1 - p).log())).mean()

    apart = (
        sum(
            float((whole.class_map[i, c] - parts[i, c]).abs().sum()) * float(targets[i, c])
            for i in range(3)
            for c in range(2)
        )
        / whole.class_map.numel()
    )
    # Beside sums over classes alpha would stand alone; beside means it is shared out.
    alpha = min(4 * done / 0.5, 4) / 2
    expected = focal(whole.logits) + focal(parts.mean((2, 3))) + alpha * apart
    assert apart > 0.01
    assert total(net, pixels, done) == pytest.approx(expected.item(), rel=1e-5)


def test_the_level_of_a_class_activation_map_is_relative():
    pixels = torch.rand(3, 2, 32, 32)
    one = total(Global(), pixels, 1.0, level="cam") - total(Global(), pixels, 0.0, level="cam")
    assert 0 < one <= 4


def test_the_tiny_net_learns_a_puzzle():
    torch.manual_seed(0)
    pixels = torch.rand(4, 1, 64, 64)
    targets = ((1.0,), (0.0,), (1.0,), (0.0,))
    pixels[::2, :, 20:40, 8:30] += 2
    net = nets.build({"name": "tiny", "width": 8})(1, 1)
    optimiser = torch.optim.Adam(net.parameters(), lr=0.01)
    task, loss = tasks.build({"name": "puzzle", "size": 64}), losses.build("bce")
    values = []
    for step in range(40):
        found = task.objective(net, pixels, truth(targets), loss, step / 40)
        optimiser.zero_grad()
        found.backward()
        optimiser.step()
        values.append(found.item())
    assert values[-1] < 0.3 * values[0]


def test_a_size_whose_quarters_do_not_fit_is_refused():
    with pytest.raises(BadOption, match="stride"):
        total(Local(), torch.rand(3, 2, 36, 36), 0.0)


def test_a_cost_that_is_no_number_is_not_blamed_on_the_head():
    pixels = torch.full((3, 2, 32, 32), float("nan"))
    assert total(Global(), pixels, 1.0) != total(Global(), pixels, 1.0), "not a number"


@pytest.mark.parametrize("head", ["embedding", "cosine", {"name": "class_map", "pool": "max"}])
def test_a_head_whose_map_is_not_its_answer_is_refused(head):
    spec = {"name": "backbone", "model": "resnet10t", "head": head}
    torch.manual_seed(0)
    net = nets.build(spec)(2, 2)
    with pytest.raises(BadOption, match="class_map with pool avg"):
        total(net, torch.rand(3, 2, 64, 64), 0.5, size=64)


@pytest.mark.parametrize(
    "options", [{"size": 33}, {"alpha": -1.0}, {"rise": 0.0}, {"level": "map"}], ids=str
)
def test_settings_that_cannot_be_are_refused(options):
    with pytest.raises(BadOption):
        tasks.build({"name": "puzzle", **options})
