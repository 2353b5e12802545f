"""Windows: distances and directions of a cell, against slow ones."""

import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt
from tests.lab.synth.made_cells import windows


@pytest.fixture(scope="module")
def cells():
    return windows(6)


@pytest.mark.slow
def test_distances_as_scipy_measures_them(cells):
    for window in cells:
        for plane, mask in (
            (window.edge, window.cell.mask),
            (window.depth, window.cell.nucleus),
            (window.away, ~window.cell.nucleus),
        ):
            slow = np.maximum(distance_transform_edt(mask) - 0.5, 0) * 0.32
            # OpenCV's distances err by up to a fiftieth.
            assert plane == pytest.approx(slow, rel=0.03, abs=0.03)


def test_the_cell_is_nucleus_and_cytoplasm(cells):
    for window in cells:
        assert (window.nucleus + window.cytoplasm == window.body).all()
        assert window.height.max() <= 1
        assert not window.height[~window.cell.mask].any()


def test_ways_out_end_at_rim_and_edge(cells):
    for window in cells:
        angle = np.linspace(0, 2 * np.pi, 60)
        at_rim = window.place(np.zeros(60), angle)
        inside = window.lookup(window.cell.nucleus, *window.place(np.full(60, -0.2), angle))
        outside = window.lookup(window.cell.nucleus, *window.place(np.full(60, 0.2), angle))
        assert inside.mean() > 0.95
        assert outside.mean() < 0.05
        distance = np.hypot(at_rim[0] - window.centre[0], at_rim[1] - window.centre[1])
        assert distance == pytest.approx(window.cell.nucleus_outline.rim(angle), rel=0.03)
        assert window.holds(*window.place(np.full(60, 0.85), angle)).mean() > 0.9
        assert window.holds(*window.place(np.full(60, 1.25), angle)).mean() < 0.2
        middle = window.place(np.full(60, -1.0), angle)
        assert middle[0] == pytest.approx(np.full(60, window.centre[0]))


def test_the_way_out_of_a_place_is_its_way_out(cells):
    for window in cells:
        for out in (0.2, 0.5, 0.8):
            angle = np.array([1.0])
            y, x = window.place(np.array([out]), angle)
            assert window.way_out((float(y[0]), float(x[0]))) == pytest.approx(out, abs=0.08)


def test_contact_is_where_neighbours_are(cells):
    for window in cells:
        if window.cell.neighbours.any():
            slow = np.exp(
                -np.maximum(distance_transform_edt(~window.cell.neighbours) - 0.5, 0) * 0.32 / 0.8
            )
            assert window.contact == pytest.approx(slow, abs=0.03)
        else:
            assert not window.contact.any()


def test_points_scatter_in_their_mask_only(cells):
    generator = np.random.default_rng(0)
    for window in cells:
        y, x = window.scatter(window.cell.nucleus, 300, rng=generator)
        assert window.lookup(window.cell.nucleus, y, x).all()
        assert len(window.scatter(np.zeros(window.shape, bool), 5, rng=generator)[0]) == 0


def test_nothing_is_found_outside_the_window(cells):
    window = cells[0]
    far = np.array([-5.0, 1e4])
    assert not window.holds(far, far).any()
