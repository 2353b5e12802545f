"""Masks that are not found in the image: tiles, and what the user brings."""

import numpy as np
import pytest
from hypothesis import given as hypothesis_given
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from cellwise.domain.channels import Channel
from cellwise.domain.records import Field
from cellwise.errors import BadOption, InputError
from cellwise.stages.segment import segmenters
from cellwise.stages.segment.given import Brought, pair


def field(height, width):
    return Field("site", np.zeros((1, height, width), np.float32), (Channel("dna", "nucleus"),))


def bring(cells, nuclei=None, *, size=None):
    part = segmenters.build({"name": "given", "load": lambda site_id: Brought(cells, nuclei)})
    return part(field(*(size or cells.shape)))


def test_tiles_are_numbered_row_by_row():
    masks = segmenters.build({"name": "grid", "tile": 2})(field(4, 6))
    expected = [[1, 1, 2, 2, 3, 3]] * 2 + [[4, 4, 5, 5, 6, 6]] * 2
    assert masks.cells.tolist() == expected
    assert masks.nuclei.tolist() == expected


@pytest.mark.parametrize(
    ("width", "columns", "covered"), [(11, 3, 11), (9, 2, 8), (10, 3, 10), (3, 1, 3), (1, 1, 1)]
)
def test_a_rest_of_half_a_tile_is_a_tile(width, columns, covered):
    row = segmenters.build({"name": "grid", "tile": 4})(field(4, width)).cells[0]
    assert row.max() == columns
    assert np.count_nonzero(row) == covered


def test_many_tiles_need_wide_numbers():
    masks = segmenters.build({"name": "grid", "tile": 1})(field(300, 300))
    assert masks.cells.dtype == np.uint32
    assert masks.cells[-1, -1] == 90_000


def test_a_tile_has_at_least_one_pixel():
    with pytest.raises(BadOption):
        segmenters.build({"name": "grid", "tile": 0})


def test_one_image_counts_as_cells_and_nuclei_and_keeps_its_ids():
    labels = np.array([[0, 7], [100_000, 7]], np.int64)
    masks = bring(labels)
    assert masks.cells.tolist() == labels.tolist()
    assert masks.nuclei.tolist() == labels.tolist()
    assert masks.cells.dtype == np.uint32


def test_whole_numbers_stored_as_float_are_taken():
    masks = bring(np.array([[0.0, 2.0]], np.float32))
    assert masks.cells.tolist() == [[0, 2]]


def test_a_nucleus_takes_the_number_of_the_cell_that_covers_most_of_it():
    cells = np.array([[1, 1, 1, 5, 5, 5, 0, 0]])
    nuclei = np.array([[0, 9, 9, 9, 0, 3, 0, 4]])
    masks = bring(cells, nuclei)
    assert masks.nuclei.tolist() == [[0, 1, 1, 0, 0, 5, 0, 0]]


def test_a_cell_may_have_no_nucleus():
    masks = bring(np.array([[1, 1, 2, 2]]), np.array([[0, 1, 0, 0]]))
    assert masks.nuclei.tolist() == [[0, 1, 0, 0]]
    assert masks.cells.tolist() == [[1, 1, 2, 2]]


labels = hnp.arrays(np.int64, (6, 7), elements=st.sampled_from([0, 1, 2, 70_000]))


@hypothesis_given(labels, labels)
@settings(deadline=None)
def test_pairing_equals_a_slow_count_per_nucleus(cells, nuclei):
    expected = np.zeros_like(cells)
    for nucleus in set(nuclei[nuclei > 0].tolist()):
        own = nuclei == nucleus
        for cell in set(cells[cells > 0].tolist()):
            shared = own & (cells == cell)
            if 2 * shared.sum() > own.sum():
                expected[shared] = cell
    assert np.array_equal(pair(cells, nuclei), expected)


@pytest.mark.parametrize(
    ("mask", "code"),
    [
        (np.ones((3, 4), np.uint8), "mask_size"),
        (np.full((4, 4), -1, np.int16), "mask_values"),
        (np.full((4, 4), 0.5, np.float32), "mask_values"),
        (np.full((4, 4), np.nan, np.float32), "mask_values"),
        (np.ones((4, 4), bool), "mask_values"),
        (np.ones((4, 4, 3), np.uint8), "mask_values"),
        (np.full((4, 4), 2**32 - 1, np.uint32), "mask_values"),
    ],
)
def test_a_mask_that_cannot_be_used_says_why(mask, code):
    with pytest.raises(InputError, match="the cells mask") as caught:
        bring(mask, size=(4, 4))
    assert caught.value.code == code
    assert caught.value.remedy


def test_a_faulty_nucleus_mask_is_named_as_such():
    with pytest.raises(InputError, match="the nuclei mask"):
        bring(np.ones((4, 4), np.uint8), np.ones((4, 5), np.uint8))


def test_a_site_without_mask_says_which_names_would_do():
    part = segmenters.build({"name": "given", "masks": "mine", "load": lambda site_id: None})
    with pytest.raises(InputError, match="no mask in mine") as caught:
        part(field(4, 4))
    assert caught.value.code == "mask_missing"
    assert "site_cells.tif" in caught.value.remedy


def test_given_without_a_folder_is_refused_before_any_work():
    with pytest.raises(BadOption, match="--masks"):
        segmenters.build("given")
