"""Shares of a class map's maximum under cells: by hand, against a slow loop, whatever the scale."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from tests.stages.score.test_scorers import PLAIN, Echo, field_pixels

from cellwise.errors import BadOption
from cellwise.parts.predictor import LoadedModel
from cellwise.stages.score import scorers


def shares(field, masks, numbers, **options):
    """`[cell, class]` in 0..1."""
    scorer = scorers.build({"name": "cam_share", **options})
    model = LoadedModel(Echo(), PLAIN, "cpu")
    found = scorer.score(model, field_pixels(field, masks, numbers))
    assert found.shape[0] == 1
    return torch.sigmoid(found[0]).numpy()


def test_each_class_is_divided_by_its_own_maximum_and_nothing_below_zero_counts():
    field = np.array([[[4.0, 2.0], [-3.0, 1.0]], [[0.1, 0.0], [0.0, 0.2]]], np.float32)
    masks = np.array([[4, 4], [9, 9]], np.int64)
    found = shares(field, masks, [4, 9])
    assert found == pytest.approx(np.array([[0.75, 0.25], [0.125, 0.5]]), abs=1e-5)


def test_a_quantile_lets_a_small_place_speak():
    field = np.zeros((1, 4, 4), np.float32)
    field[0, 0, 0] = 2.0
    masks = np.ones((4, 4), np.int64)
    assert shares(field, masks, [1])[0, 0] == pytest.approx(1 / 16, abs=1e-5)
    assert shares(field, masks, [1], over="quantile", quantile=1.0)[0, 0] > 0.999
    assert shares(field, masks, [1], over="quantile", quantile=0.5)[0, 0] < 1e-5


def test_a_class_that_is_nowhere_seen_and_a_cell_without_pixels_have_none():
    field = np.array([[[-1.0, -2.0]], [[1.0, 1.0]]], np.float32)
    found = shares(field, np.array([[1, 1]], np.int64), [1, 5])
    assert found == pytest.approx(np.array([[0, 1], [0, 0]]), abs=1e-5)
    assert np.isfinite(found).all()


@settings(max_examples=25, deadline=None)
@given(
    field=arrays(np.float32, (2, 6, 6), elements=st.floats(-1, 1, width=16)),
    masks=arrays(np.int64, (6, 6), elements=st.integers(0, 4)),
    quantile=st.sampled_from((None, 0.0, 0.5, 0.9)),
    times=st.floats(0.5, 100),
)
def test_the_read_out_agrees_with_a_slow_computation_and_scale_says_nothing(
    field, masks, quantile, times
):
    options = {} if quantile is None else {"over": "quantile", "quantile": quantile}
    found = shares(field, masks, [1, 3, 4], views="flips", **options)
    cut = np.maximum(field, 0).astype(float)
    for row, cell in enumerate((1, 3, 4)):
        for c in range(2):
            inside, peak = cut[c][masks == cell], cut[c].max()
            if not len(inside) or not peak:
                wanted = 0.0
            else:
                inside = inside / peak
                wanted = inside.mean() if quantile is None else np.quantile(inside, quantile)
            assert found[row, c] == pytest.approx(wanted, abs=1e-4)
    scaled = shares(field * np.float32(times), masks, [1, 3, 4], views="flips", **options)
    assert scaled == pytest.approx(found, abs=1e-4)


def test_other_ways_to_read_a_map_are_refused():
    for wrong in ({"over": "sum"}, {"quantile": 1.5}):
        with pytest.raises(BadOption):
            scorers.build({"name": "cam_share", **wrong})
