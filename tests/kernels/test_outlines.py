"""Outlines along pixel edges: valid for GEOS, of the right area, and back to the same pixels."""

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from cellwise.kernels.outlines import outlines
from cellwise.kernels.polygons import pixels_inside


def shape_of(polygons):
    return shapely.MultiPolygon([(rings[0], rings[1:]) for rings in polygons])


def drawn_again(found, shape):
    """The label image that GEOS draws: the label whose outline holds the centre of a pixel."""
    image = np.zeros(shape, np.int64)
    y, x = np.mgrid[: shape[0], : shape[1]]
    for label, polygons in found.items():
        inside = shapely.contains_xy(shape_of(polygons), x.ravel() + 0.5, y.ravel() + 0.5)
        image[inside.reshape(shape)] = label
    return image


def test_one_pixel_is_a_square_from_corner_to_corner():
    labels = np.zeros((3, 4), np.uint16)
    labels[1, 2] = 7
    ((rings,),) = outlines(labels).values()
    assert [tuple(p) for p in rings[0].tolist()] == [(3, 1), (3, 2), (2, 2), (2, 1)]


def test_a_hole_runs_the_other_way():
    labels = np.ones((3, 3), np.uint8)
    labels[1, 1] = 0
    ((shell, hole),) = outlines(labels)[1]
    assert shapely.LinearRing(shell).is_ccw
    assert not shapely.LinearRing(hole).is_ccw
    assert sorted(map(tuple, hole.tolist())) == [(1, 1), (1, 2), (2, 1), (2, 2)]


def test_pixels_that_meet_at_a_corner_are_two_parts():
    found = outlines(np.eye(3, dtype=np.uint8))[1]
    assert len(found) == 3
    assert shape_of(found).is_valid


def test_a_hole_that_reaches_the_outside_at_a_corner_only():
    labels = np.array([[0, 1, 1], [1, 0, 1], [1, 1, 1]], np.uint8)
    (rings,) = outlines(labels)[1]
    assert len(rings) == 2
    assert shape_of([rings]).is_valid
    assert shape_of([rings]).area == 7


def test_large_numbers_and_touching_cells_keep_apart():
    labels = np.array([[70000, 70000, 4_000_000_000]], np.uint32)
    assert {k: shape_of(v).area for k, v in outlines(labels).items()} == {
        70000: 2,
        4_000_000_000: 1,
    }


@pytest.mark.parametrize("shape", [(0, 0), (0, 5), (4, 4)])
def test_nothing_has_no_outline(shape):
    assert outlines(np.zeros(shape, np.uint16)) == {}


@settings(max_examples=150, deadline=None)
@given(
    arrays.arrays(
        st.sampled_from([np.uint8, np.uint16, np.uint32]),
        st.tuples(st.integers(1, 9), st.integers(1, 9)),
        elements=st.integers(0, 3),
    )
)
def test_any_label_image_comes_back(labels):
    found = outlines(labels)
    assert list(found) == [k for k in np.unique(labels).tolist() if k]
    for label, polygons in found.items():
        shape = shape_of(polygons)
        assert shapely.is_valid_reason(shape) == "Valid Geometry"
        assert shape.area == (labels == label).sum()
    np.testing.assert_array_equal(drawn_again(found, labels.shape), labels)
    own = np.zeros(labels.shape, np.int64)
    for label, polygons in found.items():
        for rings in polygons:
            where = pixels_inside(
                [ring.astype(float) for ring in rings],
                height=labels.shape[0],
                width=labels.shape[1],
            )
            own[where] = label
    np.testing.assert_array_equal(own, labels)
