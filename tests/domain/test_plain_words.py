"""Counts and codes are shown as a person would say them."""

import re
from pathlib import Path

import pytest

import cellwise
from cellwise.domain.plain_words import _PROBLEMS, by_number, counted, figure_said, problems_said


@pytest.mark.parametrize(
    ("number", "words", "said"),
    [
        (1, "sites", "1 site"),
        (2, "sites", "2 sites"),
        (0, "wells", "0 wells"),
        (1, "fields_used", "1 field used"),
        (1, "classes", "1 class"),
        (1, "nuclei", "1 nucleus"),
        (1, "unscored", "1 unscored"),
        (12_345.0, "cells", "12,345 cells"),
    ],
)
def test_one_is_no_plural(number, words, said):
    assert counted(number, words) == said


@pytest.mark.parametrize(
    ("number", "said"),
    [(0.1512, "context gain 0.151"), (-0.2, "context gain -0.2"), (2.0, "2 context gain")],
)
def test_a_number_that_is_no_count_keeps_its_digits(number, said):
    assert counted(number, "context_gain") == said


def test_problems_are_counted_in_words():
    codes = ["empty_file", "label_without_image", "empty_file", "of_another_package"]
    assert problems_said(codes) == [
        "2 empty files",
        "1 row of labels without an image",
        "1 of another package",
    ]


def test_letters_of_figures_are_words():
    assert figure_said("site_ece") == "site calibration error"
    assert figure_said("well_macro_ap") == "well macro average precision"


@pytest.mark.parametrize(("number", "word"), [(0, "are"), (1, "is"), (2, "are"), (1.0, "is")])
def test_the_word_beside_a_count_agrees_with_it(number, word):
    assert by_number(number, "is", "are") == word


def test_every_code_that_is_written_in_the_source_has_words():
    written = re.compile(r'(?:code=|\.note\(|Problem\()\s*"([a-z_]+)"')
    sources = Path(cellwise.__file__).parent.rglob("*.py")
    codes = {code for file in sources for code in written.findall(file.read_text("utf-8"))}
    assert {"channel_missing", "projection"} < codes
    # Said by its reason and remedy.
    assert codes - set(_PROBLEMS) == {"not_read"}
