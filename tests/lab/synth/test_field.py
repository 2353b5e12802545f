"""Fields: the same plan gives the same bytes; who is in view, what is drawn where, odd plans."""

import hashlib
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.lab.synth.made_cells import LINE, PLAIN, USUAL, plan

from cellwise.lab.synth.field import render_field
from cellwise.lab.synth.plan import CellPlan

GREEN = 1


def digest(made_plan):
    made = render_field(made_plan)
    parts = (made.pixels, made.cells, made.nuclei)
    return hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest()


def test_the_same_plan_gives_the_same_bytes_in_any_order():
    plans = [plan(index=index) for index in range(3)]
    forward = [digest(one) for one in plans]
    backward = [digest(one) for one in reversed(plans)]
    assert forward == backward[::-1]
    assert len(set(forward)) == 3


@pytest.mark.long
def test_another_process_and_other_threads_give_the_same_bytes():
    plans = [plan(index=index) for index in range(2)]
    here = [digest(one) for one in plans]
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        assert list(pool.map(digest, plans)) == here
    before = cv2.getNumThreads()
    try:
        for threads in (1, 4):
            cv2.setNumThreads(threads)
            assert [digest(one) for one in plans] == here
            assert cv2.getNumThreads() == threads
    finally:
        cv2.setNumThreads(before)


def test_another_seed_is_another_field():
    assert digest(plan()) != digest(replace(plan(), seed=2))


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize(("size", "count"), [(256, 5), (512, 22), (1024, 40)])
def test_sizes_and_bits(size, count, bits):
    made = render_field(plan(size=size, count=count, margin=200, optics=replace(USUAL, bits=bits)))
    assert made.pixels.shape == (4, size, size)
    assert made.pixels.dtype == (np.uint8 if bits == 8 else np.uint16)
    assert made.cells.shape == made.nuclei.shape == (size, size)
    assert len(made.members) == made.cells.max()
    assert all(plane.max() > 0.1 * np.iinfo(made.pixels.dtype).max for plane in made.pixels)


def test_members_are_the_cells_of_the_label_image():
    made = render_field(plan(count=22, size=512, margin=100))
    ids, areas = np.unique(made.cells[made.cells > 0], return_counts=True)
    assert [member.cell_id for member in made.members] == ids.tolist()
    for member, area in zip(made.members, areas, strict=True):
        assert 0 < member.in_view <= 1
        nucleus = (made.nuclei == member.cell_id).any()
        assert member.ignored == (member.in_view < 0.5 or not nucleus)
        if member.in_view == 1:
            edges = (made.cells[0], made.cells[-1], made.cells[:, 0], made.cells[:, -1])
            assert all((edge != member.cell_id).all() for edge in edges)
        assert area > 0


def test_the_plan_s_cells_come_first_and_keep_their_truth():
    plain = plan(count=3, margin=20)
    cells = tuple(replace(plain.cells[0], shown=(k,), weights=((k, 1.0),)) for k in (0, 9, 16))
    made = render_field(replace(plain, cells=cells))
    assert [member.plan for member in made.members[:3]] == list(cells)
    assert all(member.plan == plain.margin_cells[0] for member in made.members[3:])


def test_each_cell_shows_what_its_plan_says():
    """Nucleoplasm in one cell, cytosol in the others: green inside and outside the nuclei."""
    plain = plan(count=6, size=320, margin=0, optics=replace(PLAIN, photons=300.0))
    one = replace(plain.cells[0], shown=(0,), weights=((0, 1.0),))
    made = render_field(replace(plain, cells=(one, *plain.cells[1:])))
    for member in made.members:
        own, nucleus = made.cells == member.cell_id, made.nuclei == member.cell_id
        inside = made.pixels[GREEN][nucleus].mean()
        outside = made.pixels[GREEN][own & ~nucleus].mean()
        assert (inside > 2 * outside) == (member.plan.shown == (0,))


def test_green_follows_intensity_and_red_does_not():
    dim, bright = (
        render_field(plan(count=4, margin=0, optics=PLAIN, intensity=value)).pixels.astype(float)
        for value in (0.4, 0.8)
    )
    assert bright[GREEN].sum() == pytest.approx(2 * dim[GREEN].sum(), rel=0.1)
    assert bright[0].sum() == pytest.approx(dim[0].sum(), rel=0.01)


def test_shares_of_a_mixture_are_brightnesses():
    """Nucleoplasm at .3 beside cytosol at .7: the plateaus stand as the shares do."""
    plain = plan(count=4, margin=0, optics=PLAIN)
    cell = replace(plain.cells[0], shown=(0, 16), weights=((16, 0.7), (0, 0.3)))
    alone = replace(plain.cells[0], shown=(0,), weights=((0, 1.0),))
    mixed, single = (render_field(replace(plain, cells=(c,) * 4)) for c in (cell, alone))
    extra = render_field(replace(plain, cells=(replace(cell, weights=((16, 0.7),)),) * 4))
    inner = mixed.nuclei > 0
    gained = (mixed.pixels[GREEN].astype(float) - extra.pixels[GREEN])[inner].mean()
    assert gained == pytest.approx(0.3 * single.pixels[GREEN][inner].mean(), rel=0.1)


def test_an_unstained_cell_is_dark_in_green_alone():
    stained, unstained = (
        render_field(plan(margin=0, optics=PLAIN, unstained=value)) for value in (False, True)
    )
    inside = stained.cells > 0
    assert unstained.pixels[GREEN][inside].mean() < 0.1 * stained.pixels[GREEN][inside].mean()
    assert (unstained.pixels[0] == stained.pixels[0]).mean() > 0.3
    assert unstained.pixels[2].sum() == pytest.approx(float(stained.pixels[2].sum()), rel=0.01)


def test_a_cell_out_of_focus_is_blurrier_in_every_channel():
    sharp, soft = (
        render_field(plan(classes=(17,), margin=0, optics=PLAIN, out_of_focus=value))
        for value in (False, True)
    )
    for crisp, blurred in zip(sharp.pixels.astype(float), soft.pixels.astype(float), strict=True):
        edges = [np.abs(np.diff(p, axis=0)).sum() for p in (crisp, blurred)]
        assert edges[1] < 0.6 * edges[0]
    # Light is moved, not lost, but for what leaves the field.
    assert soft.pixels[2].sum() == pytest.approx(float(sharp.pixels[2].sum()), rel=0.05)


def test_the_truth_of_a_negative_cell_is_dark():
    negative, cytosol = (
        render_field(plan(classes=classes, margin=0, optics=replace(PLAIN, photons=300.0)))
        for classes in ((18,), (16,))
    )
    inside = negative.cells > 0
    ratio = negative.pixels[GREEN][inside].mean() / cytosol.pixels[GREEN][inside].mean()
    assert 0.01 < ratio < 0.25


def test_a_cell_without_any_weight_is_drawn_dark():
    made = render_field(plan(classes=(), margin=0))
    assert made.pixels[0].max() > 50
    assert np.percentile(made.pixels[GREEN], 99) < 30


def test_dividing_cells_are_drawn_dividing_whatever_they_show():
    made = render_field(plan(classes=(16,), count=4, margin=0, optics=PLAIN, mitotic=True))
    for member in made.members:
        own, plate = made.cells == member.cell_id, made.nuclei == member.cell_id
        assert plate.sum() < 0.3 * own.sum()
        y, x = np.nonzero(plate)
        thin, long = np.linalg.eigvalsh(np.cov(y, x))
        assert thin < 0.4 * long
        blue = made.pixels[2].astype(float)
        assert blue[plate].mean() > 5 * blue[own & ~plate].mean()


def test_an_aggresome_dents_the_nucleus():
    dented, whole = (
        render_field(plan(classes=(k,), margin=0, optics=PLAIN)).pixels[2].astype(float)
        for k in (15, 16)
    )
    assert (dented <= whole + 1).mean() > 0.99
    gone = dented < 0.5 * whole
    assert 20 < (gone & (whole > 0.2 * whole.max())).sum() < 2000


def test_nobody_at_all():
    made = render_field(plan(count=0, margin=0))
    assert made.members == ()
    assert not made.cells.any()
    assert made.pixels.shape == (4, 256, 256)


def test_margin_cells_without_cells_of_the_field_are_not_drawn():
    """The density is that of the field: nobody inside, nobody around."""
    assert render_field(plan(count=0, margin=30)).members == ()


def test_a_single_cell_in_a_small_field():
    made = render_field(plan(count=1, size=64, margin=5))
    assert made.members[0].plan.shown == (16,)
    assert made.pixels.shape == (4, 64, 64)


@settings(max_examples=15, deadline=None)
@given(
    st.integers(0, 9999),
    st.integers(1, 6),
    st.sampled_from([96, 200, 256]),
    st.sampled_from([0.08, 0.16, 0.32, 0.64]),
    st.lists(st.integers(0, 17).filter(lambda k: k != 11), min_size=0, max_size=3, unique=True),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)
def test_any_plan_is_drawn(
    index, count, size, pixel_size, classes, mitotic, unstained, out_of_focus
):
    made = render_field(
        plan(
            classes=tuple(classes),
            count=count,
            size=size,
            pixel_size=pixel_size,
            index=index,
            margin=8,
            mitotic=mitotic,
            unstained=unstained,
            out_of_focus=out_of_focus,
        )
    )
    assert made.pixels.shape == (4, size, size)
    inner = made.nuclei > 0
    assert (made.cells[inner] == made.nuclei[inner]).all()
    assert len(made.members) == len(np.unique(made.cells)) - (0 in made.cells)


def test_a_spindle_planned_for_a_resting_cell_is_refused():
    with pytest.raises(ValueError, match="only dividing cells"):
        render_field(plan(classes=(11,), mitotic=False))


def test_lines_differ_in_stain_and_size():
    strong = replace(LINE, gains=(2.0, 1.0, 1.0, 1.0))
    usual, red = (
        render_field(plan(count=4, margin=0, optics=PLAIN, line=line)).pixels.astype(float)
        for line in (LINE, strong)
    )
    assert red[0].sum() > 1.6 * usual[0].sum()
    assert red[2].sum() == pytest.approx(usual[2].sum(), rel=0.01)


def test_faint_classes_are_drawn_and_are_no_truth():
    cell = CellPlan((16,), ((16, 0.92), (1, 0.08)), 1.0, 0.3)
    plain = plan(count=3, margin=0, optics=PLAIN)
    faint = render_field(replace(plain, cells=(cell,) * 3))
    none = render_field(replace(plain, cells=(replace(cell, weights=((16, 0.92),)),) * 3))
    assert faint.members[0].plan.shown == (16,)
    assert faint.pixels[GREEN].sum() > none.pixels[GREEN].sum()
