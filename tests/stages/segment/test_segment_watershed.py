"""Segmentation by watershed: discs whose number, place and size are known, and real fields."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cellwise.domain.channels import Channel
from cellwise.domain.records import Field
from cellwise.errors import BadOption, InputError
from cellwise.stages.segment import segmenters


def discs(shape, centres, radius, *, level=0.6, ground=0.05, noise=0.005, seed=0):
    """Discs with slightly soft edges on an even ground."""
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    image = np.full(shape, ground, np.float32)
    for cy, cx in centres:
        reach = np.hypot(y - cy, x - cx) - radius
        image += (level - ground) * np.clip(0.5 - reach / 2, 0, 1) * (image < level)
    image = np.minimum(image, level)
    rng = np.random.default_rng(seed)
    return np.clip(image + rng.normal(0, noise, shape), 0, 1).astype(np.float32)


def field(*planes, roles=("nucleus", "er", "actin")):
    channels = tuple(Channel(role, role) for role in roles[: len(planes)])
    return Field("site", np.stack(planes), channels)


def well_formed(masks):
    """Ids 1..n without gaps, each nucleus in the cell of its number; returns n."""
    n = int(masks.cells.max(initial=0))
    assert masks.cells.dtype in (np.uint16, np.uint32)
    assert masks.nuclei.dtype in (np.uint16, np.uint32)
    assert np.array_equal(np.unique(masks.cells[masks.cells > 0]), np.arange(1, n + 1))
    assert np.array_equal(np.unique(masks.nuclei[masks.nuclei > 0]), np.arange(1, n + 1))
    inside = masks.nuclei > 0
    assert np.array_equal(masks.cells[inside], masks.nuclei[inside])
    return n


SIX = [(40, 40), (40, 120), (40, 200), (120, 60), (120, 140), (200, 100)]


def test_six_discs_are_six_cells_at_their_places():
    masks = segmenters.build("watershed")(field(discs((240, 240), SIX, 12)))
    assert well_formed(masks) == 6
    for y, x in SIX:
        own = masks.nuclei == masks.nuclei[y, x]
        assert own.sum() == pytest.approx(np.pi * 12**2, rel=0.15)


def test_two_touching_discs_are_two_nuclei():
    plane = discs((120, 160), [(60, 60), (60, 82)], 13)
    masks = segmenters.build("watershed")(field(plane))
    assert well_formed(masks) == 2
    assert masks.nuclei[60, 60] != masks.nuclei[60, 82]


def test_a_split_of_zero_leaves_them_together():
    plane = discs((120, 160), [(60, 60), (60, 82)], 13)
    masks = segmenters.build({"name": "watershed", "split": 0.0})(field(plane))
    assert well_formed(masks) == 1


@pytest.mark.parametrize("radius", [5, 10, 25, 60])
def test_nuclei_of_10_to_120_pixels_need_no_setting(radius):
    step = 4 * radius
    centres = [(step * (i + 0.6), step * (j + 0.6)) for i in range(3) for j in range(3)]
    side = round(step * 3.2)
    masks = segmenters.build("watershed")(field(discs((side, side), centres, radius)))
    assert well_formed(masks) == 9
    areas = np.bincount(masks.nuclei.ravel())[1:]
    assert np.median(areas) == pytest.approx(np.pi * radius**2, rel=0.25)


def test_uneven_light_hides_no_nucleus():
    ramp = np.linspace(0.0, 0.35, 240, dtype=np.float32)[None, :]
    masks = segmenters.build("watershed")(field(discs((240, 240), SIX, 12, level=0.3) + ramp))
    assert well_formed(masks) == 6


def test_dim_nuclei_beside_bright_ones_are_found():
    plane = discs((240, 240), SIX[:3], 12, level=0.9)
    plane = np.maximum(plane, discs((240, 240), SIX[3:], 12, level=0.2))
    assert well_formed(segmenters.build("watershed")(field(plane))) == 6


def test_debris_is_judged_against_the_nuclei_of_the_image():
    plane = np.maximum(discs((240, 240), SIX, 12), discs((240, 240), [(200, 200), (220, 30)], 3))
    assert well_formed(segmenters.build("watershed")(field(plane))) == 6


def test_the_edge_of_the_field_leaves_slivers_or_takes_them():
    plane = discs((240, 240), [*SIX, (-6, 160), (244, 30)], 12)
    kept = segmenters.build("watershed")(field(plane))
    dropped = segmenters.build({"name": "watershed", "slivers": "drop"})(field(plane))
    assert well_formed(kept) == 8
    assert well_formed(dropped) == 6
    assert dropped.cells[0, 160] == 0


def test_a_spotted_nucleus_stays_one():
    rng = np.random.default_rng(1)
    plane = discs((300, 300), [(90, 90), (90, 210), (210, 150)], 40, noise=0.0)
    spots = np.kron(rng.uniform(0.4, 1.6, (60, 60)), np.ones((5, 5)))
    masks = segmenters.build("watershed")(field((plane * spots).astype(np.float32)))
    assert well_formed(masks) == 3


def test_a_bright_neighbour_does_not_flow_around_a_nucleus():
    nuclei = discs((120, 200), [(60, 60), (60, 110)], 12)
    body = np.maximum(
        discs((120, 200), [(60, 60)], 26, level=0.15), discs((120, 200), [(60, 110)], 26, level=0.6)
    )
    cells = segmenters.build("watershed")(field(nuclei, body)).cells
    assert (cells == cells[60, 60]).sum() > 1.5 * np.pi * 12**2


def test_cells_follow_the_cytoplasm_and_meet_in_the_valley():
    nuclei = discs((120, 200), [(60, 60), (60, 130)], 10)
    body = np.maximum(
        discs((120, 200), [(60, 60)], 24, level=0.4), discs((120, 200), [(60, 130)], 40, level=0.4)
    )
    masks = segmenters.build("watershed")(field(nuclei, body))
    assert well_formed(masks) == 2
    left, right = masks.cells[60, 60], masks.cells[60, 130]
    assert (masks.cells == left).sum() == pytest.approx(np.pi * 24**2, rel=0.2)
    assert masks.cells[60, 130 - 36] == right
    assert masks.cells[5, 5] == 0


def test_without_cytoplasm_a_cell_is_a_ring_that_stops_half_way_to_its_neighbour():
    masks = segmenters.build("watershed")(field(discs((120, 160), [(60, 60), (60, 90)], 12)))
    assert well_formed(masks) == 2
    ring = masks.cells[60]
    assert ring[74] == ring[60]
    assert ring[76] == ring[90]
    height = np.flatnonzero((masks.cells == ring[60]).any(axis=1))
    assert len(height) == pytest.approx(48, abs=6)


def test_reach_limits_a_cell_on_a_bright_ground():
    body = np.full((240, 240), 0.02, np.float32)
    body[20:220, 20:220] = 0.5
    part = segmenters.build({"name": "watershed", "reach": 0.5})
    cells = part(field(discs((240, 240), [(120, 120)], 15), body)).cells
    rows = np.flatnonzero(cells.any(axis=1))
    assert len(rows) == pytest.approx(60, abs=8)


@pytest.mark.parametrize("constant", [0.0, 0.3, 1.0])
def test_a_constant_image_has_no_cells(constant):
    plane = np.full((64, 64), constant, np.float32)
    masks = segmenters.build("watershed")(field(plane, plane))
    assert well_formed(masks) == 0
    assert masks.cells.shape == (64, 64)
    assert masks.cells.dtype == np.uint16


@pytest.mark.parametrize("seed", range(5))
def test_noise_alone_has_no_cells(seed):
    noise = np.random.default_rng(seed).normal(0.1, 0.02, (256, 256)).astype(np.float32)
    assert well_formed(segmenters.build("watershed")(field(noise))) == 0


@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (1, 40), (7, 7), (500, 3)])
def test_tiny_images_give_masks_of_their_size(shape):
    plane = np.random.default_rng(0).random(shape).astype(np.float32)
    masks = segmenters.build("watershed")(field(plane))
    assert masks.cells.shape == shape
    well_formed(masks)


def test_five_thousand_cells():
    stamp = discs((20, 20), [(10, 10)], 6, noise=0)
    plane = np.tile(stamp, (50, 100))
    plane += np.random.default_rng(0).normal(0, 0.005, plane.shape).astype(np.float32)
    masks = segmenters.build("watershed")(field(plane, plane))
    assert well_formed(masks) == 5000


def test_the_same_field_gives_the_same_masks():
    one = field(discs((240, 240), SIX, 12), discs((240, 240), SIX, 25, level=0.3))
    part = segmenters.build("watershed")
    first, second = part(one), part(one)
    assert np.array_equal(first.cells, second.cells)
    assert np.array_equal(first.nuclei, second.nuclei)


def test_a_field_without_nucleus_channel_says_what_it_has():
    plane = discs((64, 64), [(30, 30)], 8)
    with pytest.raises(InputError, match="found: er, actin") as caught:
        segmenters.build("watershed")(field(plane, plane, roles=("er", "actin")))
    assert caught.value.code == "channel_missing"
    assert "add --set read.roles.er=nucleus (or read.roles.actin=nucleus)" in caught.value.remedy


def test_a_single_channel_is_taken_for_the_nucleus():
    plane = discs((64, 64), [(30, 30)], 8)
    masks = segmenters.build("watershed")(field(plane, roles=("er",)))
    assert well_formed(masks) == 1


def test_a_body_channel_that_is_not_there_is_named():
    with pytest.raises(InputError, match="no channel 'rna'"):
        segmenters.build({"name": "watershed", "body": ["rna"]})(
            field(discs((64, 64), [(30, 30)], 8))
        )


def test_the_protein_is_asked_only_where_nothing_else_shows_the_body():
    nucleus = discs((120, 120), [(60, 60)], 12)
    wide = discs((120, 120), [(60, 60)], 30)
    narrow = discs((120, 120), [(60, 60)], 20)
    part = segmenters.build("watershed")
    both = part(field(nucleus, wide, narrow, roles=("nucleus", "protein", "er")))
    alone = part(field(nucleus, wide, roles=("nucleus", "protein")))
    assert (both.cells > 0).sum() == pytest.approx(np.pi * 20**2, rel=0.2)
    assert (alone.cells > 0).sum() == pytest.approx(np.pi * 30**2, rel=0.2)


@pytest.mark.parametrize("option", [{"split": 2.0}, {"reach": -1.0}, {"debris": "many"}])
def test_options_out_of_range_are_refused(option):
    with pytest.raises(BadOption):
        segmenters.build({"name": "watershed", **option})


@st.composite
def scattered(draw):
    """Discs of one size on a jittered grid, apart from each other."""
    radius = draw(st.integers(6, 16))
    seed = draw(st.integers(0, 1000))
    rng = np.random.default_rng(seed)
    step = 3 * radius
    spots = [
        (step * (i + 0.8) + rng.uniform(-2, 2), step * (j + 0.8) + rng.uniform(-2, 2))
        for i in range(4)
        for j in range(5)
        if rng.random() < 0.7
    ] or [(step, step)]
    shape = (round(step * 4.6), round(step * 5.6))
    return discs(shape, spots, radius, noise=0.002, seed=seed), len(spots)


@given(scattered(), st.floats(0.05, 1.0))
@settings(max_examples=15, deadline=None)
def test_the_count_does_not_depend_on_gain(scene, gain):
    plane, count = scene
    part = segmenters.build("watershed")
    assert well_formed(part(field(plane))) == count
    assert well_formed(part(field(plane * np.float32(gain)))) == count


@given(scattered())
@settings(max_examples=15, deadline=None)
def test_the_count_does_not_depend_on_bit_depth(scene):
    plane, count = scene
    part = segmenters.build("watershed")
    for top in (255, 4095, 65535):
        stored = np.round(plane * top) / np.float32(top)
        assert well_formed(part(field(stored.astype(np.float32)))) == count


@given(scattered())
@settings(max_examples=15, deadline=None)
def test_the_count_does_not_depend_on_orientation(scene):
    plane, count = scene
    part = segmenters.build("watershed")
    for turned in (plane.T, plane[::-1], np.rot90(plane)):
        assert well_formed(part(field(np.ascontiguousarray(turned)))) == count
