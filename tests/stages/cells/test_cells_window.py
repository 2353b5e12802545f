"""The window around cells: measured so that nearly all fit, and settled once."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cellwise.stages.cells._window import cut_share, window_of
from cellwise.stages.cells.spec import Options
from cellwise.stages.cells.step import measure


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(1, 3000), min_size=10, max_size=300))
def test_nearly_all_cells_fit_and_no_pixel_is_wasted(sides):
    window, said = window_of(48, sides)
    assert window % 2 == 0
    assert cut_share(np.array(sides), window) <= 0.05 + 1 / len(sides)
    assert window <= max(8, max(sides) + 1)
    assert f"{window:g} px" in said
    assert str(len(sides)) in said


@pytest.mark.parametrize("sides", [[], [500] * 9])
def test_few_cells_say_nothing(sides):
    window, said = window_of(48, sides)
    assert window == 48
    assert "too few" in said


def test_one_giant_does_not_widen_the_window():
    assert window_of(48, [30] * 99 + [900])[0] == 30


def test_cells_with_windows_of_their_own_are_never_cut():
    assert cut_share(np.array([10, 900]), None) == 0
    assert cut_share(np.array([10, 900]), 64) == 0.5


def test_the_step_settles_what_was_left_open():
    found, _ = measure({"size": 40, "window": "auto"}, [20] * 50)
    assert found == {"window": 20.0}
    settled = Options.of({"size": 40, "window": "auto", **found})
    assert settled.plan.window == 20
    assert Options.of({"size": 40, "window": "auto"}).plan.window == 40
