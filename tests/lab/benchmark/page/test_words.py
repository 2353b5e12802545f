"""Numbers as they are printed."""

import math

import pytest

from cellwise.lab.benchmark.page.words import grid, p_said, said
from cellwise.lab.benchmark.statistics import Estimate


@pytest.mark.parametrize(
    ("found", "signed", "words"),
    [
        (Estimate(0.6124, 0.58, 0.6444), False, "0.612 [0.580, 0.644]"),
        (Estimate(0.02, -0.01, 0.05), True, "+0.020 [−0.010, +0.050]"),
        (Estimate(-0.0001, -0.0002, 0.0), True, "+0.000 [+0.000, +0.000]"),
        (Estimate(0.5, math.nan, math.nan), False, "0.500"),
        (Estimate(math.nan, math.nan, math.nan), False, "–"),
        (None, True, "–"),
    ],
)
def test_an_estimate_in_words(found, signed, words):
    assert said(found, signed=signed) == words


@pytest.mark.parametrize(
    ("value", "words"), [(0.00123, "0.0012"), (0.04, "0.04"), (0.5, "0.50"), (math.nan, "–")]
)
def test_a_p_value_in_words(value, words):
    assert p_said(value) == words


def test_a_bar_in_a_name_stays_in_its_column():
    assert grid(["row"], [["a|b"]]).splitlines()[-1] == r"| a\|b |"


def test_a_column_that_says_nothing_is_left_out():
    rows = [["a", "–", "", "1"], ["b", "–", "–", "–"]]
    assert grid(["row", "against", "sign", "gain"], rows).splitlines() == [
        "| row | gain |",
        "| --- | --- |",
        "| a | 1 |",
        "| b | – |",
    ]
    assert grid(["row", "sign"], []) == "| row | sign |\n| --- | --- |"
