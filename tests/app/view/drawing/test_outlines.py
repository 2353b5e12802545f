"""Outlines enclose what the masks hold, however they are read."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.app.view.conftest import write_run

from cellwise.app.view.data.opened import open_run
from cellwise.app.view.drawing.outlines import outlines_of, packed, rings_of
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.masks import read_masks


def filled(rings, shape):
    image = np.zeros(shape, np.uint8)
    cv2.fillPoly(image, [ring.astype(np.int32) for ring in rings], 1)
    return image > 0


def unpacked(content):
    """As the page reads it."""
    count = int(np.frombuffer(content[:4], "<u4")[0])
    head = np.frombuffer(content[4 : 4 + 8 * count], "<u4").reshape(-1, 2)
    points = np.frombuffer(content[4 + 8 * count :], "<u2").reshape(-1, 2)
    ends = np.cumsum(head[:, 1])
    assert len(points) == (ends[-1] if count else 0)
    parts = np.split(points, ends[:-1]) if count else []
    return [(int(owner), part) for owner, part in zip(head[:, 0], parts, strict=True)]


@given(seed=st.integers(0, 2**32 - 1))
def test_a_ring_filled_is_the_region_without_its_holes(seed):
    rng = np.random.default_rng(seed)
    inside = cv2.GaussianBlur(rng.random((24, 31)), (0, 0), 2) > 0.5
    found = filled(rings_of(inside, (0, 0)), inside.shape)
    assert (found >= inside).all()
    count, parts = cv2.connectedComponents((~inside).astype(np.uint8), connectivity=4)
    edge = {*parts[0], *parts[-1], *parts[:, 0], *parts[:, -1]}
    holes = np.isin(parts, [n for n in range(1, count) if n not in edge]) & ~inside
    np.testing.assert_array_equal(found, inside | holes)


def test_no_region_has_no_ring():
    assert rings_of(np.zeros((4, 4), bool), (2, 3)) == ()


@pytest.mark.parametrize("whole", [True, False])
def test_outlines_lie_on_the_masks(shown_run, whole):
    opened = open_run(shown_run.run)
    outlines = outlines_of(opened)
    masks = read_masks(RunFolder(shown_run.run).masks, "plate_B02")
    site = opened.fields.place("plate_B02")
    rows = np.arange(*opened.cells.of_site(site).indices(108))
    found = outlines.of_field(site) if whole else outlines.of_rows(rows[::-1])[::-1]
    for row, rings in zip(rows, found, strict=True):
        own = masks.cells == opened.cells.cell[row]
        np.testing.assert_array_equal(filled(rings, own.shape), own)


def test_outlines_are_kept(shown_run, monkeypatch):
    outlines = outlines_of(open_run(shown_run.run))
    first = outlines.of_field(0)
    monkeypatch.setattr("cellwise.app.view.drawing.outlines.read_labels", None)
    monkeypatch.setattr("cellwise.app.view.drawing.outlines.read_label_rows", None)
    assert outlines.of_field(0) == first
    assert outlines.of_rows(np.array([2]))[0] == first[2]


def test_a_mask_that_is_gone_or_torn_gives_no_outline(tmp_path):
    made = write_run(tmp_path)
    folder = made.run / "masks"
    (folder / "plate_A01_cells.tif").unlink()
    torn = folder / "plate_A02_cells.tif"
    torn.write_bytes(torn.read_bytes()[:100])
    outlines = outlines_of(open_run(made.run))
    assert outlines.of_rows(np.array([0, 9]))[0] == ()
    assert outlines.of_field(1) == [()] * 9


def test_packed_outlines_are_read_back():
    rings = [
        (np.array([[1, 2], [3, 4], [5, 6]], np.uint16),),
        (),
        (np.array([[9, 9]], np.uint16), np.array([[65535, 0], [7, 8]], np.uint16)),
    ]
    found = unpacked(packed(rings, np.array([4, 5, 6])))
    assert [owner for owner, _ in found] == [4, 6, 6]
    assert [points.tolist() for _, points in found] == [
        [[1, 2], [3, 4], [5, 6]], [[9, 9]], [[65535, 0], [7, 8]],
    ]  # fmt: skip
    assert unpacked(packed([], np.array([], int))) == []
