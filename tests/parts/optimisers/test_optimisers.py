"""Optimisers: their groups, a slow computation of the lookahead, and that all go downhill."""

import copy

import pytest
import torch
from torch import nn

from cellwise.contracts.optimiser import SHARE, groups
from cellwise.errors import BadOption
from cellwise.parts.optimisers import optimisers

NAMES = ["adam", "adamw", "sgd", "radam_lookahead", "ranger"]


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Linear(3, 4)
        self.head = nn.Linear(4, 1)

    def forward(self, x):
        return self.head(self.features(x).tanh())


def net():
    torch.manual_seed(0)
    return Net()


def batch():
    rng = torch.Generator().manual_seed(1)
    x = torch.randn(32, 3, generator=rng)
    return x, x.sum(1, keepdim=True)


def steps(model, optimiser, count):
    x, y = batch()
    losses = []
    for _ in range(count):
        loss = (model(x) - y).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    return losses


def test_the_folder_holds_these():
    assert set(NAMES) <= set(optimisers.part_names())


@pytest.mark.parametrize("name", NAMES)
def test_all_go_downhill(name):
    model = net()
    losses = steps(model, optimisers.build(name)(model, 0.01, 0.0), 200)
    assert losses[-1] < 0.7 * losses[0]


def test_every_weight_is_in_one_group_with_the_sources_shares():
    model = net()
    found = optimisers.build("sgd")(model, 0.1, 1e-4).param_groups
    shares = {id(p): g[SHARE] for g in found for p in g["params"]}
    decay = {id(p): g["weight_decay"] for g in found for p in g["params"]}
    expected = {"features.weight": 1, "features.bias": 2, "head.weight": 10, "head.bias": 20}
    assert sum(len(g["params"]) for g in found) == len(shares) == 4
    for name, weight in model.named_parameters():
        assert shares[id(weight)] == expected[name]
        assert decay[id(weight)] == (0 if name.endswith("bias") else 1e-4)


def test_weight_decay_of_biases_stays_where_their_share_is_one():
    assert all(group["weight_decay"] == 0.1 for group in groups(net(), 1.0, 0.1, head=3.0))


def test_lookahead_agrees_with_rectified_adam_and_a_pull_by_hand():
    one, two = net(), net()
    found = optimisers.build({"name": "radam_lookahead", "every": 3, "pull": 0.25})(one, 0.01, 0.1)
    steps(one, found, 9)
    plain = torch.optim.RAdam(two.parameters(), lr=0.01, weight_decay=0.1)
    slow = copy.deepcopy(two.state_dict())
    for _ in range(3):
        steps(two, plain, 3)
        with torch.no_grad():
            for name, weight in two.named_parameters():
                slow[name] = slow[name] + 0.25 * (weight - slow[name])
                weight.copy_(slow[name])
    for name, weight in one.named_parameters():
        torch.testing.assert_close(weight, two.get_parameter(name))


def test_lookahead_goes_on_from_its_state_as_if_undisturbed():
    whole, parted = net(), net()
    make = optimisers.build({"name": "radam_lookahead", "every": 4})
    steps(whole, make(whole, 0.01, 0.0), 10)
    first = make(parted, 0.01, 0.0)
    steps(parted, first, 6)
    again = make(parted, 0.01, 0.0)
    again.load_state_dict(first.state_dict())
    steps(parted, again, 4)
    for name, weight in whole.named_parameters():
        torch.testing.assert_close(weight, parted.get_parameter(name), rtol=0, atol=0)


@pytest.mark.parametrize(
    "spec",
    [
        {"name": "sgd", "momentum": 1.0},
        {"name": "sgd", "momentum": 0.0},
        {"name": "radam_lookahead", "every": 0},
    ],
    ids=str,
)
def test_settings_that_cannot_be_are_refused(spec):
    with pytest.raises(BadOption):
        optimisers.build(spec)


def test_the_lookahead_of_timm_is_another_from_its_first_pull_on():
    """Its slow weights begin with the first pull, ours with the first weights."""
    from timm.optim import Lookahead

    torch.manual_seed(0)
    own = Net()
    other = copy.deepcopy(own)
    x, y = torch.randn(16, 3), torch.randn(16, 1)
    theirs = Lookahead(torch.optim.RAdam(other.parameters(), lr=0.05), alpha=0.5, k=6)
    ours = optimisers.build("radam_lookahead")(own, 0.05, 0.0)
    apart = []
    for _ in range(12):
        for net, optimiser in ((own, ours), (other, theirs)):
            optimiser.zero_grad()
            (net(x) - y).square().mean().backward()
            optimiser.step()
        pairs = zip(own.parameters(), other.parameters(), strict=True)
        apart.append(max(float((a - b).detach().abs().max()) for a, b in pairs))
    assert max(apart[:5]) == 0
    assert min(apart[5:]) > 0.01


def test_ranger_is_torchs_rectified_adam_pulled_back_every_six_steps():
    """With the constants of the source: beta 0.95 and 0.999, eps 1e-5, k 6, alpha 0.5."""
    own, other = net(), net()
    made = optimisers.build("ranger")(own, 0.01, 0.0)
    theirs = torch.optim.RAdam(other.parameters(), lr=0.01, betas=(0.95, 0.999), eps=1e-5)
    slow = [weight.detach().clone() for weight in other.parameters()]
    for step in range(1, 20):
        steps(own, made, 1)
        steps(other, theirs, 1)
        if step % 6 == 0:
            with torch.no_grad():
                for k, weight in enumerate(other.parameters()):
                    slow[k] = slow[k] + 0.5 * (weight - slow[k])
                    weight.copy_(slow[k])
        for one, two in zip(own.parameters(), other.parameters(), strict=True):
            assert torch.allclose(one, two, atol=1e-6), step


@pytest.mark.parametrize("odd", [{"first": 1.0}, {"second": -0.1}, {"least": 0.0}])
def test_constants_of_rectified_adam_that_mean_nothing_are_refused(odd):
    with pytest.raises(BadOption, match="radam_lookahead"):
        optimisers.build({"name": "radam_lookahead", **odd})
