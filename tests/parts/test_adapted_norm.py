"""Statistics of new images: those of one batch of all, in any order, and the net left alone."""

import numpy as np
import pytest
import torch
from torch import nn

from cellwise.parts.adapted_norm import adapt, layers_of, set_statistics, statistics_of


def make_net(seed=0):
    torch.manual_seed(seed)
    net = nn.Sequential(
        nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU(),
        nn.Conv2d(4, 6, 3), nn.BatchNorm2d(6), nn.ReLU(),
        nn.Conv2d(6, 5, 3), nn.BatchNorm2d(5), nn.Flatten(), nn.Linear(5 * 36, 3),
    )  # fmt: skip
    net.train()
    for _ in range(5):
        net(torch.randn(8, 2, 12, 12))
    return net.eval()


def plate(seed, count=10):
    generator = torch.Generator().manual_seed(seed)
    return 3 * torch.randn(count, 2, 12, 12, generator=generator) + 1.5


def looking(net, images, size):
    return lambda: (net(some) for some in torch.split(images, size))


@torch.inference_mode()
def test_one_group_is_one_batch_of_all_images():
    net, images = make_net(), plate(1)
    set_statistics(net, adapt(net, looking(net, images, len(images))))
    torch.testing.assert_close(net(images), make_net().train()(images), atol=1e-4, rtol=1e-4)


@torch.inference_mode()
def test_some_large_groups_are_close_to_it():
    net, images = make_net(), plate(1, 60)
    whole = adapt(net, looking(net, images, 60))
    parts = adapt(net, looking(net, images, 20))
    for name, (mean, variance) in whole.items():
        deviation = np.sqrt(variance)
        assert (abs(parts[name][0] - mean) < 0.1 * deviation).all()
        np.testing.assert_allclose(np.sqrt(parts[name][1]), deviation, rtol=0.1)


@torch.inference_mode()
@pytest.mark.parametrize("size", [1, 4, 10])
def test_answers_do_not_depend_on_order_or_number(size):
    net, images = make_net(), plate(2)
    set_statistics(net, adapt(net, looking(net, images, 10)))
    whole = net(images)
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(size))
    other = make_net()
    set_statistics(other, adapt(other, looking(other, images[order], 10)))
    again = torch.cat([other(some) for some in torch.split(images[order], size)])
    torch.testing.assert_close(again, whole[order], atol=1e-5, rtol=0)


@torch.inference_mode()
def test_the_shift_of_a_plate_is_taken_away():
    """The same cells lit twice as strongly give the same answers once each plate has its own."""
    net, images = make_net(), plate(3)
    bright = 2 * images + 1
    one = adapt(net, looking(net, images, 10))
    two = adapt(net, looking(net, bright, 10))
    plain = (net(images) - net(bright)).abs().mean()
    set_statistics(net, one)
    dark = net(images)
    set_statistics(net, two)
    assert (dark - net(bright)).abs().mean() < 1e-3 < plain


@torch.inference_mode()
def test_the_network_is_left_as_it_was_even_where_looking_fails():
    net, images = make_net(), plate(4)
    before, answer = statistics_of(net), net(images)
    adapt(net, looking(net, images, 10))

    def failing():
        yield net(images)
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        adapt(net, failing)
    for name, (mean, variance) in statistics_of(net).items():
        np.testing.assert_array_equal(mean, before[name][0])
        np.testing.assert_array_equal(variance, before[name][1])
    torch.testing.assert_close(net(images), answer)
    assert not any(layer.training or layer.momentum != 0.1 for layer in layers_of(net).values())
    assert not any(layer._forward_hooks for layer in layers_of(net).values())


def test_nothing_looked_at_changes_nothing():
    net = make_net()
    found = adapt(net, list)
    for name, (mean, _) in statistics_of(net).items():
        np.testing.assert_array_equal(found[name][0], mean)


def test_layers_without_statistics_are_no_business_of_it():
    assert not layers_of(
        nn.Sequential(nn.GroupNorm(1, 2), nn.BatchNorm2d(2, track_running_stats=False))
    )


@torch.inference_mode()
@pytest.mark.parametrize("sizes", [[10], [4, 6], [1, 7, 2], [3, 3, 4]])
def test_groups_are_added_up_to_what_all_images_have(sizes):
    """The first layer's input does not depend on statistics: those of all of it, by hand."""
    net, images = make_net(), plate(5)

    def look():
        for some in torch.split(images, sizes):
            yield net(some)

    mean, variance = adapt(net, look)["1"]
    seen = net[0](images).double().numpy()
    np.testing.assert_allclose(mean, seen.mean(axis=(0, 2, 3)), rtol=1e-5)
    np.testing.assert_allclose(variance, seen.var(axis=(0, 2, 3)), rtol=1e-5)
