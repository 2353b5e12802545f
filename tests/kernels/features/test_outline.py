"""The outline of one mask: as scikit-image and the pass over label images have it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.measure import perimeter

from cellwise.kernels.boxes import find_boxes
from cellwise.kernels.features.outline import measure_outline
from cellwise.kernels.shape import measure_shapes


@given(seed=st.integers(0, 10_000), share=st.floats(0.02, 1))
@settings(max_examples=40, deadline=None)
def test_a_mask_is_measured_as_a_label_image_is(seed, share):
    inner = np.random.default_rng(seed).random((11, 14)) < share
    inner[4, 5] = True
    mask = np.pad(inner, 2).astype(np.uint8)
    area, around, eccentricity, solidity = measure_outline(mask)
    boxes = find_boxes(mask)
    shapes = measure_shapes(mask, boxes)
    assert area == boxes.area[0]
    assert around == pytest.approx(perimeter(mask))
    assert eccentricity == pytest.approx(shapes.eccentricity[0], abs=1e-6)
    assert solidity == pytest.approx(shapes.solidity[0])


def test_an_empty_mask_has_an_area_and_nothing_else():
    area, *others = measure_outline(np.zeros((6, 6), np.uint8))
    assert area == 0
    assert np.isnan(others).all()
