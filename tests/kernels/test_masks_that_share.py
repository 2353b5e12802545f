"""Masks that share pixels, beside the frames that they fill."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cellwise.kernels.run_overlaps import find_shared_pixels
from cellwise.kernels.run_texts import decode_texts
from cellwise.kernels.runs import LabelRuns, encode_masks


def _runs(masks):
    """Run lengths of boolean frames, each written by itself as a submission has it."""
    texts = [encode_masks(mask.astype(np.uint8)).get(1) for mask in masks]
    kept = [text for text in texts if text is not None]
    return decode_texts(kept, height=masks.shape[1], width=masks.shape[2])


MASKS = arrays(
    bool, st.tuples(st.integers(1, 5), st.integers(1, 7), st.integers(1, 7)), elements=st.booleans()
)


@given(MASKS)
def test_what_is_shared_equals_what_frames_count(masks):
    masks = masks[masks.any(axis=(1, 2))]
    if not len(masks):
        return
    found = find_shared_pixels(_runs(masks))
    shared = masks.sum(axis=0) > 1
    if not shared.any():
        assert found is None
        return
    assert found.pixels == shared.sum()
    assert found.masks == (masks & shared).any(axis=(1, 2)).sum()
    assert (masks[found.first - 1] & masks[found.second - 1]).any()
    assert found.first < found.second


def test_cells_that_touch_do_not_overlap():
    labels = np.array([[1, 1, 2], [1, 2, 2]])
    assert find_shared_pixels(_runs(np.stack([labels == 1, labels == 2]))) is None


def test_a_mask_within_another_shares_all_its_pixels():
    masks = np.zeros((3, 6, 6), bool)
    masks[0], masks[2, 2:4, 2:4] = True, True
    masks[1, 0, 0] = True
    found = find_shared_pixels(_runs(masks))
    assert (found.masks, found.pixels) == (3, 5)


@pytest.mark.parametrize("count", [1, 400])
def test_frames_need_not_fit_into_memory(count):
    # A million by a million pixels, of which a mask of this text is all.
    side = 10**6
    counts = np.tile(np.array([0, side**2]), count)
    found = find_shared_pixels(
        LabelRuns(np.arange(1, count + 1), np.arange(count + 1) * 2, counts, (side, side))
    )
    assert (found is None) == (count == 1)
    assert found is None or (found.masks, found.pixels) == (count, side**2)
