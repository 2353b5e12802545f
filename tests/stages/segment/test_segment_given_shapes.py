"""Outlines as label images: numbers, overlaps, frames, and the COCO library as second opinion."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from cellwise.domain.channels import Channel
from cellwise.domain.records import Field
from cellwise.errors import BadOption, InputError
from cellwise.stages.segment import segmenters
from cellwise.stages.segment.given.shapes import draw
from cellwise.store.masks.brought import Brought
from cellwise.store.masks.shapes import Outline, Runs, Shapes


def box(left, top, right, bottom):
    ring = np.array([(left, top), (right, top), (right, bottom), (left, bottom)], float)
    return Outline(((ring,),))


def bring(cells, nuclei=None, *, size=(8, 9), **options):
    field = Field("site", np.zeros((1, *size), np.float32), (Channel("dna", "nucleus"),))
    spec = {"name": "given", "load": lambda site_id: Brought(cells, nuclei), **options}
    return segmenters.build(spec)(field)


def test_objects_are_numbered_as_listed():
    drawn = draw(Shapes((box(0, 0, 2, 2), box(4, 4, 6, 5))), 8, 9)
    assert drawn.labels[0, 0] == 1
    assert drawn.labels[4, 5] == 2
    assert (drawn.overlapped, drawn.lost) == (0, 0)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_where_two_overlap_the_smaller_one_has_the_pixels(order):
    both = (box(0, 0, 6, 6), box(4, 4, 8, 8))
    drawn = draw(Shapes(tuple(both[k] for k in order)), 8, 9)
    assert drawn.labels[5, 5] == order.index(1) + 1
    assert (drawn.overlapped, drawn.lost) == (4, 0)


def test_of_equal_ones_the_later_has_the_pixels_and_the_loss_is_counted():
    drawn = draw(Shapes((box(0, 0, 2, 2), box(0, 0, 2, 2))), 8, 9)
    assert np.unique(drawn.labels).tolist() == [0, 2]
    assert (drawn.overlapped, drawn.lost) == (4, 1)


def test_outlines_beyond_the_frame_are_cut_off_and_lost_ones_counted():
    drawn = draw(Shapes((box(-5, -5, 2, 2), box(50, 50, 60, 60))), 8, 9)
    assert np.count_nonzero(drawn.labels == 1) == 4
    assert drawn.lost == 1


def test_outlines_of_other_units_are_refused():
    with pytest.raises(InputError, match="none of the 1 outlines") as caught:
        draw(Shapes((box(2000, 2000, 2010, 2010),)), 8, 9)
    assert caught.value.code == "mask_size"


def test_parts_of_one_object_that_overlap_do_not_cancel():
    whole = Outline((*box(0, 0, 4, 4).polygons, *box(2, 2, 6, 6).polygons))
    assert np.count_nonzero(draw(Shapes((whole,)), 8, 9).labels) == 28


@pytest.mark.filterwarnings("ignore:__array__ implementation")
@given(hnp.arrays(np.uint8, (7, 5), elements=st.integers(0, 3)))
def test_run_lengths_draw_what_the_coco_library_wrote(labels):
    coco = pytest.importorskip("pycocotools.mask")
    ids = [int(i) for i in np.unique(labels) if i]
    objects = []
    for number in ids:
        mask = np.asfortranarray(labels == number, np.uint8)
        packed = coco.encode(mask)["counts"]
        flat = mask.ravel("F")
        changes = np.flatnonzero(np.diff(flat)) + 1
        counts = np.diff([0, *changes, flat.size]).tolist()
        plain = tuple([0, *counts] if flat[0] else counts)
        objects.append(Runs(packed if number % 2 else plain, (7, 5)))
    drawn = draw(Shapes(tuple(objects)), 7, 5)
    table = np.array([0, *ids])
    assert np.array_equal(table[drawn.labels], labels)
    assert drawn.overlapped == 0


@pytest.mark.parametrize(
    ("runs", "code"),
    [
        (Runs((5, 2), (8, 9)), "mask_size"),
        (Runs((5, 2**62, 2**62, 2**62, 2**62), (8, 9)), "mask_size"),
        (Runs((2**70,), (8, 9)), "mask_file"),
        (Runs((72,), (9, 8)), "mask_size"),
        (Runs(b"\x00", (8, 9)), "mask_file"),
        (Runs(b"o", (8, 9)), "mask_file"),
    ],
)
def test_broken_run_lengths_are_refused(runs, code):
    with pytest.raises(InputError, match="run lengths") as caught:
        draw(Shapes((runs,)), 8, 9)
    assert caught.value.code == code


def test_what_was_odd_is_noted_with_the_masks():
    cells = Shapes((box(0, 0, 6, 6), box(4, 4, 8, 8), box(50, 50, 60, 60)), skipped=2)
    masks = bring(cells, Shapes((box(1, 1, 3, 3),)))
    assert masks.notes == {"overlapped_pixels": 4, "outlines_lost": 1, "outlines_skipped": 2}
    assert np.unique(masks.nuclei).tolist() == [0, 1]


def test_a_file_without_objects_is_a_field_without_cells():
    masks = bring(Shapes(()))
    assert not masks.cells.any()
    assert masks.notes == {}


def test_errors_of_outlines_name_the_site():
    with pytest.raises(InputError, match="site: cells: none of") as caught:
        bring(Shapes((box(50, 50, 60, 60),)))
    assert caught.value.path == "site"


@pytest.mark.parametrize("number", [1, 255])
def test_a_black_and_white_foreground_is_no_label_image(number):
    pieces = np.zeros((8, 9), np.uint8)
    pieces[0, 0] = pieces[3, 3] = pieces[6, 6] = number
    with pytest.raises(InputError, match=f"the number {number} in separate pieces") as caught:
        bring(pieces)
    assert caught.value.code == "mask_values"
    pieces[6, 6] = 0
    assert np.count_nonzero(bring(pieces).cells) == 2
    assert np.count_nonzero(bring(pieces * 0 + 7).cells) == 72


@pytest.mark.parametrize("size", [(4, 6), (16, 24)])
def test_masks_of_a_whole_multiple_are_resized_where_that_was_allowed(size):
    small = np.arange(24).reshape(4, 6)
    given_mask = small if size == (16, 24) else np.repeat(np.repeat(small, 4, 0), 4, 1)
    masks = bring(given_mask, size=size, resize="nearest")
    expected = np.repeat(np.repeat(small, 4, 0), 4, 1) if size == (16, 24) else small
    assert np.array_equal(masks.cells, expected)


def test_a_whole_multiple_is_refused_with_the_setting_that_takes_it():
    with pytest.raises(InputError, match="the cells mask is") as caught:
        bring(np.zeros((4, 6), np.uint8), size=(8, 12))
    assert caught.value.code == "mask_size"
    assert "segment.resize=nearest" in caught.value.remedy


@pytest.mark.parametrize("shape", [(4, 12), (5, 6), (12, 8), (0, 0), (9, 12)])
def test_other_sizes_are_refused_whatever_is_set(shape):
    with pytest.raises(InputError) as caught:
        bring(np.zeros(shape, np.uint8), size=(8, 12), resize="nearest")
    assert caught.value.code == "mask_size"
    assert "resize" not in caught.value.remedy


def test_outlines_of_a_smaller_frame_are_resized_too():
    masks = bring(Shapes((box(0, 0, 2, 2),), size=(4, 4)), size=(8, 8), resize="nearest")
    assert np.count_nonzero(masks.cells) == 16


def test_no_other_way_of_resizing_is_known():
    with pytest.raises(BadOption, match="resize"):
        bring(np.zeros((4, 6), np.uint8), resize="bilinear")


FAR = ((4_000_000, 4_000_000), (8 * 10**6, 9 * 10**6))


@pytest.mark.parametrize("resize", ["", "nearest"])
@pytest.mark.parametrize("frame", FAR)
@pytest.mark.parametrize("kind", ["outline", "runs", "nuclei"])
def test_a_frame_that_the_file_names_is_compared_before_anything_is_drawn(kind, frame, resize):
    shape = Runs((frame[0] * frame[1],), frame) if kind == "runs" else box(0, 0, 2, 2)
    named = Shapes((shape,), size=frame)
    parts = (Shapes((box(0, 0, 2, 2),)), named) if kind == "nuclei" else (named,)
    with pytest.raises(InputError, match=f"{frame[0]}") as caught:
        bring(*parts, resize=resize)
    assert caught.value.code == "mask_size"


def test_a_whole_multiple_of_outlines_is_refused_with_the_setting_that_takes_it():
    with pytest.raises(InputError, match="the cells mask is") as caught:
        bring(Shapes((box(0, 0, 2, 2),), size=(16, 18)))
    assert "segment.resize=nearest" in caught.value.remedy
    masks = bring(Shapes((box(0, 0, 4, 4),), size=(16, 18)), resize="nearest")
    assert np.count_nonzero(masks.cells) == 4
