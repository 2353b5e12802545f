"""Cells on a sheet are the cells asked for, in their order and colours."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from tests.app.view.conftest import write_run

from cellwise.app.view.data.opened import open_run
from cellwise.app.view.drawing.sheets import ACROSS, Sheets, _levels
from cellwise.app.view.drawing.tinting import Shown
from cellwise.parts.drawing.images import blend, stretch


def pixels(content):
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"), float)


@pytest.mark.parametrize("wanted", [48, 24, 16, 1000])
def test_each_cell_stands_in_its_place(drawn, wanted):
    sheets = drawn.sheets
    side = sheets.side(wanted)
    rows = np.array([5, 100, 3, *range(40, 60)])
    shown = sheets.shown(None)
    sheet = sheets._drawn(rows, shown, wanted).astype(float)
    # JPEG is not exact, least of all for noise.
    stored = pixels(sheets.sheet(rows, shown, wanted))
    assert np.abs(stored - sheet).mean() < 12
    assert sheet.shape == (2 * side, ACROSS * side, 3)
    crops = drawn.opened.store.read(rows)
    for place, crop in enumerate(crops):
        levels = stretch(crop, sheets.bounds)
        step = 48 // side
        small = levels.reshape(2, side, step, side, step).mean((2, 4)).astype(np.uint8)
        expected = blend(small, [one.rgb for one in shown])
        top, left = side * (place // ACROSS), side * (place % ACROSS)
        found = sheet[top : top + side, left : left + side]
        assert np.abs(found - expected).max() <= 2


def test_a_cell_is_shown_in_a_whole_part_of_its_size(drawn):
    assert [drawn.sheets.side(wanted) for wanted in (1, 16, 17, 24, 25, 48, 500)] == [
        1, 16, 24, 24, 48, 48, 48,
    ]  # fmt: skip


@given(dark=st.floats(0, 0.5), wide=st.floats(0.01, 1))
def test_levels_looked_up_are_those_calculated(dark, wide):
    values = np.random.default_rng(0).random((3, 8, 8)).astype(np.float16)
    values[0, 0, :3] = (np.nan, np.inf, -1)
    one = Shown(0, dark, dark + wide, (1, 1, 1))
    finite = np.isfinite(values)
    clean = np.where(finite, values, 0).astype(np.float32)
    expected = stretch(clean, [(dark, dark + wide)] * 3)
    found = _levels(values, one, 8)
    assert np.abs(found.astype(int) - expected)[finite].max() <= 1


def test_no_channel_is_black_and_one_channel_has_its_colour(drawn):
    rows = np.arange(5)
    assert not pixels(drawn.sheets.sheet(rows, [], 48)).any()
    blue = pixels(drawn.sheets.sheet(rows, drawn.sheets.shown("0"), 48)).sum((0, 1))
    assert blue[2] > 3 * blue[0]


def test_crops_that_were_deleted_give_no_sheet(tmp_path):
    made = write_run(tmp_path)
    opened = open_run(made.run)
    sheets = Sheets(opened)
    for path in (made.run / "crops").glob("plate_B*.npy"):
        path.unlink()
    # The contrast is that of the cells which are left.
    shown = sheets.shown(None)
    assert sheets.sheet(np.array([107]), shown, 48) is None
    assert sheets.sheet(np.arange(4), shown, 48) is not None


def test_a_run_without_crops_opens_and_has_no_sheet(tmp_path):
    made = write_run(tmp_path)
    for path in (made.run / "crops").iterdir():
        path.unlink()
    opened = open_run(made.run)
    assert opened.store is None
    assert Sheets(opened).sheet(np.arange(4), [], 48) is None
