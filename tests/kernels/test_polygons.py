"""Filling polygons: by hand, against exact arithmetic, and against the COCO library."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellwise.kernels.polygons import pixels_inside


def filled(*rings, height=8, width=9):
    frame = np.zeros((height, width), int)
    rows, columns = pixels_inside(
        [np.array(ring, float) for ring in rings], height=height, width=width
    )
    np.add.at(frame, (rows, columns), 1)
    assert frame.max(initial=0) <= 1
    return frame.astype(bool)


def box(left, top, right, bottom):
    return [(left, top), (right, top), (right, bottom), (left, bottom)]


def test_a_box_on_the_edges_of_pixels_holds_exactly_these_pixels():
    expected = np.zeros((8, 9), bool)
    expected[2:5, 1:4] = True
    assert np.array_equal(filled(box(1, 2, 4, 5)), expected)


def test_a_pixel_belongs_to_what_holds_its_centre():
    assert filled(box(0.4, 0.4, 0.6, 0.6)).sum() == 1
    assert filled(box(0.6, 0.6, 1.4, 1.4)).sum() == 0
    assert filled(box(0.6, 0.4, 1.6, 0.6)).nonzero() == ([0], [1])


def test_holes_are_left_out_whichever_way_they_turn():
    hole = box(2, 2, 4, 4)
    for ring in (hole, hole[::-1], [*hole, hole[0]]):
        frame = filled(box(1, 1, 6, 6), ring)
        assert frame.sum() == 25 - 4
        assert not frame[2:4, 2:4].any()


def test_what_lies_outside_the_frame_is_cut_off():
    assert filled(box(-50, -50, 50, 50)).all()
    assert filled(box(-3, -3, 2, 2)).sum() == 4
    assert filled(box(20, 2, 30, 5)).sum() == 0
    assert filled(box(2, -9, 5, -1)).sum() == 0


def test_a_line_and_a_point_hold_no_pixel():
    assert filled([(1, 1), (5, 5), (1, 1)]).sum() == 0
    assert filled([(2, 2)] * 3).sum() == 0


@given(st.floats(0, 8), st.floats(0, 9), st.floats(0, 8), st.floats(0, 9))
def test_a_cut_leaves_no_pixel_out_and_gives_none_twice(top, left, bottom, right):
    """Two halves of the frame share an edge from the upper to the lower side."""
    edge = [(left, 0.0), (right, 8.0)]
    one = filled([(0, 0), edge[0], edge[1], (0, 8)])
    two = filled([edge[0], (9, 0), (9, 8), edge[1]])
    assert np.array_equal(one, ~two)
    middle = [(0.0, top), (9.0, bottom)]
    above = filled([(0, 0), (9, 0), middle[1], middle[0]])
    assert np.array_equal(above, ~filled([*middle, (9, 8), (0, 8)]))


def slow(ring, height=8, width=9):
    """Even-odd by exact arithmetic, one pixel at a time, and centres that lie on an edge."""
    frame, on_edge = np.zeros((2, height, width), bool)
    for y in range(height):
        for x in range(width):
            centre, odd = (Fraction(2 * x + 1, 2), Fraction(2 * y + 1, 2)), False
            for (x0, y0), (x1, y1) in zip(ring, [*ring[1:], ring[0]], strict=True):
                (ax, ay), (bx, by) = sorted([(x0, y0), (x1, y1)], key=lambda p: p[1])
                if ay <= centre[1] < by:
                    crossing = ax + (centre[1] - ay) * Fraction(bx - ax) / (by - ay)
                    odd ^= crossing <= centre[0]
                    on_edge[y, x] |= crossing == centre[0]
            frame[y, x] = odd
    return frame, on_edge


eighths = st.integers(-24, 96).map(lambda n: Fraction(n, 8))


@given(st.lists(st.tuples(eighths, eighths), min_size=3, max_size=7))
def test_filling_equals_exact_arithmetic(ring):
    points = [(float(x), float(y)) for x, y in ring]
    expected, on_edge = slow(ring)
    # There, rounding decides which side has the pixel.
    assert not ((filled(points) != expected) & ~on_edge).any()


@pytest.mark.filterwarnings("ignore:__array__ implementation")
@pytest.mark.parametrize("seed", range(5))
def test_filling_agrees_with_the_coco_library_but_for_the_rim(seed):
    coco = pytest.importorskip("pycocotools.mask")
    random = np.random.default_rng(seed)
    angle = np.sort(random.uniform(0, 2 * np.pi, 40))
    radius = random.uniform(18, 24, 40)
    ring = np.stack([32 + radius * np.cos(angle), 30 + radius * np.sin(angle)], axis=1)
    theirs = coco.decode(coco.frPyObjects([ring.ravel().tolist()], 64, 70))[..., 0] > 0
    ours = filled(ring, height=64, width=70)
    assert (ours & theirs).sum() / (ours | theirs).sum() > 0.94
