"""Which wells prove something: every kind of well by hand."""

import polars as pl
import pytest

from cellwise.stages.evaluate.screens.roles import roles

SCHEMA = {"experiment": pl.String, "class": pl.String, "well_type": pl.String,
          "part": pl.String, "fold": pl.Int32}  # fmt: skip


def role(*rows, judged=()):
    return roles(pl.DataFrame(rows, schema=SCHEMA, orient="row"), judged=judged).to_list()


def test_a_test_experiment_is_out_of_batch_unless_others_of_it_were_learned():
    rows = [("A", "t1", "treatment", "train", None), ("A", "t2", "treatment", "test", None),
            ("B", "t2", "treatment", "test", None)]  # fmt: skip
    assert role(*rows) == ["learned", "in_batch", "out_of_batch"]


def test_a_fold_of_whole_experiments_is_out_of_batch():
    rows = [("A", "t1", None, "train", 0), ("A", "t2", None, "train", 0),
            ("B", "t1", None, "train", 1)]  # fmt: skip
    assert role(*rows) == ["out_of_batch"] * 3
    split = [(*row[:4], fold) for row, fold in zip(rows, (0, 1, 1), strict=True)]
    assert role(*split) == ["in_batch", "in_batch", "out_of_batch"]


def test_experiments_that_judged_epochs_prove_nothing():
    rows = [("A", "t1", None, "train", 0), ("B", "t1", None, "train", 1)]
    assert role(*rows, judged=["B"]) == ["out_of_batch", "chose_epochs"]


@pytest.mark.parametrize("kind", ["positive_control", "negative_control"])
def test_controls_and_unknown_wells_have_none(kind):
    rows = [("A", "c", kind, "train", 0), ("A", None, "treatment", "test", None)]
    assert role(*rows) == [None, None]


def test_wells_without_an_experiment_are_one_batch():
    rows = [(None, "t1", None, "train", 0), (None, "t2", None, "train", 1)]
    assert role(*rows) == ["in_batch", "in_batch"]


def test_no_wells():
    assert role() == []
