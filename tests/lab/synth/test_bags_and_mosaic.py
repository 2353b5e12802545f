"""Bags of real cells: no cell twice, 3 to 5 classes, other bags for other seeds; their mosaics."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cellwise.lab.synth.bags import mixed_bags, place_bags
from cellwise.lab.synth.mosaic import columns_for, middle_nucleus, mosaic, mosaic_masks


@st.composite
def cells(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    count, kinds = draw(st.integers(0, 300)), draw(st.integers(1, 8))
    classes = rng.choice(kinds, count, p=rng.dirichlet(np.ones(kinds)))
    return classes, rng.integers(0, 3, count)


@given(cells(), st.integers(0, 5))
@settings(max_examples=40, deadline=None)
def test_every_cell_is_in_one_bag_at_most_and_bags_keep_to_a_fold(given_cells, seed):
    classes, folds = given_cells
    bags = mixed_bags(classes, folds, seed=seed)
    met = np.concatenate([*bags, np.zeros(0, np.int64)])
    assert len(np.unique(met)) == len(met)
    for bag in bags:
        assert len(bag) == 9
        assert 3 <= len(np.unique(classes[bag])) <= 5
        assert len(np.unique(folds[bag])) == 1


def test_the_same_seed_gives_the_same_bags_and_another_seed_others():
    rng = np.random.default_rng(0)
    classes, folds = rng.integers(0, 6, 200), rng.integers(0, 2, 200)
    first, again, other = (mixed_bags(classes, folds, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not {tuple(sorted(bag)) for bag in first} & {tuple(sorted(bag)) for bag in other}


def test_a_fold_does_not_depend_on_the_others():
    rng = np.random.default_rng(0)
    classes, folds = rng.integers(0, 6, 200), np.repeat([0, 1], 100)
    alone = mixed_bags(classes[:100], folds[:100], seed=3)
    both = [bag for bag in mixed_bags(classes, folds, seed=3) if bag.max() < 100]
    assert np.array_equal(alone, both)


def test_too_few_classes_or_cells_make_no_bag():
    assert mixed_bags(np.array([0, 1] * 20), np.zeros(40, int), seed=0) == []
    assert mixed_bags(np.arange(8), np.zeros(8, int), seed=0) == []
    with pytest.raises(ValueError, match="as many cells"):
        mixed_bags(np.arange(8), np.zeros(8, int), seed=0, size=4)


def test_cells_of_a_place_stay_together_in_order():
    found = place_bags([("p", 1), ("q", 1), ("p", 1), ("p", 2)])
    assert [bag.tolist() for bag in found] == [[0, 2], [1], [3]]


def test_tiles_stand_row_by_row_and_the_rest_is_black():
    tiles = np.stack([np.full((2, 2), k, np.uint8) for k in (1, 2, 3)])
    assert mosaic(tiles, 2).tolist() == [[1, 1, 2, 2]] * 2 + [[3, 3, 0, 0]] * 2


@pytest.mark.parametrize(("count", "columns"), [(1, 1), (4, 2), (5, 3), (9, 3), (10, 4), (169, 13)])
def test_mosaics_are_as_square_as_can_be(count, columns):
    assert columns_for(count) == columns
    assert columns * columns >= count > (columns - 1) ** 2


def test_the_middle_nucleus_is_the_bright_piece_nearest_to_the_middle():
    tile = np.full((9, 9), 10, np.uint8)
    tile[3:6, 2:4], tile[0:2, 6:9] = 200, 250
    found = middle_nucleus(tile)
    assert found[3:6, 2:4].all()
    assert found.sum() == 6
    assert not middle_nucleus(np.zeros((4, 4), np.uint8)).any()


def test_masks_number_tiles_and_nuclei_alike():
    rng = np.random.default_rng(0)
    tiles = rng.integers(0, 255, (5, 8, 8)).astype(np.uint8)
    masks = mosaic_masks(tiles, 3)
    assert masks.cells.shape == (16, 24)
    assert np.unique(masks.cells).tolist() == [0, 1, 2, 3, 4, 5]
    inside = masks.nuclei > 0
    assert np.array_equal(masks.nuclei[inside], masks.cells[inside])
