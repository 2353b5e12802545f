"""What TIFFs say of their numbers: black stored as the largest, signed numbers, dots per inch."""

import numpy as np
import pytest
import tifffile

from cellwise.domain.channels import Channel
from cellwise.domain.records import ChannelFile
from cellwise.errors import InputError
from cellwise.store.images.fields import read_header, read_pixels


def stored(path):
    return read_pixels(ChannelFile(Channel("dna", None), (path.name,)), path.parent)


def noise(dtype, shape=(40, 60)):
    bounds = np.iinfo(dtype)
    return np.random.default_rng(0).integers(bounds.min, bounds.max, shape, dtype, endpoint=True)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "int32"])
def test_the_largest_number_becomes_the_smallest_where_white_is_zero(tmp_path, dtype):
    pixels, bounds = noise(dtype), np.iinfo(dtype)
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="miniswhite")
    seen = stored(tmp_path / "a.tif").astype(np.int64)
    assert (seen == bounds.max - (pixels.astype(np.int64) - bounds.min)).all()


def test_one_bit_with_white_as_zero_is_turned_round(tmp_path):
    pixels = noise("uint8") > 200
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="miniswhite")
    assert (stored(tmp_path / "a.tif").astype(bool) == ~pixels).all()


def test_fractions_with_white_as_zero_are_refused(tmp_path):
    tifffile.imwrite(
        tmp_path / "a.tif", noise("uint16").astype("float32"), photometric="miniswhite"
    )
    with pytest.raises(InputError, match="largest is black") as refused:
        stored(tmp_path / "a.tif")
    assert refused.value.code == "unreadable"


@pytest.mark.parametrize("shape", [(40, 60), (3, 40, 60)])
def test_signed_numbers_of_imagej_are_read_as_signed(tmp_path, shape):
    pixels, path = noise("int16", shape), tmp_path / "a.tif"
    higher = (pixels.astype(np.int32) + 32768).astype(np.uint16)
    said = {"cf": 0, "c0": -32768.0, "c1": 1.0, "vunit": "Gray Value"}
    tifffile.imwrite(path, higher, imagej=True, metadata=said)
    assert read_header(path).dtype == "int16"
    channels = range(shape[0]) if len(shape) > 2 else [None]
    for channel in channels:
        entry = ChannelFile(Channel("dna", None), (path.name,), channel)
        expected = pixels if channel is None else pixels[channel]
        assert np.array_equal(read_pixels(entry, tmp_path), expected)


@pytest.mark.parametrize("said", [{}, {"cf": 0, "c0": 0.0, "c1": 2.0}, {"cf": 20}])
def test_other_calibrations_of_imagej_leave_numbers_alone(tmp_path, said):
    pixels = noise("uint16")
    tifffile.imwrite(tmp_path / "a.tif", pixels, imagej=True, metadata=said)
    assert np.array_equal(stored(tmp_path / "a.tif"), pixels)


@pytest.mark.parametrize(
    ("dots", "unit", "size"),
    [(600, 2, None), (2400, 2, None), (25_400 / 0.65, 2, 0.65), (1000, 3, 10.0), (72, 2, None)],
)
def test_dots_per_inch_of_screens_and_printers_are_no_size_of_a_pixel(tmp_path, dots, unit, size):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, noise("uint8"), resolution=(dots, dots), resolutionunit=unit)
    assert read_header(path).pixel_size == (None if size is None else pytest.approx(size, 1e-3))
