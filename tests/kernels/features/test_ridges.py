"""Ridges, blobs, holes and their directions on drawn shapes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cellwise.kernels.features.ridges import (
    coherence,
    gradient_products,
    ridge_directions,
    ridge_maps,
)

SIDE = 41
Y, X = np.mgrid[:SIDE, :SIDE] - SIDE // 2
INNER = np.flatnonzero((abs(Y) < 17) & (abs(X) < 17)).astype(np.int32)


def image(of):
    return of.astype(np.float32)


def test_a_line_is_a_ridge_a_dot_a_blob_and_a_pit_a_hole():
    line, dot = np.exp(-(X**2) / 8), np.exp(-(X**2 + Y**2) / 8)
    middle = SIDE // 2
    shapes = {"ridge": line, "blob": dot, "hole": 1 - dot}
    for place, (name, drawn) in enumerate(shapes.items()):
        values = [one[middle, middle] for one in ridge_maps(image(drawn), 2.0)]
        assert int(np.argmax(values)) == place, name
        assert values[place] > 0.3
        assert all(value < 1e-3 for k, value in enumerate(values) if k != place), name


@given(seed=st.integers(0, 10_000))
@settings(max_examples=10, deadline=None)
def test_maps_are_those_of_the_eigenvalues_of_the_hessian(seed):
    drawn = image(np.random.default_rng(seed).random((15, 16)))
    maps = ridge_maps(drawn, 1.5)
    gradients = [(np.roll(drawn, -1, k) - np.roll(drawn, 1, k)) / 2 for k in (0, 1)]
    second = [[(np.roll(g, -1, k) - np.roll(g, 1, k)) / 2 for k in (0, 1)] for g in gradients]
    hessian = np.moveaxis(np.array(second), (0, 1), (2, 3)) * 1.5**2
    low, high = np.moveaxis(np.linalg.eigvalsh(hessian.astype(np.float64)), -1, 0)
    wanted = (
        np.maximum(np.maximum(-low, 0) - abs(high), 0), np.maximum(-high, 0), np.maximum(low, 0)
    )  # fmt: skip
    for found, expected in zip(maps, wanted, strict=True):
        np.testing.assert_allclose(found[2:-2, 2:-2], expected[2:-2, 2:-2], atol=1e-5)
        assert not found[:2].any()


def test_lines_run_one_way_and_rings_around_the_middle():
    away = image(np.hypot(Y, X))
    for drawn, one_way, around in (
        (np.exp(-((X % 10 - 5) ** 2) / 4), (0.95, 1), (-0.3, 0.3)),
        (np.exp(-((away - 9) ** 2) / 4), (0, 0.1), (0.95, 1)),
        (np.exp(-(np.minimum(abs(X), abs(Y)) ** 2) / 4), (0, 0.3), (-1, -0.9)),
    ):
        smooth = image(drawn)
        found = ridge_directions(smooth, ridge_maps(smooth, 1.5)[0], away, INNER, 0)
        assert one_way[0] <= found[0] <= one_way[1]
        assert around[0] <= found[1] <= around[1]


def test_without_ridges_or_without_a_nucleus_there_is_no_direction():
    flat = np.ones((SIDE, SIDE), np.float32)
    away = image(np.hypot(Y, X))
    assert np.isnan(ridge_directions(flat, ridge_maps(flat, 1.0)[0], away, INNER, 0)).all()
    line = image(np.exp(-(X**2) / 8))
    found = ridge_directions(line, ridge_maps(line, 1.0)[0], away * np.nan, INNER, 0)
    assert found[0] == pytest.approx(1, abs=1e-3)
    assert np.isnan(found[1])


def test_gradients_that_agree_are_coherent():
    ramp = image(X + 2.0 * Y)
    assert coherence(*gradient_products(ramp), INNER, 0)[0] == pytest.approx(1, abs=1e-3)
    even = np.ones_like(ramp)
    found = coherence(even, even, np.zeros_like(ramp), INNER, len(INNER))
    assert found[0] == found[1] == 0
    assert np.isnan(found[2])
