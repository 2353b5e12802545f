"""Fields made smaller: blocks keep to the cell in their middle."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cellwise.kernels.reduce import reduce_field


@given(seed=st.integers(0, 10_000), factor=st.integers(1, 5))
@settings(max_examples=20, deadline=None)
def test_blocks_are_means_of_the_pixels_of_one_cell(seed, factor):
    rng = np.random.default_rng(seed)
    pixels = rng.random((2, 17, 23)).astype(np.float32)
    cells = rng.integers(0, 3, (17, 23)).astype(np.uint16)
    nuclei = np.where(rng.random(cells.shape) < 0.5, cells, 0).astype(np.uint16)
    small, inside, inner = reduce_field(pixels, cells, nuclei, factor)
    assert small.shape == (2, 17 // factor, 23 // factor)
    for y, x in np.ndindex(inside.shape):
        block = (slice(y * factor, (y + 1) * factor), slice(x * factor, (x + 1) * factor))
        middle = (y * factor + factor // 2, x * factor + factor // 2)
        assert (inside[y, x], inner[y, x]) == (cells[middle], nuclei[middle])
        own = cells[block] == cells[middle]
        wanted = [pixels[c][block][own].mean() for c in range(2)]
        np.testing.assert_allclose(small[:, y, x], wanted, rtol=1e-5)


@pytest.mark.parametrize("factor", [2, 4])
def test_an_even_cell_keeps_its_level_whatever_lies_beside_it(factor):
    cells = np.zeros((32, 32), np.uint16)
    cells[:, 13:] = 1
    pixels = np.where(cells == 1, 0.25, 0.9).astype(np.float32)[None]
    small, inside, _ = reduce_field(pixels, cells, cells, factor)
    np.testing.assert_allclose(small[0][inside == 1], 0.25)
