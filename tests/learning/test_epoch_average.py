"""The mean of weights over epochs: against torch's own, and gone when it is not looked at."""

import copy

import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, update_bn

from cellwise.learning._epoch_average import EpochAverage


def net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten())


def show(own, data):
    for some in data:
        own(some)


def test_weights_and_batch_statistics_are_those_of_torch():
    own, data = net(), [torch.randn(6, 2, 5, 5) + k for k in range(3)]
    average, theirs = EpochAverage(own, begin=2), AveragedModel(own)
    for epoch in range(5):
        with torch.no_grad():
            for weight in own.parameters():
                weight.add_(torch.randn_like(weight))
        average.update(own, epoch)
        if epoch >= 2:
            theirs.update_parameters(own)
    update_bn(data, theirs)
    before = copy.deepcopy(own.state_dict())
    own.eval()
    with average.in_place_of(own, lambda: show(own, data)):
        assert not own.training
        for name, value in theirs.module.state_dict().items():
            if value.is_floating_point():
                assert torch.allclose(own.state_dict()[name], value, atol=1e-6), name
    for name, value in own.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_before_it_begins_the_weights_are_their_own():
    own = net()
    average = EpochAverage(own, begin=3)
    average.update(own, 2)
    shown = []
    with average.in_place_of(own, lambda: shown.append(1)):
        pass
    assert not shown


def test_a_checkpoint_goes_on_where_it_was():
    own = net()
    average = EpochAverage(own, begin=1)
    average.update(own, 1)
    kept = copy.deepcopy(average.state())
    other = EpochAverage(net(), begin=1)
    other.restore(1, copy.deepcopy(average.values))
    assert kept["count"] == 1
    with torch.no_grad():
        for weight in own.parameters():
            weight.mul_(3)
    average.update(own, 2)
    other.update(own, 2)
    for name, value in average.values.items():
        assert torch.equal(value, other.values[name])
    assert average.count == other.count == pytest.approx(2)
