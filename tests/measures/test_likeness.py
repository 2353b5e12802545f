"""Two sets of fields: unlike ones are told, those of one kind never."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cellwise.measures.likeness import unlike

ALIKE = st.lists(st.floats(0.75, 1.25), min_size=1, max_size=30)


@settings(max_examples=200, deadline=None)
@given(ALIKE, ALIKE, st.floats(1e-6, 1e6))
def test_fields_of_one_kind_are_never_called_unlike(before, now, unit):
    assert unlike(np.array(before) * unit, np.array(now) * unit, factor=2) is None


@settings(max_examples=200, deadline=None)
@given(st.lists(st.floats(0.9, 1.1), min_size=3, max_size=30), ALIKE, st.sampled_from([0.2, 5.0]))
def test_five_times_as_much_is_told_with_both_levels(before, now, times):
    found = unlike(np.array(before), np.array(now) * times, factor=2)
    assert found is not None
    assert found[0] == pytest.approx(1, abs=0.11)
    assert found[1] / times == pytest.approx(1, abs=0.26)


def test_what_varied_widely_before_may_vary_now():
    before = np.array([0.1, 0.5, 1.0, 4.0, 20.0])
    assert unlike(before, np.array([19.0]), factor=2) is None
    assert unlike(before, np.array([60.0]), factor=2) is None
    assert unlike(before, np.array([1e6]), factor=2) is not None


@pytest.mark.parametrize("few", [[], [1.0, 1.0], [np.nan, 0, -1, 1.0, 1.0]])
def test_of_few_fields_nothing_is_known(few):
    assert unlike(np.array(few), np.array([100.0]), factor=2) is None
