"""Numbers with units are read as they are meant, or not at all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellwise.domain.missing import is_missing
from cellwise.domain.quantities import dose_unit, read_quantities


@pytest.mark.parametrize(
    ("texts", "values", "unit"),
    [
        (["30 nM", "3nM", "0.3 nM"], [30, 3, 0.3], "nM"),
        (["2 µM", "2 μM", "2 uM", "2um", "0.002 mM"], [2, 2, 2, 2, 2], "µM"),
        (["5 nM", "5 nM", "1 µM", "0"], [5, 5, 1000, 0], "nM"),
        (["0,25", "2,5", "1,000"], [0.25, 2.5, 1], ""),
        (["2.5", "1,000"], [2.5, 1000], ""),
        (["1.250,5", "3"], [1250.5, 3], ""),
        (["7e-3", "7E-3 "], [0.007, 0.007], ""),
        (["1 000", "10 000"], [1000, 10000], ""),
        (["4 µg/mL", "4 ug/ml", "0.004 mg/mL"], [4, 4, 4], "µg/mL"),
        (["1 %", "2%"], [1, 2], "%"),
        (["NA", "", "-", "3"], [None, None, None, 3], ""),
        (["6 ng", "7 ng"], [6, 7], "ng"),
    ],
)
def test_numbers_as_people_write_them(texts, values, unit):
    found = read_quantities(texts)
    assert found.values == tuple(values)
    assert (found.unit, found.unread) == (unit, 0)


@pytest.mark.parametrize(
    ("texts", "unread"),
    [
        (["1,000", "2,000"], 2),
        (["high", "3", "high"], 2),
        (["5 nM", "5 nM", "3 µg/mL"], 1),
        (["5 nM", "6 nM", "7"], 1),
        (["<3", "1/10", "3-4", "1e999"], 4),
        (["1.500", "0,5"], 1),
    ],
)
def test_what_may_mean_two_things_is_not_read_and_counted(texts, unread):
    found = read_quantities(texts)
    assert found.unread == unread
    assert sum(value is None for value in found.values) == unread


@pytest.mark.parametrize(
    ("column", "unit"),
    [
        ("Dose", ""),
        ("Metadata_dose_index", ""),
        ("concentration_uM", "µM"),
        ("Conc. (nM)", "nM"),
        ("Dose [µg/mL]", "µg/mL"),
        ("conc_ug_per_ml", "µg/mL"),
        ("Metadata_mmoles_per_liter", "mM"),
        ("well", None),
        ("Treatment", None),
        ("dose_replicate", None),
    ],
)
def test_columns_of_doses_are_known_by_name(column, unit):
    assert dose_unit(column) == unit


def test_values_without_unit_have_that_of_the_column():
    found = read_quantities(["3", "1 µM"], unit="nM")
    assert sorted(found.values) in ([3, 1000], [0.003, 1])


UNITS = {"pM": -12, "nM": -9, "µM": -6, "mM": -3, "M": 0}


@given(
    st.lists(
        st.tuples(st.integers(1, 9999), st.sampled_from(sorted(UNITS)), st.sampled_from(".,")),
        min_size=1,
        max_size=6,
    )
)
def test_values_are_those_of_the_slow_way_in_every_spelling(rows):
    texts = [f"{n // 10}{mark}{n % 10} {unit}" for n, unit, mark in rows]
    found = read_quantities(texts)
    for (n, unit, _), value in zip(rows, found.values, strict=True):
        assert value == pytest.approx(n / 10 * 10.0 ** (UNITS[unit] - UNITS[found.unit]))
    turned = read_quantities(texts[::-1])
    assert (turned.values, turned.unit) == (found.values[::-1], found.unit)


@given(st.text(max_size=12))
def test_any_text_is_a_number_or_counted(text):
    found = read_quantities([text])
    assert (found.values[0] is None) == (is_missing(text) or found.unread == 1)
