"""Scorers as functions: read-outs by hand, a slow re-computation, and what views may not change."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from torch import nn

from cellwise.contracts.network import Asked, Output
from cellwise.contracts.scorer import SitePixels
from cellwise.errors import BadOption
from cellwise.parts.normalise import Normalisation
from cellwise.parts.predictor import LoadedModel, combine
from cellwise.stages.score import scorers

PLAIN = Normalisation("standard", (0.0,), (1.0,))


class Echo(nn.Module):
    """Gives its pixels back as the class map, so that a read-out can be checked by hand."""

    def forward(self, pixels, asked=Asked.LOGITS):
        return Output(pixels.mean((2, 3)), pixels)


def field_pixels(field, masks, numbers):
    return SitePixels(
        torch.empty(0), torch.from_numpy(field), torch.from_numpy(masks), torch.tensor(numbers)
    )


def cam(field, masks, numbers, **options):
    scorer = scorers.build({"name": "cam", **options})
    return scorer.score(LoadedModel(Echo(), PLAIN, "cpu"), field_pixels(field, masks, numbers))


def test_a_cell_gets_the_mean_of_the_map_under_its_mask():
    field = np.array([[[1.0, 2.0], [3.0, 10.0]]], np.float32)
    masks = np.array([[4, 4], [9, 0]], np.int64)
    assert cam(field, masks, [4, 9])[0].tolist() == [[1.5], [3.0]]
    assert cam(field, masks, [4, 9], over="sum")[0].tolist() == [[3.0], [3.0]]


def test_masks_of_cells_that_are_not_asked_for_count_for_nobody():
    field = np.array([[[1.0, 2.0], [3.0, 10.0]]], np.float32)
    masks = np.array([[4, 5], [9, 70]], np.int64)
    assert cam(field, masks, [5, 9])[0].tolist() == [[2.0], [3.0]]


def test_a_cell_without_a_pixel_gets_zero_rather_than_nan():
    field = np.ones((1, 2, 2), np.float32)
    assert cam(field, np.ones((2, 2), np.int64), [1, 2])[0].tolist() == [[1.0], [0.0]]


@settings(max_examples=25, deadline=None)
@given(
    field=arrays(np.float32, (1, 6, 6), elements=st.floats(0, 1, width=32)),
    masks=arrays(np.int64, (6, 6), elements=st.integers(0, 4)),
)
def test_the_read_out_agrees_with_a_slow_computation_in_every_view(field, masks):
    found = cam(field, masks, [1, 2, 3, 4], views="dihedral")
    assert found.shape == (8, 4, 1)
    for cell in (1, 2, 3, 4):
        inside = masks == cell
        expected = field[0][inside].astype(float).mean() if inside.any() else 0.0
        np.testing.assert_allclose(found[:, cell - 1, 0].numpy(), expected, atol=1e-5)


def test_a_coarse_map_is_brought_to_the_size_of_the_masks():
    field = np.array([[[0.0, 1.0], [0.0, 1.0]]], np.float32)
    masks = np.zeros((8, 8), np.int64)
    masks[2:6, :2], masks[2:6, 6:] = 1, 2
    left, right = cam(field, masks, [1, 2])[0, :, 0].tolist()
    assert left == pytest.approx(0.0, abs=0.01)
    assert right == pytest.approx(1.0, abs=0.01)


def test_flips_are_four_ways_that_change_no_read_out():
    rng = np.random.default_rng(0)
    field, masks = rng.random((1, 6, 6), np.float32), rng.integers(0, 3, (6, 6))
    found = cam(field, masks, [1, 2], views="flips")
    assert found.shape == (4, 2, 1)
    torch.testing.assert_close(found, found[:1].expand(4, 2, 1))


def test_scales_and_activations_by_hand():
    field = np.full((1, 4, 4), -2.0, np.float32)
    field[0, :, 2:] = 1.0
    masks = np.zeros((4, 4), np.int64)
    masks[:, 0], masks[:, 3] = 1, 2
    assert cam(field, masks, [1, 2], activation="relu")[0].tolist() == [[0.0], [1.0]]
    swish = cam(field, masks, [1, 2], activation="swish")[0, :, 0].tolist()
    assert swish == pytest.approx([-2 / (1 + np.e**2), 1 / (1 + np.e**-1)])
    three = cam(field, masks, [1, 2], scales=[1.0, 1.5, 2.0])
    assert three.shape == (3, 2, 1)
    assert torch.allclose(three, torch.tensor([[-2.0], [1.0]]), atol=0.2)


def test_the_probability_of_the_field_weighs_every_cell():
    field = np.array([[[1.0, 2.0], [3.0, 10.0]]], np.float32)
    masks = np.array([[4, 4], [9, 0]], np.int64)
    found = cam(field, masks, [4, 9], times_field=True)[0, :, 0]
    share = 1 / (1 + np.exp(-4.0))
    assert found.tolist() == pytest.approx([1.5 * share, 3.0 * share])


@given(
    field=arrays(np.float32, (2, 5, 5), elements=st.floats(0, 9, width=32)),
    gain=st.floats(0.5, 20),
    offset=st.floats(-3, 3),
)
def test_relative_logits_know_no_gain_and_no_offset(field, gain, offset):
    masks = np.arange(25).reshape(5, 5) % 6
    cells = [1, 2, 3, 4, 5]
    plain = cam(field, masks, cells)[0].double().numpy()
    one = cam(field, masks, cells, robust=True)
    quarter, middle, three = np.percentile(plain, [25, 50, 75])
    if three - quarter < 1e-3:
        return
    expected = 2 * ((plain - middle) / (three - quarter) - 0.2)
    np.testing.assert_allclose(one[0].numpy(), expected, rtol=1e-4, atol=1e-4)
    two = cam(np.float32(gain) * field + np.float32(offset), masks, cells, robust=True)
    np.testing.assert_allclose(one.numpy(), two.numpy(), rtol=1e-2, atol=1e-2)


def test_a_field_without_differences_says_nothing():
    found = cam(np.ones((1, 4, 4), np.float32), np.ones((4, 4), np.int64), [1], robust=True)
    assert found.tolist() == [[[0.0]]]


@pytest.mark.parametrize(
    "options",
    [{"views": "all"}, {"over": "max"}, {"scales": [0.0]}, {"scales": []}, {"activation": "tanh"}],
    ids=str,
)
def test_settings_of_the_class_map_that_cannot_be_are_refused(options):
    with pytest.raises(BadOption):
        scorers.build({"name": "cam", **options})


def test_combining_is_the_mean_of_logits_and_the_deviation_of_probabilities():
    views = [torch.tensor([[[0.0], [1.0]]]), torch.tensor([[[2.0], [1.0]], [[4.0], [1.0]]])]
    found = combine(views)
    assert found.logits.tolist() == [[2.0], [1.0]]
    chances = 1 / (1 + np.exp(-np.array([0.0, 2.0, 4.0])))
    assert found.spread[0, 0].item() == pytest.approx(chances.std(), abs=1e-6)
    assert found.spread[1, 0].item() == 0


def test_a_field_gets_one_score_whatever_its_cells():
    field = np.array([[[1.0, 2.0], [3.0, 10.0]]], np.float32)
    scorer = scorers.build({"name": "field_net", "views": "dihedral"})
    pixels = field_pixels(field, np.ones((2, 2), np.int64), [1, 2, 3])
    assert scorer.gives == "site"
    found = scorer.score(LoadedModel(Echo(), PLAIN, "cpu"), pixels)
    assert found.shape == (8, 1, 1)
    assert found.flatten().tolist() == pytest.approx([4.0] * 8)
