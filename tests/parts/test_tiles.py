"""Tiles: against a slow cut, and refused where none fits."""

import pytest
import torch

from cellwise.errors import BadOption
from cellwise.parts.tiles import tiles_of


@pytest.mark.parametrize(("height", "width", "side"), [(8, 8, 4), (9, 13, 4), (6, 6, 6)])
def test_tiles_are_cut_row_by_row(height, width, side):
    pixels = torch.arange(2 * 3 * height * width).reshape(2, 3, height, width).float()
    found = tiles_of(pixels, side)
    places = [
        (y, x) for y in range(0, height - side + 1, side) for x in range(0, width - side + 1, side)
    ]
    assert found.shape == (2, len(places), 3, side, side)
    for k, (y, x) in enumerate(places):
        assert torch.equal(found[:, k], pixels[:, :, y : y + side, x : x + side])


def test_a_tile_larger_than_the_image_is_refused():
    with pytest.raises(BadOption, match="do not fit"):
        tiles_of(torch.zeros(1, 1, 8, 8), 9)
