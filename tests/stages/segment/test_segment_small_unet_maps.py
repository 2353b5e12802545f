"""From maps to labels: with the maps that training asks for, the truth comes back."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.masked_images import discs

from cellwise.app.train_segmenter.targets import deepest_points, target_maps
from cellwise.kernels.matching import f1_at
from cellwise.stages.segment.small_unet.maps import (
    cells_around,
    drop_debris,
    enlarged_smoothly,
    regions,
)


def ideal(labels):
    labels = labels.astype(np.int32)
    return target_maps(labels, deepest_points(labels))


@settings(max_examples=15)
@given(st.integers(0, 10**6))
def test_touching_discs_come_back_from_ideal_maps(seed):
    labels = discs(seed, side=120, count=12, radius=9)
    found = regions(ideal(labels), split=0.8, window=5)
    counted = f1_at(found, labels, thresholds=(0.7,))[0]
    assert counted.f1 == 1
    assert set(np.unique(found)) == set(range(found.max() + 1))


def test_two_hills_are_two_only_where_the_pass_is_low():
    labels = np.zeros((30, 60), np.int32)
    labels[5:25, 5:30] = 1
    labels[5:25, 30:55] = 2
    assert regions(ideal(labels), split=0.8, window=5).max() == 2
    one = (labels > 0).astype(np.int32)
    assert regions(ideal(one), split=0.8, window=5).max() == 1


def test_nothing_gives_nothing():
    empty = np.zeros((3, 20, 30), np.float32)
    found = regions(empty, split=0.8, window=5)
    assert found.shape == (20, 30)
    assert not found.any()
    assert not drop_debris(found, 0.1, 0.0).any()
    assert not cells_around(found, empty, split=0.8).any()
    assert not enlarged_smoothly(found, empty[0], (41, 55)).any()


def test_debris_is_judged_by_the_typical_region():
    labels = np.zeros((60, 60), np.int32)
    labels[2:22, 2:22], labels[30:50, 30:50], labels[55:58, 5:8] = 1, 2, 3
    kept = drop_debris(labels, 0.1, 20.0)
    assert kept.max() == 2
    assert drop_debris(labels, 0.0, 20.0).max() == 3


def test_each_cell_takes_the_number_of_its_nucleus_and_covers_it():
    cells = discs(4, side=140, count=8, radius=17)
    nuclei = np.zeros_like(cells)
    y, x = np.mgrid[: cells.shape[0], : cells.shape[1]]
    for number in range(1, cells.max() + 1):
        own = np.argwhere(cells == number)
        middle = own.mean(axis=0)
        nuclei[np.hypot(y - middle[0], x - middle[1]) < 5] = number
    nuclei = np.where(cells > 0, nuclei, 0).astype(np.int32)
    found = cells_around(nuclei, ideal(cells), split=0.8)
    assert (found[nuclei > 0] == nuclei[nuclei > 0]).all()
    assert f1_at(found, cells, thresholds=(0.8,))[0].f1 == 1


def test_a_cell_at_the_frame_without_a_nucleus_is_kept_and_one_within_is_not():
    cells = np.zeros((80, 80), np.int32)
    cells[0:25, 20:50], cells[40:65, 20:50] = 1, 2
    found = cells_around(np.zeros_like(cells), ideal(cells), split=0.8)
    assert found[10, 30] == 1
    assert found[50, 30] == 0


@pytest.mark.parametrize("shape", [(96, 96), (201, 333), (480, 480), (37, 61)])
def test_at_another_size_regions_are_where_they_were(shape):
    labels = discs(2, side=96, count=9, radius=11).astype(np.int32)
    inside = (labels > 0).astype(np.float32)
    found = enlarged_smoothly(labels, inside, shape)
    assert found.shape == shape
    y, x = (((np.arange(n) + 0.5) * 96 / n).astype(int).clip(0, 95) for n in shape)
    plain = labels[np.ix_(y, x)]
    assert f1_at(found, plain, thresholds=(0.8,))[0].f1 == 1
    wrong = (found != plain) & (found > 0) & (plain > 0)
    assert wrong.mean() < 0.01


def test_enlarged_outlines_are_round():
    labels = discs(0, side=48, count=1, radius=14).astype(np.int32)
    labels = np.roll(labels, 24 - np.argwhere(labels).mean(axis=0).astype(int), axis=(0, 1))
    area = (labels > 0).sum() * 64
    inside = cv2.GaussianBlur((labels > 0).astype(np.float32), (0, 0), 1.0)
    found = enlarged_smoothly(labels, inside, (384, 384))
    outline = (found > 0).astype(np.int8)
    assert (found > 0).sum() == pytest.approx(area, rel=0.03)
    # Steps of one pixel, not of eight.
    edges = [np.flatnonzero(np.diff(row))[0] for row in outline if row.any()]
    assert np.abs(np.diff(edges[20:-20])).max() <= 5
