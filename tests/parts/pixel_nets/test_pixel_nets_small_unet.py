"""The small network: shapes, size, and answers that depend on the surroundings alone."""

import numpy as np
import pytest
import torch

from cellwise.errors import BadOption, FormatError
from cellwise.parts.pixel_maps import load_net
from cellwise.parts.pixel_nets import pixel_nets
from cellwise.parts.pixel_nets.small_unet import make_predictor


@pytest.fixture(scope="module")
def small():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return pixel_nets.build({"name": "small_unet", "width": 4}).eval().requires_grad_(False)


def test_it_has_about_a_million_weights():
    net = pixel_nets.build("small_unet")
    assert 0.8e6 < sum(weight.numel() for weight in net.parameters()) < 1.3e6


def test_maps_have_the_size_of_the_pixels(small):
    assert small(torch.zeros(2, 3, 48, 80)).shape == (2, 6, 48, 80)


def test_planes_and_maps_are_options():
    net = pixel_nets.build({"name": "small_unet", "planes": 2, "maps": 3, "width": 4}).eval()
    assert net(torch.zeros(1, 2, 16, 16)).shape == (1, 3, 16, 16)


@pytest.mark.parametrize("shape", [(1, 1), (7, 40), (33, 16), (64, 65)])
def test_any_size_gives_probabilities_of_that_size(small, shape):
    planes = np.random.default_rng(0).random((3, *shape), np.float32)
    maps = make_predictor(small)(planes)
    assert maps.shape == (6, *shape)
    assert maps.dtype == np.float32
    assert 0 <= maps.min() <= maps.max() <= 1


def test_tiles_say_what_the_whole_says(small):
    planes = np.random.default_rng(1).random((3, 544, 720), np.float32)
    with torch.inference_mode():
        whole = torch.sigmoid(small(torch.from_numpy(planes)[None]))[0].numpy()
    np.testing.assert_allclose(make_predictor(small)(planes), whole, atol=2e-5)


def test_views_are_a_mean_over_turns(small):
    planes = np.random.default_rng(2).random((3, 32, 32), np.float32)
    plain, turned = make_predictor(small), make_predictor(small, views=8)
    back = turned(np.ascontiguousarray(planes[:, ::-1]))[:, ::-1]
    np.testing.assert_allclose(turned(planes), back, atol=1e-5)
    assert not np.allclose(plain(planes), turned(planes), atol=1e-5)


def test_weights_of_another_network_are_refused(small):
    tensors = {name: value.numpy() for name, value in small.state_dict().items()}
    with pytest.raises(FormatError, match="fit"):
        load_net({"name": "small_unet", "width": 8}, tensors)


@pytest.mark.parametrize("option", ["width", "planes", "maps"])
def test_impossible_options_are_refused(option):
    with pytest.raises(BadOption, match=option):
        pixel_nets.build({"name": "small_unet", option: 0})
