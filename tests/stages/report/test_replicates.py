"""Replicates and places: what cannot be told takes no room, wells of one condition no picture."""

from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest

from cellwise.stages.report.sections.replicates import context


def material(positions, conditions) -> Any:
    wells = pl.DataFrame(
        {
            "Metadata_Well": [f"B0{k + 2}" for k in range(len(conditions))],
            "Condition": conditions,
            "n_cells": [5] * len(conditions),
            "Fraction_red": [k / 10 for k in range(len(conditions))],
        }
    )
    evaluation = {"positions": positions}
    return SimpleNamespace(wells=wells, evaluation=evaluation, classes=("red",))


def place(eta2, expected):
    return {"plate": "p", "class": "red", "factor": "row", "eta2": eta2, "expected": expected,
            "n": 9}  # fmt: skip


@pytest.mark.parametrize(("told", "untold"), [(0, 3), (2, 0), (1, 5)])
def test_places_that_cannot_be_told_are_counted_and_not_listed(told, untold):
    rows = [place(None, 0.1)] * untold + [place(0.9, 0.2)] * told
    found = context(material(rows, ["a", "b"]))
    assert [row["notable"] for row in found["positions"]] == [True] * told
    assert (found["asked"], found["untold"]) == (told + untold, untold)


@pytest.mark.parametrize(
    ("conditions", "charts"), [(["a"] * 6, 0), (["a", "a", "a", "b", "b", "b"], 1), ([None] * 6, 0)]
)
def test_wells_that_were_all_treated_alike_are_no_replicates_of_anything(conditions, charts):
    found = context(material([place(0.9, 0.2)], conditions))
    assert len(found["charts"]) == charts
