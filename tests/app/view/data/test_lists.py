"""Lists of codes agree with lists of Python."""

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from cellwise.app.view.data.lists import code_lists

NAMES = ("a", "b", "<script>", "ü")
rows_of_names = st.lists(
    st.one_of(st.none(), st.lists(st.sampled_from((*NAMES, "unknown")), max_size=4)), max_size=12
)


@given(rows=rows_of_names)
def test_codes_are_the_places_of_the_names(rows):
    lists = code_lists(pl.Series(rows, dtype=pl.List(pl.String)), NAMES)
    for row, names in enumerate(rows):
        assert lists.of(row) == [NAMES.index(name) for name in names or () if name in NAMES]


@given(rows=rows_of_names, data=st.data())
def test_rows_that_hold_a_code_are_found(rows, data):
    lists = code_lists(pl.Series(rows, dtype=pl.List(pl.String)), NAMES)
    code = data.draw(st.integers(0, 3))
    assert lists.holds(code).tolist() == [NAMES[code] in (names or ()) for names in rows]
    each = np.array([data.draw(st.integers(-1, 3)) for _ in rows], np.int32)
    assert lists.holds(each).tolist() == [
        code >= 0 and NAMES[code] in (names or ()) for code, names in zip(each, rows, strict=True)
    ]
    assert lists.filled.tolist() == [bool(set(names or ()) & set(NAMES)) for names in rows]


@given(rows=rows_of_names, data=st.data())
def test_taken_rows_have_their_lists(rows, data):
    lists = code_lists(pl.Series(rows, dtype=pl.List(pl.String)), NAMES)
    order = data.draw(st.lists(st.integers(0, len(rows) - 1), max_size=9)) if rows else []
    taken = lists.taken(np.array(order, np.int64))
    assert [taken.of(place) for place in range(len(order))] == [lists.of(row) for row in order]
