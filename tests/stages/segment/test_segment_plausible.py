"""Masks that cannot be those of their field are named, and true ones never."""

import itertools

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps
from tests.masked_images import discs, lit

from cellwise.domain.channels import Channel
from cellwise.domain.records import Field
from cellwise.errors import InputError
from cellwise.stages.segment import segmenters
from cellwise.stages.segment.given import Brought
from cellwise.stages.segment.given.plausible import doubt
from cellwise.stages.segment.given.turned import unturned

SIDE = 192
RADIUS = 9
REAL = ("bbbc039_nuclei", "dsb2018_fluorescence")


def world(seed, *, full=200.0):
    """Labels of discs, and the field that shows them; `full` is how bright they are, of 255."""
    labels = discs(seed, side=SIDE, count=18, radius=RADIUS)
    return labels, field_of(lit(labels, seed, full=full))


def field_of(plane):
    pixels = plane.astype(np.float32)[None] / np.iinfo(plane.dtype).max
    return Field("site", pixels, (Channel("dna", "nucleus"),))


def lines(labels):
    """The border of each label, two pixels wide."""
    inner = np.ones_like(labels, bool)
    for axis in (0, 1):
        for step in (-2, -1, 1, 2):
            inner &= np.roll(labels, step, axis) == labels
    return np.where(inner, 0, labels)


def larger(labels):
    """The middle of the mask, twice as large."""
    quarter = SIDE // 4
    return labels[quarter:-quarter, quarter:-quarter].repeat(2, axis=0).repeat(2, axis=1)


WRONG = {
    "separate pieces far apart": lambda labels: labels % 7 + (labels % 7 == 0) * (labels > 0),
    "separate pieces": lambda labels: (labels > 0).astype(np.uint8) * 3,
    "is the background": lambda labels: labels + 1,
    "holds one number": lambda labels: np.full_like(labels, 4),
    "is empty": np.zeros_like,
    "lines, not filled": lines,
    "only upside down": lambda labels: labels[::-1],
    "only mirrored": lambda labels: labels[:, ::-1],
    "only with rows and columns exchanged": lambda labels: labels.T,
    "only turned by half": lambda labels: labels[::-1, ::-1],
    "it fits the image when moved": lambda labels: np.roll(labels, (15, -9), (0, 1)),
    "as if it were of another field": lambda labels: discs(99, side=SIDE, count=18, radius=RADIUS),
    "does not lie on": larger,
}


@pytest.mark.parametrize("words", WRONG)
@pytest.mark.parametrize("seed", [1, 2])
def test_each_way_to_go_wrong_is_named(words, seed):
    labels, field = world(seed)
    assert words in doubt(field, WRONG[words](labels), "cells")


@given(
    seed=st.integers(0, 10_000),
    full=st.sampled_from([2.0, 4.0, 10.0, 60.0, 250.0]),
    shift=st.integers(-2, 2),
)
@settings(max_examples=40, deadline=None)
def test_true_masks_are_never_doubted_however_dim_their_field(seed, full, shift):
    labels, field = world(seed, full=full)
    assert doubt(field, np.roll(labels, shift, (0, 1)), "nuclei") == ""


@given(seed=st.integers(0, 10_000))
@settings(max_examples=10, deadline=None)
def test_an_image_that_shows_nothing_says_nothing_about_a_mask(seed):
    labels, _ = world(seed)
    dark = np.random.default_rng(seed).normal(20, 2, labels.shape).clip(0).astype(np.uint8)
    for plane in (dark, np.zeros_like(dark)):
        assert doubt(field_of(plane), labels, "cells") == ""
        assert doubt(field_of(plane), np.zeros_like(labels), "cells") == ""


def test_a_cell_in_two_pieces_side_by_side_is_fine_and_so_is_one_slip_of_the_hand():
    labels, field = world(3)
    rows, columns = np.nonzero(labels == 5)
    cut = labels.copy()
    cut[np.unique(rows)[len(np.unique(rows)) // 2]] *= labels[int(np.median(rows))] != 5
    assert doubt(field, cut, "cells") == ""
    assert len(columns)
    assert doubt(field, np.where(labels == 4, 9, labels), "cells") == ""


def test_a_shift_is_told_in_pixels():
    labels, field = world(1)
    shifted = np.roll(labels, (15, -9), (0, 1))
    assert "moved 15 pixels up and 9 pixels right" in doubt(field, shifted, "cells")


def shown(pixels, orientation):
    """An image as Pillow shows it, by its mark."""
    image = Image.fromarray(pixels)
    exif = Image.Exif()
    exif[274] = orientation
    image.info["exif"] = exif.tobytes()
    image.getexif()[274] = orientation
    return np.asarray(ImageOps.exif_transpose(image))


@settings(max_examples=24, deadline=None)
@given(st.integers(0, 40), st.integers(2, 8), st.booleans())
def test_a_mask_drawn_on_the_image_as_it_is_shown_is_named(seed, orientation, wide):
    labels, field = world(seed)
    if wide:
        labels, field = labels[:140], field_of(lit(labels, seed)[:140])

    def taken(mask, **options):
        brought = Brought(mask, image_turned=orientation)
        part = segmenters.build({"name": "given", "load": lambda _: brought, **options})
        return part(field).cells

    assert np.array_equal(taken(labels), labels)
    drawn = shown(labels, orientation)
    assert np.array_equal(unturned(drawn, orientation), labels)
    with pytest.raises(InputError) as caught:
        taken(drawn)
    square = drawn.shape == labels.shape
    assert caught.value.code == ("mask_turned" if square else "mask_size")
    if square:
        assert "as it is shown and not as it is stored" in caught.value.reason
        assert np.array_equal(taken(drawn, implausible="take"), drawn)
    dark = field_of(np.zeros(labels.shape, np.uint8))
    brought = Brought(labels, image_turned=orientation)
    with pytest.raises(InputError, match="nothing in the image tells"):
        segmenters.build({"name": "given", "load": lambda _: brought})(dark)


def test_what_is_known_to_be_right_is_taken():
    labels, field = world(4)
    wrong = labels[::-1].copy()

    def segmenter(**options):
        return segmenters.build({"name": "given", "load": lambda _: Brought(wrong), **options})

    with pytest.raises(InputError, match="only upside down") as caught:
        segmenter()(field)
    assert caught.value.code == "mask_implausible"
    assert "segment.implausible=take" in caught.value.remedy
    assert np.array_equal(segmenter(implausible="take")(field).cells, wrong)


@pytest.mark.parametrize("name", REAL)
def test_no_true_mask_of_real_nuclei_is_doubted_and_those_of_other_fields_are(name, shared_data):
    folder = shared_data / name
    pairs = [
        (field_of(_read(path)), _read(folder / "labels" / f"{path.stem}.png"))
        for path in sorted((folder / "images").iterdir())[:12]
    ]
    assert [doubt(field, labels, "nuclei") for field, labels in pairs] == [""] * len(pairs)
    rich = [(f, m) for f, m in pairs if len(np.unique(m)) > 15]
    others = [
        doubt(field, other, "nuclei")
        for (field, labels), (_, other) in itertools.pairwise(rich)
        if labels.shape == other.shape
    ]
    assert others
    assert all(others)


def _read(path):
    return tifffile.imread(path) if path.suffix == ".tif" else np.asarray(Image.open(path))
