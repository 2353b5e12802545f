"""Files of their full length whose end was never copied."""

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st

from cellwise.domain.channels import Channel
from cellwise.domain.records import ChannelFile
from cellwise.errors import InputError
from cellwise.store.images.fields import read_pixels

HEIGHT, WIDTH = 24, 32


def file_of(path, start, *, other=(), **options):
    """An image above zero that is zero from one pixel on, and in others."""
    flat = np.random.default_rng(0).integers(300, 4000, HEIGHT * WIDTH, dtype=np.uint16)
    flat[start:] = 0
    flat[list(other)] = 0
    pixels = flat.reshape(HEIGHT, WIDTH)
    tifffile.imwrite(path, pixels, **options)
    return pixels


def stored(path):
    return read_pixels(ChannelFile(Channel("dna", None), (path.name,)), path.parent)


@given(st.integers(1, HEIGHT * WIDTH - WIDTH))
def test_zeros_from_within_a_row_to_the_end_are_refused_and_a_black_border_is_not(
    tmp_path_factory, start
):
    path = tmp_path_factory.mktemp("cut") / "a.tif"
    pixels = file_of(path, start)
    if start % WIDTH == 0:
        assert np.array_equal(stored(path), pixels)
        return
    with pytest.raises(InputError, match=rf"from row {start // WIDTH + 1} of 24 rows") as refused:
        stored(path)
    assert refused.value.code == "truncated"


@pytest.mark.parametrize(
    ("start", "other", "options"),
    [
        (HEIGHT * WIDTH, (), {}),
        (HEIGHT * WIDTH - 5, (), {}),
        (300, (7,), {}),
        (300, (), {"compression": "zlib"}),
        (300, (), {"tile": (16, 16)}),
        (0, (), {}),
    ],
)
def test_whole_masked_compressed_and_empty_images_are_read(tmp_path, start, other, options):
    pixels = file_of(tmp_path / "a.tif", start, other=other, **options)
    assert np.array_equal(stored(tmp_path / "a.tif"), pixels)


def test_a_plane_of_a_stack_is_looked_at_too(tmp_path):
    stack = np.random.default_rng(0).integers(300, 4000, (3, HEIGHT, WIDTH), dtype=np.uint16)
    stack.reshape(-1)[2 * HEIGHT * WIDTH + 100 :] = 0
    tifffile.imwrite(tmp_path / "a.tif", stack, photometric="minisblack")
    with pytest.raises(InputError, match="broken off"):
        stored(tmp_path / "a.tif")
