"""Verdicts go to the cell with the same pixels, or to none."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cellwise.domain.records import Masks
from cellwise.domain.tables import ANNOTATIONS
from cellwise.store.annotations.outlines import LEAST_IOU, followed, outline_of, same_cell
from cellwise.store.run.masks import mask_key, write_masks

IMAGES = arrays(np.uint16, (7, 6), elements=st.integers(0, 3))


def _pixels(outline):
    return {
        (y, x) for y, x0, n in zip(*[iter(outline)] * 3, strict=True) for x in range(x0, x0 + n)
    }


@given(IMAGES, st.integers(1, 4))
def test_an_outline_holds_the_pixels_of_its_cell_and_no_others(labels, cell):
    assert _pixels(outline_of(labels, cell)) == {tuple(p) for p in np.argwhere(labels == cell)}


@given(IMAGES, IMAGES)
def test_the_same_cell_is_the_one_that_overlaps_enough_and_no_two_claim_it(before, now):
    claimed = []
    for cell in np.unique(before[before > 0]).tolist():
        ours = before == cell
        ious = {
            other: (ours & (now == other)).sum() / (ours | (now == other)).sum()
            for other in np.unique(now[now > 0]).tolist()
        }
        wanted = [other for other, iou in ious.items() if iou >= LEAST_IOU - 1e-12]
        found = same_cell(now, outline_of(before, cell))
        assert [found] == (wanted or [0])
        claimed += wanted
    assert len(claimed) == len(set(claimed))


@pytest.mark.parametrize("outline", [[], [0, 5, 3], [9, 0, 1], [-1, 0, 2], [0, 0, 0]])
def test_an_outline_that_does_not_lie_in_the_field_is_no_cell(outline):
    assert same_cell(np.ones((4, 6), np.uint16), outline) == 0


def _rows(labels, key, site="s"):
    cells = [int(c) for c in np.unique(labels[labels > 0])]
    n = len(cells)
    return pl.DataFrame(
        {
            "site_id": [site] * n, "cell_id": cells, "mask_key": [key] * n,
            "outline": [outline_of(labels, c) for c in cells], "x": [0.0] * n, "y": [0.0] * n,
            "class": ["a"] * n, "verdict": ["yes"] * n, "drawn": ["random"] * n,
            "who": [""] * n, "when": ["2026"] * n, "model_said": [None] * n,
        },
        schema_overrides={
            "cell_id": pl.Int32, "outline": pl.List(pl.Int32), "model_said": pl.Float32,
            "x": pl.Float32, "y": pl.Float32,
        },
    ).select(list(ANNOTATIONS.columns))  # fmt: skip


def test_verdicts_follow_their_outlines_and_cells_that_are_gone_are_named(tmp_path):
    before = np.zeros((8, 20), np.uint16)
    before[:, 0:4], before[:, 5:9], before[:, 10:14] = 1, 2, 3
    now = np.zeros_like(before)
    # 1 is 7 now; 2 and 3 were joined to 1, which is neither of them.
    now[:, 0:4], now[:, 5:14] = 7, 1
    write_masks(tmp_path, "s", Masks(before, before))
    rows = pl.concat([_rows(before, mask_key(tmp_path, "s")), _rows(before, "k", site="gone")])
    same = followed(rows.filter(pl.col("site_id") == "s"), tmp_path)
    assert same.found["cell_id"].to_list() == [1, 2, 3]
    assert (same.moved, same.lost) == (0, ())
    write_masks(tmp_path, "s", Masks(now, now))
    moved = followed(rows, tmp_path)
    assert moved.found["cell_id"].to_list() == [7]
    assert moved.found["mask_key"].to_list() == [mask_key(tmp_path, "s")]
    assert moved.moved == 1
    assert moved.lost == (("gone", 1), ("gone", 2), ("gone", 3), ("s", 2), ("s", 3))
