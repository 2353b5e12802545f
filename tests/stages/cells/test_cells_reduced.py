"""Cells of a field that is made smaller before they are cut out."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from cellwise.domain.crop_plan import CropPlan
from cellwise.errors import BadOption
from cellwise.kernels.boxes import find_boxes
from cellwise.kernels.crop import crop_cells
from cellwise.stages.cells._reduced import reduced
from cellwise.stages.cells.spec import Options


def field(seed, height=160, width=120, dtype=np.uint8):
    random = np.random.default_rng(seed)
    pixels = random.random((2, height, width), np.float32)
    labels = np.zeros((height, width), np.uint32)
    for number in range(1, 5):
        y, x = random.integers(0, height - 50), random.integers(0, width - 45)
        labels[y : y + random.integers(8, 50), x : x + random.integers(8, 45)] = number * 70_000
    most = 1 if dtype == np.float32 else np.iinfo(dtype).max
    return (pixels * most).astype(dtype), labels


@pytest.mark.slow
@settings(max_examples=15)
@given(seed=st.integers(0, 999), dtype=st.sampled_from([np.uint8, np.uint16, np.float32]))
def test_a_field_of_twice_the_side_is_cut_as_its_half(seed, dtype):
    pixels, labels = field(seed, dtype=dtype)
    boxes, plan = find_boxes(labels), CropPlan(16, "mask_all", window=40.0)
    small, numbers, moved, own = reduced(pixels, labels, boxes, plan, 80)
    assert small.dtype == pixels.dtype
    halves = pixels.astype(np.float64).reshape(2, 80, 2, 60, 2).mean((2, 4))
    np.testing.assert_allclose(small, halves, atol=1 if dtype != np.float32 else 1e-6)
    assert set(np.unique(numbers)) <= set(np.unique(labels))
    assert own.window == 20.0
    assert moved.ids.tolist() == boxes.ids.tolist()
    # What lies over a cell may leave a rim of it that no pixel of the half shows.
    assume(set(boxes.ids.tolist()) <= set(np.unique(numbers).tolist()))
    for cell in range(len(boxes)):
        rows, columns = np.nonzero(numbers == moved.ids[cell])
        assert moved.y0[cell] <= rows.min()
        assert rows.max() < moved.y1[cell] <= 80
        assert moved.x0[cell] <= columns.min()
        assert columns.max() < moved.x1[cell] <= 60
    found = crop_cells(small, numbers, boxes=moved, plan=own).pixels
    assert found.shape == (len(boxes), 2, 16, 16)
    assert (found.max((1, 2, 3)) > 0).all()


@pytest.mark.parametrize("side", [0, 160, 2048])
def test_a_field_no_larger_than_said_is_as_it_was(side):
    pixels, labels = field(1)
    boxes, plan = find_boxes(labels), CropPlan(16)
    same = reduced(pixels, labels, boxes, plan, side)
    assert same[0] is pixels
    assert same[1] is labels
    assert same[2] is boxes


def test_a_side_of_a_few_pixels_is_refused():
    with pytest.raises(BadOption, match="field_side"):
        Options.of({"field_side": 20})
