"""Each image by itself: against numpy; constants are zero, and gain and offset say nothing."""

import numpy as np
import pytest
import torch

from cellwise.errors import BadOption
from cellwise.parts.normalise import fit, relative


def test_each_channel_of_each_image_has_mean_zero_and_deviation_one():
    pixels = np.random.default_rng(1).random((3, 2, 9, 9)).astype(np.float32)
    model = fit(torch.from_numpy(pixels), "self")
    mean, std = pixels.mean((2, 3), keepdims=True), pixels.std((2, 3), keepdims=True)
    found = model(torch.from_numpy(pixels)).numpy()
    np.testing.assert_allclose(found, (pixels - mean) / (std + 1e-10), atol=1e-5)
    again = model(torch.from_numpy(pixels * 0.3 + 0.2)).numpy()
    np.testing.assert_allclose(again, found, atol=1e-4)


def test_a_channel_without_any_light_is_zero():
    pixels = torch.full((1, 2, 8, 8), 0.1)
    pixels[0, 1] = torch.rand(8, 8)
    found = relative(pixels, "self")
    assert torch.equal(found[0, 0], torch.zeros(8, 8))
    assert found[0, 1].std(correction=0) == pytest.approx(1, abs=1e-4)


def test_vectors_have_no_images_to_take_from():
    with pytest.raises(BadOption, match="of pixels"):
        relative(torch.rand(3, 4), "self")
