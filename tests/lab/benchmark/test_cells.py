"""Which cells count, in which table, under which group."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from cellwise.lab.benchmark.cells import Known, Said, counted, numbered, with_field_label

pytestmark = pytest.mark.slow


def known(classes, groups):
    truth = np.array([[c == name for name in ("a", "b")] for c in classes])
    names, number = np.unique(groups, return_inverse=True)
    keys = pl.DataFrame({"site_id": list(groups), "cell_id": range(len(groups))})
    return Known(keys, ("a", "b"), truth, number, tuple(names.tolist()))


def test_a_class_of_few_cells_or_groups_is_listed_apart():
    cells = known(["a", "a", "a", "b", "b"], ["x", "y", "z", "x", "x"])
    assert cells.apart(min_cells=3, min_groups=1) == {"b": "2 cells show it"}
    assert cells.apart(min_cells=2, min_groups=2) == {"b": "its cells lie in 1 groups"}


def test_a_class_that_every_cell_shows_is_listed_apart():
    assert known(["a", "a"], ["x", "y"]).apart(min_cells=1, min_groups=1) == {
        "a": "every cell shows it",
        "b": "0 cells show it",
    }


def test_groups_of_the_same_name_get_the_same_number():
    one, other = numbered([known(["a", "b"], ["p1", "p2"]), known(["a", "b"], ["p2", "p3"])])
    assert one.groups == other.groups == ("p1", "p2", "p3")
    assert one.group.tolist() == [0, 1]
    assert other.group.tolist() == [1, 2]


@pytest.mark.parametrize(
    ("apart", "wanted", "places"),
    [({}, (), [0, 1]), ({"a": "few"}, (), [1]), ({}, ("b",), [1]), ({"b": "few"}, ("b",), [])],
)
def test_the_classes_that_count(apart, wanted, places):
    assert counted(known(["a", "b"], ["x", "y"]), apart, wanted) == places


@pytest.mark.long
def test_ignored_cells_are_in_no_table_and_a_cell_in_one(climbed):
    from cellwise.lab.benchmark.cells import known_cells
    from cellwise.store.worlds.truth import read_truth

    task = climbed.result.plan.tasks()[0]
    world = climbed.home / "world"
    tables = known_cells(world, task, climbed.out)
    truth = read_truth(world).cells
    kept = truth.filter(~pl.col("ignored")).select("site_id", "cell_id")
    both = pl.concat([t.keys.select("site_id", "cell_id") for t in tables.values()])
    assert both.sort("site_id", "cell_id").equals(kept.sort("site_id", "cell_id"))
    assert set(tables["labelled"].groups) <= {f"p{k}" for k in range(6)}


@pytest.mark.long
def test_a_cell_without_a_prediction_ranks_last(climbed):
    from cellwise.lab.benchmark.cells import _aligned

    cells = known(["a", "b"], ["x", "y"])
    frame = pl.DataFrame({"site_id": ["x"], "cell_id": [0], "Prob_a": [0.0], "Prob_b": [0.4]})
    found = _aligned(frame, cells)
    assert (found[1] < found[0]).all()


def test_a_field_label_rules_out_what_is_not_given_and_says_nothing_of_new_fields():
    one = known(["a", "b", "a"], ["x", "y", "z"])
    one = replace(one, keys=one.keys.with_columns(given=pl.Series([["a"], [], None])))
    said = with_field_label(Said(np.array([[0.2, 0.9], [0.4, 0.3], [0.5, 0.6]])), one)
    assert said.scores.tolist() == [[0.2, 0.0], [0.0, 0.0], [0.5, 0.6]]
    assert np.isnan(said.mask_map)
    silent = with_field_label(Said(np.full((3, 2), -1.0)), one)
    assert (silent.scores == -1).all()
