"""Shapes: hand-made forms, and a slow computation with scipy's convex hull."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial import ConvexHull

from cellwise.kernels.boxes import find_boxes
from cellwise.kernels.shape import measure_shapes


def measured(labels):
    return measure_shapes(labels, find_boxes(labels))


def slow_shapes(labels):
    shapes = []
    for number in sorted(set(labels.ravel().tolist()) - {0}):
        y, x = np.nonzero(labels == number)
        corners = [
            (b + i, a + j) for b, a in zip(y, x, strict=True) for i in (0, 1) for j in (0, 1)
        ]
        # Each pixel as 40 x 40 points: its own spread counts too.
        fine = (np.arange(40) + 0.5) / 40
        points = np.array(
            [
                (y[:, None, None] + fine[:, None] + 0 * fine).ravel(),
                (x[:, None, None] + 0 * fine[:, None] + fine).ravel(),
            ]
        )
        low, high = np.linalg.eigvalsh(np.cov(points, bias=True))
        shapes.append((np.sqrt(max(0, 1 - low / high)), len(y) / ConvexHull(corners).volume))
    return np.array(shapes).reshape(-1, 2)


def test_a_square_is_round_enough_and_solid():
    labels = np.zeros((9, 9), np.uint16)
    labels[2:6, 2:6] = 1
    found = measured(labels)
    assert found.eccentricity[0] == pytest.approx(0, abs=1e-6)
    assert found.solidity[0] == 1


def test_a_rectangle_by_hand():
    labels = np.zeros((9, 20), np.uint16)
    labels[3:5, 4:12] = 1
    assert measured(labels).eccentricity[0] == pytest.approx(np.sqrt(1 - (2 / 8) ** 2))
    assert measured(labels).solidity[0] == 1


def test_an_l_by_hand():
    labels = np.zeros((9, 9), np.uint16)
    labels[1:5, 1] = 1
    labels[4, 1:5] = 1
    # Seven pixels; the hull is the 4 x 4 square less the triangle of legs 3.
    assert measured(labels).solidity[0] == pytest.approx(7 / (16 - 4.5))


@settings(max_examples=50, deadline=None)
@given(
    arrays(np.uint16, st.tuples(st.integers(1, 10), st.integers(1, 12)), elements=st.integers(0, 3))
)
def test_as_a_slow_computation_says(labels):
    found = measured(labels)
    expected = slow_shapes(labels)
    assert found.eccentricity == pytest.approx(expected[:, 0], abs=0.02)
    assert found.solidity == pytest.approx(expected[:, 1])


@settings(max_examples=40, deadline=None)
@given(arrays(np.uint16, (8, 11), elements=st.integers(0, 3)))
def test_turning_and_moving_change_nothing(labels):
    plain = measured(labels)
    moved = measured(np.pad(labels, ((100, 3), (700, 5))))
    turned = measured(np.ascontiguousarray(labels.T[::-1]))
    for other in (moved, turned):
        assert other.eccentricity == pytest.approx(plain.eccentricity, abs=1e-6)
        assert other.solidity == pytest.approx(plain.solidity)


def test_a_cell_in_two_pieces_with_an_empty_row_between():
    labels = np.zeros((9, 9), np.uint16)
    labels[0, 2:5], labels[4, 2:5] = 1, 1
    assert measured(labels).solidity[0] == pytest.approx(6 / 15)


def test_no_cells_have_no_shapes():
    assert len(measured(np.zeros((4, 4), np.uint16)).solidity) == 0
