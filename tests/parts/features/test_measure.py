"""Measured features: named, finite or stated missing, and blind to what must not matter."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.parts.features.drawn_cells import CHANNELS, SIDE, draw

from cellwise.domain.channels import Channel
from cellwise.domain.records import Masks
from cellwise.parts.features.granularity import _GROWN, _STEPS
from cellwise.parts.features.measure import background, measure_cells
from cellwise.parts.features.panel import panel_of

PANEL = panel_of(CHANNELS)
NAMES = PANEL.names
# Marked by a threshold or a sector: a pixel on the limit may fall to either side where it turns.
ON_A_LIMIT = ("Objects", "BrightestSector", "Spots", "Texture")


def measured(field, masks, panel=PANEL):
    boxes, numbers = measure_cells(field, masks, panel)
    return dict(zip(boxes.ids.tolist(), numbers, strict=True))


def of(numbers, *words):
    return [n for name, n in zip(NAMES, numbers, strict=True) if all(w in name for w in words)]


@pytest.fixture(scope="module")
def world():
    return draw()


@pytest.fixture(scope="module")
def found(world):
    return measured(*world)


def test_names_are_unique_and_say_object_category_and_channel(found):
    assert len(set(NAMES)) == len(NAMES) == len(found[1])
    assert {name.split("_")[0] for name in NAMES} == {"Cells", "Nuclei", "Cytoplasm"}
    assert {"Nuclei_Texture_Contrast_3_protein", "Cells_AreaShape_Area"} <= set(NAMES)


def test_a_whole_cell_misses_only_zones_and_spots_that_it_does_not_have(found):
    for number in (1, 2, 3, 4):
        missing = [n for n, v in zip(NAMES, found[number], strict=True) if np.isnan(v)]
        assert all("Spots" in name or "Zone" in name for name in missing), missing
        assert len(missing) < 30


def test_a_cell_without_a_nucleus_misses_what_speaks_of_one_and_nothing_else(found):
    for name, value in zip(NAMES, found[5], strict=True):
        inner = name.startswith(("Nuclei_", "Cytoplasm_")) or "Nucle" in name or "Rim" in name
        if inner or "Near" in name or "Middle" in name or "Distance" in name:
            assert np.isnan(value), name
        elif "Zone" not in name:
            assert np.isfinite(value) or "Roundness" in name, name
    assert np.isfinite(of(found[5], "Zone_Mean_Edge_protein")).all()


def test_a_tiny_cell_keeps_its_area_and_misses_the_rest(world):
    field, masks = world
    cells = np.where(masks.cells == 6, 0, masks.cells)
    cells[114, 55:62] = 6
    tiny = measured(field, Masks(cells, masks.nuclei))[6]
    assert tiny[0] == 7
    assert np.isnan(tiny[1:]).all()


@given(seed=st.integers(0, 10_000), kind=st.sampled_from(["flat", "zero", "one", "noise", "full"]))
@settings(max_examples=15, deadline=None)
def test_whatever_the_cells_are_no_number_is_infinite(seed, kind):
    rng = np.random.default_rng(seed)
    height, width = rng.integers(8, 40, 2)
    shape = (3, height, width)
    pixels = {
        "flat": np.full(shape, 0.3), "zero": np.zeros(shape), "one": np.ones(shape),
        "noise": rng.random(shape), "full": rng.random(shape) > 0.5,
    }[kind].astype(np.float32)  # fmt: skip
    cells = np.zeros((height, width), np.uint16)
    for number in (1, 2, 3):
        y, x = rng.integers(0, height), rng.integers(0, width)
        cells[y : y + rng.integers(1, 20), x : x + rng.integers(1, 20)] = number
    nuclei = np.where(rng.random((height, width)) < 0.4, cells, 0).astype(np.uint16)
    if kind == "full":
        cells[:] = 1
    field, _ = draw()
    numbers = measured(replace(field, pixels=pixels), Masks(cells, nuclei))
    assert sorted(numbers) == sorted(set(cells[cells > 0].tolist()))
    for row in numbers.values():
        assert not np.isinf(row).any()
        assert np.isfinite(row[0])


def test_nothing_of_a_neighbour_shows(world, found):
    field, masks = world
    # As bright as any background, so that the field's background stays what it is.
    pixels = field.pixels.copy()
    pixels[:, masks.cells == 2] = np.random.default_rng(1).random((3, (masks.cells == 2).sum()))
    nuclei = np.where(masks.nuclei == 2, 0, masks.nuclei)
    touched = measured(replace(field, pixels=pixels), Masks(masks.cells, nuclei))
    for number in (1, 3, 4, 5):
        np.testing.assert_array_equal(touched[number], found[number])
    assert not np.array_equal(touched[2], found[2])


@pytest.mark.parametrize("turn", ["quarter", "half", "mirror"])
def test_turned_and_mirrored_cells_have_the_same_numbers(world, found, turn):
    move = {
        "quarter": lambda a: np.rot90(a, 1, (-2, -1)),
        "half": lambda a: np.rot90(a, 2, (-2, -1)),
        "mirror": lambda a: np.flip(a, -1),
    }[turn]
    field, masks = world
    again = measured(
        replace(field, pixels=np.ascontiguousarray(move(field.pixels))),
        Masks(np.ascontiguousarray(move(masks.cells)), np.ascontiguousarray(move(masks.nuclei))),
    )
    for number in (1, 4, 5):
        for name, one, other in zip(NAMES, found[number], again[number], strict=True):
            loose = any(word in name for word in ON_A_LIMIT)
            rtol, atol = (0.2, 0.1) if loose else (2e-3, 2e-3)
            np.testing.assert_allclose(one, other, rtol=rtol, atol=atol, err_msg=name)


@given(gain=st.floats(0.2, 1.0))
@settings(max_examples=6, deadline=None)
def test_the_gain_of_the_protein_changes_levels_only(gain):
    field, masks = draw()
    before = measured(field, masks)
    pixels = field.pixels.copy()
    pixels[1] *= np.float32(gain)
    after = measured(replace(field, pixels=pixels), masks)
    for name, one, other in zip(NAMES, before[1], after[1], strict=True):
        if "Intensity_Log" not in name:
            loose = any(word in name for word in ON_A_LIMIT)
            atol = 0.05 if loose else 2e-3
            np.testing.assert_allclose(one, other, rtol=2e-3, atol=atol, err_msg=name)
    level = NAMES.index("Cells_Intensity_LogMean_protein")
    assert after[1][level] < before[1][level] or gain > 0.99


@given(down=st.integers(0, 9), right=st.integers(0, 9))
@settings(max_examples=6, deadline=None)
def test_where_a_cell_lies_in_the_field_does_not_show(down, right):
    field, masks = draw()
    before = measured(field, masks)[1]
    shape = (SIDE + 9, SIDE + 9)
    pixels = np.full((3, *shape), field.pixels[:, masks.cells == 0].min(1)[:, None, None])
    cells, nuclei = np.zeros(shape, np.uint16), np.zeros(shape, np.uint16)
    spot = (slice(down, down + SIDE), slice(right, right + SIDE))
    pixels[(slice(None), *spot)] = field.pixels
    cells[spot], nuclei[spot] = masks.cells, masks.nuclei
    # The same background for both.
    outside = np.ones(shape, bool)
    outside[spot] = False
    pixels[:, outside] = np.resize(field.pixels[:, masks.cells == 0], (3, outside.sum()))
    after = measured(replace(field, pixels=pixels.astype(np.float32)), Masks(cells, nuclei))[1]
    np.testing.assert_allclose(before, after, rtol=0.1, atol=0.1)


def test_a_plate_measures_each_stain_and_pairs_them_once():
    stains = (Channel("dna", "nucleus"), Channel("er", "er"), Channel("agp", "actin"))
    names = panel_of(stains).names
    for stain in ("nucleus", "er", "actin"):
        assert f"Cells_Scale_LogEnergy_1.6_{stain}" in names
    assert "Cells_Correlation_Pearson_nucleus_er" in names
    assert "Cells_Correlation_Pearson_er_nucleus" not in names
    left = panel_of(CHANNELS, without=["protein"]).names
    assert not any("protein" in name for name in left)
    assert "Cells_Scale_LogEnergy_1.6_microtubule" in left


def test_two_stains_of_one_role_are_told_apart_by_their_names():
    names = panel_of((Channel("a", "protein"), Channel("b", "protein"))).names
    assert len(names) == len(set(names))
    assert {"Cells_Scale_LogEnergy_1.6_a", "Cells_Scale_LogEnergy_1.6_b"} <= set(names)


def test_nuclei_alone_are_measured_with_three_pixels_around_them():
    channels = (Channel("dna", "nucleus"),)
    field, masks = draw(channels=channels)
    panel = panel_of(channels)
    found = measured(field, masks, panel)
    names = panel.names
    assert "Nuclei_Intensity_LogHu_1_nucleus" in names
    area, nucleus = names.index("Cells_AreaShape_Area"), names.index("Nuclei_AreaShape_Area")
    assert found[1][nucleus] == (masks.nuclei == 1).sum()
    radius = np.sqrt(found[1][[nucleus, area]] / np.pi)
    assert 2.5 < radius[1] - radius[0] < 3.5
    # The outline of a cell does not matter as long as it keeps others away.
    bare = measured(field, Masks(masks.nuclei, masks.nuclei), panel)
    np.testing.assert_array_equal(bare[1][:13], found[1][:13])


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0, 400, 700]))
def test_backgrounds_are_numpys_percentiles_to_the_last_bit(seed, free):
    random = np.random.default_rng(seed)
    pixels = random.normal(0.1, 0.03, (2, 30, 40)).astype(np.float32)
    pixels[1] = np.round(pixels[1] * 255) / 255
    cells = (np.arange(1200) >= free).astype(np.uint16).reshape(30, 40)
    for plane, (level, noise) in zip(pixels, background(pixels, cells), strict=True):
        some, wish = (plane[cells == 0], (20, 50)) if free >= 500 else (plane.ravel(), (1, 5))
        low, high = np.percentile(some, wish)
        assert (level, noise) == (float(low), float(high - low))


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from(sorted(_GROWN)))
def test_one_large_square_grows_as_far_as_small_ones_in_turn(seed, radius):
    image = np.random.default_rng(seed).integers(0, 65536, (50, 50)).astype(np.uint16)
    image[:10], image[-10:], image[:, :10], image[:, -10:] = 0, 0, 0, 0
    slow = quick = image
    for step in reversed(_STEPS[:radius]):
        slow = cv2.dilate(slow, step)
    for step in _GROWN[radius]:
        quick = cv2.dilate(quick, step)
    np.testing.assert_array_equal(quick, slow)
