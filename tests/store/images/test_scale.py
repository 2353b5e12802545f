"""Stored numbers in 0..1: whatever the type, equal pictures give equal numbers or none."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellwise.domain.intensities import Scale, decide, kind_of
from cellwise.errors import InputError
from cellwise.store.images.scale import levels_of, to_unit

PICTURE = np.random.default_rng(5).beta(1, 5, (40, 60))
FAMILIES = {
    "unit": lambda p: p.astype(np.float32),
    "double": lambda p: p.astype(np.float64),
    "counts in float": lambda p: (p * 2600 + 90).astype(np.float32),
    "16-bit in float": lambda p: (p * 51_000).astype(np.float64),
    "sums in float": lambda p: (p * 300_000).astype(np.float32),
    "int16": lambda p: np.rint(p * 3700).astype(np.int16),
    "int32": lambda p: np.rint(p * 9000 - 40).astype(np.int32),
    "uint16": lambda p: np.rint(p * 3700).astype(np.uint16),
    "uint32": lambda p: np.rint(p * 170_000).astype(np.uint32),
    "uint8": lambda p: np.rint(p * 240).astype(np.uint8),
}


def scaled(image, scale):
    """The image in 0..1, or None where it is set aside."""
    try:
        return to_unit(image, scale, channel="gfp")[0]
    except InputError as error:
        if error.code in ("scale_mismatch", "all_saturated"):
            return None
        raise


def folder_scale(images):
    return decide(kind_of(images[0].dtype.name), [levels_of(image) for image in images])


@given(
    family=st.sampled_from(sorted(FAMILIES)),
    count=st.integers(2, 5),
    odd=st.integers(0, 4),
    pixels=st.integers(1, 40),
    factor=st.floats(1.01, 1e4),
    seen=st.booleans(),
)
def test_a_few_bright_pixels_never_change_the_scale_of_an_image(
    family, count, odd, pixels, factor, seen
):
    images = [FAMILIES[family](PICTURE) for _ in range(count)]
    bright = images[odd % count]
    top = np.iinfo(bright.dtype).max if bright.dtype.kind in "ui" else np.inf
    bright.ravel()[:pixels] = min(float(bright.max()) * factor, top)
    # Whether the odd one was among those that were looked at or not.
    rest = [image for image in images if image is not bright]
    scale = folder_scale(images if seen else rest)
    found = [scaled(image, scale) for image in images]
    assert all(one is not None for one in found if one is not found[odd % count])
    for one in found:
        if one is not None:
            np.testing.assert_array_equal(
                one.ravel()[pixels:], found[odd % count - 1].ravel()[pixels:]
            )


@given(family=st.sampled_from(sorted(set(FAMILIES) - {"uint8"})), factor=st.floats(0.3, 1.0))
def test_ratios_between_images_hold(family, factor):
    images = [FAMILIES[family](PICTURE), FAMILIES[family](PICTURE * factor)]
    low, high = (scaled(image, folder_scale(images)) for image in reversed(images))
    stored = images[1].astype(float).clip(0).mean() / images[0].astype(float).clip(0).mean()
    assert low.mean(dtype=float) / high.mean(dtype=float) == pytest.approx(stored, rel=1e-4)


@given(family=st.sampled_from(sorted(FAMILIES)), shift=st.floats(0.1, 1e5))
def test_negative_numbers_are_never_a_black_image(family, shift):
    image = FAMILIES[family](PICTURE)
    if image.dtype.kind == "u":
        return
    lowest = np.iinfo(image.dtype).min if image.dtype.kind == "i" else -np.inf
    moved = (image.astype(float) - image.max() - max(shift, 1)).clip(lowest).astype(image.dtype)
    assert scaled(moved, folder_scale([image])) is None
    assert scaled(moved, folder_scale([moved])) is None


def test_counts_have_the_same_values_in_whatever_integer_type():
    stored = np.rint(PICTURE * 4000)
    images = [stored.astype(kind) for kind in (np.uint16, np.int16, np.int32, np.uint32)]
    first, *others = [scaled(image, folder_scale([image])) for image in images]
    for other in others:
        np.testing.assert_array_equal(first, other)


def test_signed_numbers_with_an_offset_are_unsigned_ones_once_it_is_said():
    counts = np.rint(PICTURE * 4000).astype(np.uint16)
    shifted = (counts.astype(np.int32) - 32768).astype(np.int16)
    values, flags = to_unit(shifted, Scale.parse("-32768..32767"))
    np.testing.assert_allclose(values, to_unit(counts, Scale(0, 65535))[0], atol=1e-7)
    assert flags == []


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32"])
def test_what_is_clipped_everywhere_is_set_aside(dtype):
    tops = {"uint8": 255, "uint16": 4095, "int16": 4095, "float32": 1.0}
    scale = decide(kind_of(dtype), [])
    image = np.full((30, 30), tops[dtype], dtype)
    with pytest.raises(InputError, match="saturated") as caught:
        to_unit(image, scale, channel="gfp", path="a.tif")
    assert (caught.value.code, caught.value.path) == ("all_saturated", "a.tif")
    image[:3] = 0
    assert to_unit(image, scale)[0].max() > 0


def test_what_was_changed_is_said():
    image = PICTURE.astype(np.float32)
    image[0, :3] = np.nan, -0.2, 7
    values, flags = to_unit(image, Scale(0, 1, "float"))
    assert values[0, :3].tolist() == [0, 0, 1]
    assert flags == ["nan", "negative", "clipped"]


def test_another_number_type_than_the_channels_is_set_aside():
    with pytest.raises(InputError, match=r"stored as uint8, the scale is counts 0\.\.65535"):
        to_unit(FAMILIES["uint8"](PICTURE), Scale(0, 65535, "counts"), channel="gfp")
