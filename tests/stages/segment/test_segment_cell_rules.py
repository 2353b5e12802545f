"""The HPA-Cell-Segmentation rules: beside the same rules written plainly, and each rule by hand."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from benchmarks.segmentation import best_iou, by_rules, make_maps, make_truth, plain_full
from hypothesis import given, settings
from hypothesis import strategies as st

from cellwise.kernels.boxes import find_boxes
from cellwise.stages.segment.hpa_unet.cell_rules import label_maps

SIDE = 512


def square(plane, y, x, *, reach, value):
    plane[max(y - reach, 0) : y + reach, max(x - reach, 0) : x + reach] = value


def blank(height=SIDE, width=SIDE):
    return np.zeros((3, height, width), np.uint8), np.zeros((3, height, width), np.uint8)


def one_cell(y=256, x=256, *, maps=None, nucleus_reach=12, cell_reach=40) -> tuple[Any, Any]:
    nucleus, cell = blank() if maps is None else maps
    square(nucleus[2], y, x, reach=nucleus_reach, value=255)
    square(cell[2], y, x, reach=cell_reach, value=255)
    return nucleus, cell


def assert_well_formed(found, shape):
    cells, nuclei = found.masks.cells, found.masks.nuclei
    assert cells.shape == nuclei.shape == shape
    assert cells.dtype in (np.uint16, np.uint32)
    boxes = find_boxes(cells)
    assert boxes.ids.tolist() == list(range(1, len(found.areas) + 1))
    assert boxes.area.tolist() == found.areas.tolist()
    outlines = np.stack([boxes.y0, boxes.x0, boxes.y1, boxes.x1], axis=1)
    assert np.array_equal(outlines.reshape(-1, 4), found.boxes)
    inside = nuclei > 0
    assert np.array_equal(nuclei[inside], cells[inside])


@pytest.mark.parametrize(
    ("cells", "shape", "seed"),
    [
        (1, (512, 512), 0),
        (8, (512, 512), 1),
        (30, (1024, 1024), 0),
        (24, (600, 1000), 1),
        (20, (900, 500), 0),
    ],
)
def test_as_the_rules_written_plainly(cells, shape, seed):
    truth, nuclei = make_truth(cells, shape, seed)
    maps = make_maps(truth, nuclei, seed=seed)
    same_size = label_maps(*maps, maps[0].shape[1:])
    plain_cells, plain_nuclei = by_rules(*maps)
    assert_well_formed(same_size, maps[0].shape[1:])
    assert same_size.masks.cells.max() == plain_cells.max() == cells
    assert best_iou(same_size.masks.cells, plain_cells) > 0.99
    assert best_iou(same_size.masks.nuclei, plain_nuclei) > 0.97
    full = label_maps(*maps, shape)
    slow_cells, slow_nuclei = plain_full(*maps, shape)
    assert_well_formed(full, shape)
    assert full.masks.cells.max() == slow_cells.max() == cells
    assert best_iou(full.masks.cells, slow_cells) > 0.97
    assert best_iou(full.masks.nuclei, slow_nuclei) > 0.96
    assert best_iou(full.masks.cells, truth) > best_iou(slow_cells, truth) - 0.005


def test_300_cells_keep_their_numbers():
    truth, nuclei = make_truth(300, (1536, 1536), 1)
    found = label_maps(*make_maps(truth, nuclei), truth.shape)
    assert_well_formed(found, truth.shape)
    assert len(found.areas) == 300
    assert best_iou(found.masks.cells, truth) > 0.93
    assert best_iou(found.masks.nuclei, nuclei) > 0.9


@pytest.mark.slow
def test_more_than_65535_cells():
    rows, columns, pitch = 257, 256, 5
    tile = np.zeros((pitch, pitch), np.uint8)
    tile[1:5, 1:5] = 255
    core = np.zeros((pitch, pitch), np.uint8)
    core[2:4, 2:4] = 255
    nucleus, cell = blank(rows * pitch, columns * pitch)
    cell[2], nucleus[2] = np.tile(tile, (rows, columns)), np.tile(core, (rows, columns))
    # Such cells are tiny in a field of which these maps show a great many times the area.
    found = label_maps(nucleus, cell, nucleus.shape[1:], side=50)
    assert found.masks.cells.dtype == np.uint32
    assert len(found.areas) == rows * columns
    assert_well_formed(found, nucleus.shape[1:])
    assert (found.areas == 16).all()
    assert len(np.unique(found.masks.nuclei)) == rows * columns + 1


def test_a_seed_needs_its_area():
    assert len(label_maps(*one_cell(), (SIDE, SIDE)).areas) == 1
    nucleus, cell = one_cell()
    # All but a spot of 5 x 6 pixels (31.25 are needed) lies in the border between nuclei.
    nucleus[1] = 255
    nucleus[1, 250:255, 250:256] = 0
    assert len(label_maps(nucleus, cell, (SIDE, SIDE)).areas) == 0
    nucleus[1, 250:255, 250:257] = 0
    assert len(label_maps(nucleus, cell, (SIDE, SIDE)).areas) == 1


def test_two_borders_are_added_without_wrapping():
    nucleus, cell = one_cell()
    # 200 + 200 is 144 in 8 bits, which would leave the seed free.
    nucleus[1, 200:300, 200:300] = 200
    cell[1, 200:300, 200:300] = 200
    assert len(label_maps(nucleus, cell, (SIDE, SIDE)).areas) == 0


def test_a_nucleus_needs_its_area():
    # 157 pixels at this side: 12 x 13 = 156 are too few.
    nucleus, cell = one_cell(nucleus_reach=0)
    nucleus[2, 250:262, 250:263] = 255
    assert len(label_maps(nucleus, cell, (SIDE, SIDE)).areas) == 0
    nucleus[2, 250:262, 250:264] = 255
    assert len(label_maps(nucleus, cell, (SIDE, SIDE)).areas) == 1


def test_small_holes_of_nuclei_close():
    nucleus, cell = one_cell(nucleus_reach=20)
    nucleus[2, 250:257, 250:257] = 0
    assert (label_maps(nucleus, cell, (SIDE, SIDE)).masks.nuclei > 0).sum() == 40 * 40
    nucleus[2, 250:258, 250:258] = 0
    assert (label_maps(nucleus, cell, (SIDE, SIDE)).masks.nuclei > 0).sum() == 40 * 40 - 64


def test_the_border_between_nuclei_makes_two_cells():
    nucleus, cell = blank()
    nucleus[2, 240:270, 220:290] = 255
    cell[2, 200:310, 180:330] = 255
    assert len(label_maps(nucleus, cell, (SIDE, SIDE)).areas) == 1
    nucleus[1, 240:270, 253:257] = 255
    found = label_maps(nucleus, cell, (SIDE, SIDE))
    assert len(found.areas) == 2
    # Level ground: the two meet in the middle, and no line is left between them.
    assert found.areas.tolist() == pytest.approx([110 * 75] * 2, rel=0.02)
    assert found.areas.sum() == 110 * 150


def test_a_cell_needs_its_area():
    # 344 pixels at this side.
    for width, count in ((18, 0), (20, 1)):
        nucleus, cell = one_cell(cell_reach=0)
        cell[2, 247:265, 245 : 245 + width] = 255
        assert len(label_maps(nucleus, cell, (SIDE, SIDE)).areas) == count


def test_a_cell_without_a_nucleus_is_none():
    nucleus, cell = one_cell()
    square(cell[2], 100, 100, reach=40, value=255)
    assert len(label_maps(nucleus, cell, (SIDE, SIDE)).areas) == 1


def test_the_level_of_cells_follows_otsu():
    nucleus, cell = one_cell()
    # Otsu's level lies at 255 against 100 of the surroundings, half of it below those 100.
    cell[2, 150:360, 150:360] = np.maximum(cell[2, 150:360, 150:360], 100)
    found = label_maps(nucleus, cell, (SIDE, SIDE))
    assert found.areas.tolist() == [210 * 210]
    cell[2][cell[2] == 100] = 40
    found = label_maps(nucleus, cell, (SIDE, SIDE))
    assert found.areas.tolist() == [80 * 80]


def test_cells_grow_into_the_border_zone_and_meet_in_it():
    maps = one_cell(256, 200)
    nucleus, cell = one_cell(256, 300, maps=maps)
    assert label_maps(nucleus, cell, (SIDE, SIDE)).areas.tolist() == [6400, 6400]
    cell[1, 216:296, 240:260] = 200
    found = label_maps(nucleus, cell, (SIDE, SIDE))
    assert found.areas.sum() == 80 * 180
    assert found.areas.tolist() == pytest.approx([80 * 90] * 2, rel=0.03)


def test_holes_of_cells_close_but_not_bays():
    nucleus, cell = one_cell()
    cell[2, 225:235, 225:235] = 0
    assert label_maps(nucleus, cell, (SIDE, SIDE)).areas.tolist() == [6400]
    cell[2, 225:235, 200:235] = 0
    assert label_maps(nucleus, cell, (SIDE, SIDE)).areas.sum() < 6400 - 150


def test_a_narrow_cut_is_closed():
    nucleus, cell = one_cell()
    cell[2, 240:242, 200:230] = 0
    assert label_maps(nucleus, cell, (SIDE, SIDE)).areas[0] > 6390


def test_a_nucleus_outside_its_cell_is_cut_off():
    nucleus, cell = one_cell()
    cell[2, :, 260:] = 0
    found = label_maps(nucleus, cell, (SIDE, SIDE))
    assert (found.masks.nuclei > 0).sum() == 24 * 16


def test_areas_are_shares_of_the_side():
    nucleus, cell = one_cell()
    quarter = nucleus[:, ::4, ::4].copy(), cell[:, ::4, ::4].copy()
    small = label_maps(*quarter, (128, 128))
    assert small.areas.tolist() == [20 * 20]
    # A window that shows a quarter of a field's side has the standards of the whole field.
    assert len(label_maps(*quarter, (128, 128), side=512).areas) == 0


@pytest.mark.parametrize("shape", [(512, 512), (64, 300), (1, 1), (3, 700)])
@pytest.mark.parametrize("value", [0, 255])
def test_empty_and_full_maps(shape, value):
    nucleus = np.full((3, 40, 60), value, np.uint8)
    found = label_maps(nucleus, nucleus.copy(), shape)
    assert_well_formed(found, shape)
    # Where everything is border there is no seed.
    assert len(found.areas) == 0


def test_all_foreground_is_one_cell():
    nucleus, cell = blank(60, 80)
    nucleus[2], cell[2] = 255, 255
    found = label_maps(nucleus, cell, (240, 320))
    assert found.areas.tolist() == [240 * 320]
    assert (found.masks.nuclei == 1).all()


def test_one_giant_blob_with_one_nucleus():
    nucleus, cell = one_cell()
    cell[2] = 255
    found = label_maps(nucleus, cell, (SIDE, SIDE))
    assert found.areas.tolist() == [SIDE * SIDE]


@given(st.integers(0, 10_000), st.integers(5, 70), st.integers(5, 70))
@settings(max_examples=40, deadline=None)
def test_any_maps_give_well_formed_masks(seed, height, width):
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (2, 3, 6, 5))
    maps = np.kron(coarse, np.ones((5, 7), int)).astype(np.uint8)
    noise = rng.random(maps.shape) < 0.05
    maps[noise] = rng.integers(0, 256, int(noise.sum()))
    found = label_maps(maps[0], maps[1], (height, width), side=200)
    assert_well_formed(found, (height, width))


def test_turned_maps_give_turned_masks():
    truth, nuclei = make_truth(12, (512, 640))
    nucleus, cell = make_maps(truth, nuclei)
    plain = label_maps(nucleus, cell, truth.shape).masks.cells
    turned = label_maps(nucleus.transpose(0, 2, 1), cell.transpose(0, 2, 1), truth.shape[::-1])
    assert best_iou(turned.masks.cells.T, plain) > 0.98


def test_threads_do_not_disturb_each_other():
    fields = [make_maps(*make_truth(6, (256, 320), seed)) for seed in range(8)]

    def find(maps):
        nucleus, cell = maps
        return label_maps(nucleus, cell, (256, 320)).masks

    alone = [find(maps) for maps in fields]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(find, fields))
    for one, other in zip(alone, together, strict=True):
        assert np.array_equal(one.cells, other.cells)
        assert np.array_equal(one.nuclei, other.nuclei)


def test_maps_that_do_not_fit_are_refused():
    nucleus, cell = blank(20, 30)
    with pytest.raises(ValueError, match="differ in size"):
        label_maps(nucleus, cell[:, :19], (20, 30))
    with pytest.raises(ValueError, match="uint8"):
        label_maps(nucleus.astype(np.float32), cell, (20, 30))
    with pytest.raises(ValueError, match="at least one pixel"):
        label_maps(nucleus, cell, (0, 30))
