"""Filters and orders agree with the table that other programs read."""

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cellwise.app.view.data.question import Question, answer, polygon
from cellwise.errors import UsageError

CLASSES = ("inside", "Negative")


@pytest.fixture(scope="session")
def table(shown_run):
    cells = pl.read_parquet(shown_run.run / "cells.parquet").select(
        "site_id", "cell_id", "flags", "Cells_Intensity_Mean_gfp"
    )
    said = pl.read_parquet(shown_run.run / "predictions.parquet")
    return said.join(cells, on=["site_id", "cell_id"], maintain_order="left").with_row_index("row")


def rows(opened, **asked):
    return opened.ask(
        Question(**asked), inside=lambda name, corners: np.ones(len(opened.cells), bool)
    )


questions = st.fixed_dictionaries(
    {},
    optional={
        "name": st.sampled_from(CLASSES),
        "well": st.sampled_from(["A01", "B06", "Z99"]),
        "plate": st.sampled_from(["P1", "P2"]),
        "low": st.floats(0, 1, width=32),
        "high": st.floats(0, 1, width=32),
        "unsure": st.floats(0, 1, width=32),
        "sure": st.floats(0, 1, width=32),
        "assigned": st.sampled_from(["yes", "no"]),
        "likeliest": st.sampled_from(CLASSES),
        "disagrees": st.sampled_from(["yes", "no"]),
        "border": st.sampled_from(["yes", "no"]),
        "flag": st.sampled_from(["none", "no_nucleus"]),
        "order": st.sampled_from(["down", "up"]),
    },
)


def likeliest():
    return pl.when(pl.col("Prob_inside") >= pl.col("Prob_Negative"))


def expected(table, asked):
    """The same with polars, column by column."""
    column = pl.col(f"Prob_{asked.get('name', 'inside')}")
    name = asked.get("name", "inside")
    best = likeliest().then(pl.lit("inside")).otherwise(pl.lit("Negative"))
    labelled = pl.col("Weak_labels").list.len() > 0
    differs = labelled & ~pl.col("Weak_labels").list.contains(best)
    tests = {
        "well": lambda value: pl.col("Metadata_Well") == value,
        "plate": lambda value: pl.col("Metadata_Plate") == value,
        "low": lambda value: column >= np.float32(value),
        "high": lambda value: column <= np.float32(value),
        "unsure": lambda value: pl.col("Uncertainty") >= np.float32(value),
        "sure": lambda value: pl.col("Uncertainty") <= np.float32(value),
        "assigned": lambda value: pl.col("Labels").list.contains(name) == (value == "yes"),
        "likeliest": lambda value: best == value,
        "disagrees": lambda value: differs if value == "yes" else labelled & ~differs,
        "border": lambda value: pl.col("border") == (value == "yes"),
        "flag": lambda value: (
            pl.col("flags").list.len() == 0
            if value == "none"
            else pl.col("flags").list.contains(value)
        ),
    }
    wanted = [tests[key](value) for key, value in asked.items() if key in tests]
    found = table.filter(*wanted) if wanted else table
    down = asked.get("order", "down") == "down"
    return found.sort(column, "site_id", "cell_id", descending=[down, False, False])["row"]


@given(asked=questions)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
def test_filters_and_order_agree_with_the_table(opened, table, asked):
    assert rows(opened, **asked).tolist() == expected(table, asked).to_list()


def test_any_column_of_numbers_orders_cells(opened, table):
    name = "Cells_Intensity_Mean_gfp"
    assert name in opened.cells.columns()
    assert rows(opened, sort=name, order="up").tolist() == table.sort(name)["row"].to_list()
    area = rows(opened, sort="area")
    assert (np.diff(table["area"].to_numpy()[area]) <= 0).all()
    assert rows(opened, sort="site").tolist() == list(range(108))
    assert rows(opened, sort="site", order="up").tolist() == list(range(108))[::-1]


def test_unknown_values_stand_last_in_both_orders(opened, monkeypatch):
    values = np.arange(len(opened.cells), dtype=np.float32)
    values[[3, 50]] = np.nan
    monkeypatch.setitem(opened.cells._columns, "area_of_halves", values)
    for order in ("up", "down"):
        asked = Question(sort="area_of_halves", order=order)
        found = answer(opened.cells, asked, inside=lambda name, c: np.ones(108, bool))
        assert sorted(found[-2:].tolist()) == [3, 50]


def test_one_cell_of_one_field(opened):
    assert rows(opened, site="plate_A02", cell=5).tolist() == [13]
    assert not len(rows(opened, site="plate_Z99"))


def test_chosen_rows(opened):
    assert rows(opened, chosen="3,7-9,107-400", sort="site").tolist() == [3, 7, 8, 9, 107]


@pytest.mark.parametrize(
    "asked",
    [
        {"name": "<script>"},
        {"likeliest": "nothing"},
        {"flag": "unheard of"},
        {"sort": "Cells_Nothing"},
        {"sort": "shard"},
        {"chosen": "1-"},
        {"chosen": "'; drop"},
        {"within": "1,2,3,4"},
        {"within": "1,2,3,4,5,6,7"},
        {"within": "a,b,c,d,e,f"},
    ],
)
def test_what_is_not_there_is_said(opened, asked):
    with pytest.raises(UsageError):
        rows(opened, **asked)


def test_a_polygon_is_read_corner_by_corner():
    assert polygon("0,0,1.5,0,0,-2").tolist() == [[0, 0], [1.5, 0], [0, -2]]


def test_an_answer_is_calculated_once(opened):
    assert rows(opened, well="B02") is rows(opened, well="B02")
