"""Normalisation and resizing of pixels."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cellwise.errors import BadOption
from cellwise.parts.normalise import fit, relative
from cellwise.parts.resize import resize


@given(factor=st.floats(0.05, 1.0))
def test_dividing_by_the_crop_mean_hides_how_bright_a_channel_is(factor):
    torch.manual_seed(0)
    crops = torch.rand(3, 2, 8, 8) * 0.5 + 0.2
    dimmer = crops.clone()
    dimmer[:, 1] *= factor
    torch.testing.assert_close(relative(crops, "crop_mean"), relative(dimmer, "crop_mean"))


def test_what_a_crop_policy_blanked_does_not_count_into_the_mean():
    crop = torch.zeros(1, 2, 4, 4)
    crop[0, 0, :2] = 0.2
    crop[0, 1, :2, :2] = 0.4
    found = relative(crop, "crop_mean")
    torch.testing.assert_close(found[0, 0, :2], torch.ones(2, 4))
    torch.testing.assert_close(found[0, 1, :2, :2], torch.full((2, 2), 2.0))
    assert (found[..., 2:, :] == 0).all()


def test_fitted_statistics_give_mean_zero_and_deviation_one():
    crops = torch.rand(20, 3, 8, 8) * torch.tensor([1.0, 0.1, 0.5])[:, None, None]
    found = fit(crops, "standard")(crops).transpose(0, 1).flatten(1)
    torch.testing.assert_close(found.mean(1), torch.zeros(3), atol=1e-4, rtol=0)
    torch.testing.assert_close(found.std(1), torch.ones(3), atol=1e-2, rtol=0)


@pytest.mark.parametrize("mode", ["standard", "crop_mean"])
def test_an_empty_channel_stays_finite(mode):
    crops = torch.zeros(2, 2, 4, 4)
    crops[:, 0] = 0.5
    assert torch.isfinite(fit(crops, mode)(crops)).all()


def test_an_unknown_mode_is_refused():
    with pytest.raises(BadOption, match="crop_mean"):
        fit(torch.rand(1, 1, 2, 2), "median")


def test_shrinking_keeps_the_mean_and_growing_keeps_a_ramp():
    image = torch.rand(1, 2, 64, 64)
    torch.testing.assert_close(resize(image, 16, 16).mean(), image.mean(), atol=0.01, rtol=0)
    ramp = torch.linspace(0, 1, 8)[None, None, None].expand(1, 1, 8, 8).contiguous()
    grown = resize(ramp, 16, 16)[0, 0, 0]
    assert (grown.diff() >= 0).all()
    assert resize(image, 64, 64) is image


def test_a_missing_number_of_a_vector_counts_as_the_mean():
    vectors = torch.tensor([[1.0, float("nan")], [3.0, float("nan")], [float("nan"), float("nan")]])
    found = fit(vectors, "filled")
    assert found.mean == (2.0, 0.0)
    seen = found(vectors)
    assert torch.isfinite(seen).all()
    assert seen[2].tolist() == [0.0, 0.0]
    assert seen[0, 0] == -seen[1, 0]
    whole = torch.tensor([[1.0, 5.0], [3.0, 9.0]])
    assert torch.equal(fit(whole, "filled")(whole), fit(whole, "standard")(whole))
    with pytest.raises(BadOption, match="is of vectors"):
        fit(torch.zeros(1, 1, 2, 2), "filled")
