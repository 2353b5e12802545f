"""Geometry: label images are well formed, neighbours touch, the border cuts, all by the seed."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.lab.synth.made_cells import LINE

from cellwise.lab.synth.cells import count_margin, place_cells
from cellwise.lab.synth.randomness import generator


def placed(count=5, *, size=256, pixel_size=0.32, seed=0, line=LINE, **more):
    return place_cells(
        size, pixel_size=pixel_size, style=line, count=count, rng=generator(seed, "test"), **more
    )


def check_well_formed(made):
    ids = np.unique(made.cells)
    assert set(ids[ids > 0]) == set(range(1, len(made.placed) + 1))
    assert [cell.id for cell in made.placed] == list(range(1, len(made.placed) + 1))
    inner = made.nuclei > 0
    assert (made.cells[inner] == made.nuclei[inner]).all()
    assert made.cells.dtype == made.nuclei.dtype == np.uint16


@settings(max_examples=12, deadline=None)
@given(
    st.integers(0, 25),
    st.integers(0, 99),
    st.floats(0.0, 1.0),
    st.floats(1.0, 2.5),
    st.floats(0.15, 0.4),
    st.sampled_from([0.16, 0.32, 0.64]),
)
def test_label_images_are_well_formed(count, seed, crowding, elongation, share, pixel_size):
    line = replace(LINE, crowding=crowding, elongation=elongation, nucleus_share=share)
    made = placed(
        count, seed=seed, line=line, pixel_size=pixel_size, size=192, mitotic=[seed % 2 == 0] * 3
    )
    check_well_formed(made)
    assert sum(cell.inside for cell in made.placed) == count


@pytest.mark.parametrize(("size", "count"), [(256, 5), (512, 22), (1024, 88)])
def test_all_cells_of_the_field_are_there(size, count):
    made = placed(count, size=size)
    assert made.cells.shape == (size, size)
    check_well_formed(made)
    assert [cell.number for cell in made.placed if cell.inside] == list(range(count))


def test_the_same_stream_gives_the_same_cells():
    first, second = placed(seed=3), placed(seed=3)
    assert (first.cells == second.cells).all()
    assert (first.cells != placed(seed=4).cells).any()


def test_windows_repeat_the_label_images():
    made = placed(22, size=512)
    rebuilt, cores = np.zeros_like(made.cells), np.zeros_like(made.nuclei)
    for cell in made.placed:
        for image, mask in ((rebuilt, cell.mask), (cores, cell.nucleus)):
            rows, columns = (
                index + origin for index, origin in zip(np.nonzero(mask), cell.origin, strict=True)
            )
            here = (rows >= 0) & (rows < 512) & (columns >= 0) & (columns < 512)
            image[rows[here], columns[here]] = cell.id
    assert (rebuilt == made.cells).all()
    assert (cores == made.nuclei).all()


def test_in_view_and_ignored_by_the_label_image():
    """Counted anew: pixels of the whole cell against pixels of its label."""
    seen = set()
    for seed in range(6):
        made = placed(8, seed=seed)
        for cell in made.placed:
            share = (made.cells == cell.id).sum() / cell.mask.sum()
            nucleus = (made.nuclei == cell.id).any()
            assert cell.in_view == pytest.approx(share)
            assert cell.nucleus_in_view == nucleus
            assert cell.ignored == (share < 0.5 or not nucleus)
            seen.add(cell.ignored)
    assert seen == {True, False}


def test_centres_decide_nearly_always_who_is_in_view():
    cells = [cell for seed in range(12) for cell in placed(22, size=512, seed=seed).placed]
    inside = [cell.ignored for cell in cells if cell.inside]
    outside = [cell.ignored for cell in cells if not cell.inside]
    assert np.mean(inside) < 0.05
    assert np.mean(outside) > 0.9


def test_some_neighbours_touch_and_some_cells_are_cut():
    made = placed(22, size=512)
    side = made.cells[:, 1:] != made.cells[:, :-1]
    both = (made.cells[:, 1:] > 0) & (made.cells[:, :-1] > 0)
    assert (side & both).sum() > 100
    edge = np.concatenate([made.cells[0], made.cells[-1], made.cells[:, 0], made.cells[:, -1]])
    assert len(np.unique(edge[edge > 0])) >= 4
    assert any(0 < cell.in_view < 1 for cell in made.placed)


def test_sizes_are_those_of_the_line():
    for area, share in ((700.0, 0.3), (1200.0, 0.2)):
        line = replace(LINE, area=area, nucleus_share=share)
        count = round(163.84**2 / area * 0.7)
        cells = [
            cell
            for seed in range(5)
            for cell in placed(count, size=512, seed=seed, line=line).placed
            if cell.inside
        ]
        areas = np.array([cell.mask.sum() for cell in cells]) * 0.32**2
        nuclei = np.array([cell.nucleus.sum() for cell in cells]) * 0.32**2
        assert areas.mean() == pytest.approx(area, rel=0.15)
        # At phase .3 a nucleus has .92 of its mean area.
        assert nuclei.mean() == pytest.approx(0.92 * area * share, rel=0.1)
        assert np.std(np.sqrt(nuclei)) / np.mean(np.sqrt(nuclei)) < 0.15


def test_micrometres_are_kept_when_pixels_change():
    coarse, fine = placed(10, size=256, pixel_size=0.32), placed(10, size=512, pixel_size=0.16)
    areas = [
        np.mean([cell.mask.sum() for cell in made.placed]) * made.pixel_size**2
        for made in (coarse, fine)
    ]
    assert areas[0] == pytest.approx(areas[1], rel=0.02)


def test_dividing_cells_are_round_and_their_nucleus_is_a_plate():
    made = placed(6, mitotic=[True, True, False, False, False, False])
    for cell in made.placed[:6]:
        y, x = np.nonzero(cell.mask)
        low, high = np.linalg.eigvalsh(np.cov(y, x))
        y, x = np.nonzero(cell.nucleus)
        thin, long = np.sqrt(np.linalg.eigvalsh(np.cov(y, x)))
        assert cell.mitotic == (cell.number < 2)
        if cell.mitotic:
            assert high / low < 1.25
            assert 2 * long * 0.32 == pytest.approx(cell.nucleus_outline.axes[0], rel=0.15)
            assert thin / long < 0.5
        else:
            assert thin / long > 0.5


def test_the_nucleus_grows_through_the_cell_cycle():
    young = placed(20, size=512, phases=[0.0] * 200)
    old = placed(20, size=512, phases=[1.0] * 200)
    means = [np.mean([c.nucleus.sum() for c in made.placed]) for made in (young, old)]
    assert means[1] / means[0] == pytest.approx(1.5, rel=0.1)


def test_the_organising_centre_lies_beside_the_nucleus():
    for seed in range(4):
        for cell in placed(10, size=384, seed=seed).placed:
            y, x = (round(value / 0.32) for value in cell.mtoc)
            assert cell.mask[y, x]
            assert not cell.nucleus[y, x]
            rows, columns = np.nonzero(cell.nucleus)
            gap = np.hypot(rows * 0.32 - cell.mtoc[0], columns * 0.32 - cell.mtoc[1]).min()
            assert gap < 2.5


def test_the_margin_can_be_limited():
    assert count_margin(256, pixel_size=0.32, style=LINE, count=5) > 5
    made = placed(5, margin=0)
    assert all(cell.inside for cell in made.placed)


def test_an_empty_field_and_a_single_cell():
    nobody = placed(0)
    assert not nobody.cells.any()
    assert nobody.placed == ()
    alone = placed(1, margin=0)
    assert len(alone.placed) == 1
    check_well_formed(alone)


def test_a_field_smaller_than_a_cell():
    made = placed(1, size=24)
    check_well_formed(made)
    assert made.placed[0].in_view < 1


def test_a_field_as_crowded_as_the_fullest_known():
    line = replace(LINE, area=420.0, nucleus_share=0.34, crowding=0.9)
    made = placed(112, size=512, line=line)
    check_well_formed(made)
    assert sum(cell.inside for cell in made.placed) == 112
