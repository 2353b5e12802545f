"""Judgements and galleries: what is called trustworthy, and which cells are shown."""

import json
import re
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellwise.stages.report._answers import reliability_points
from cellwise.stages.report._warnings import together
from cellwise.stages.report.material import Choices, Material, choose
from cellwise.stages.report.sections.galleries import spread_over_sites
from cellwise.stages.report.sections.provenance import _said
from cellwise.stages.report.sections.verdict import _by_reason
from cellwise.stages.split._account import untestable


def test_reliability_points_count_every_cell_once():
    score = np.array([0.0, 0.05, 0.5, 0.99, 1.0])
    truth = np.array([False, True, True, True, True])
    points = reliability_points(score, truth)
    assert [n for _, _, n in points] == [2, 1, 2]
    assert points[0][1] == 0.5
    assert points[-1][0] == pytest.approx(0.995)
    assert points[-1][1] == 1.0


def test_sites_are_drawn_by_the_seed_and_keep_their_order():
    names = [f"s{i:02d}" for i in range(40)]
    drawn = choose(names, 5, 3)
    assert drawn == choose(names, 5, 3) == sorted(drawn)
    assert drawn != choose(names, 5, 4)
    assert choose(names[:3], 5, 3) == names[:3]


def test_a_gallery_shows_two_cells_of_a_site_before_a_third():
    table = pl.DataFrame(
        {"site_id": ["a"] * 5 + ["b"], "cell_id": [1, 2, 3, 4, 5, 1], "p": [9, 8, 7, 6, 5, 1]}
    )
    chosen = spread_over_sites(table, pl.col("p").cast(pl.Float64), 4)
    assert list(chosen.select("site_id", "cell_id").iter_rows()) == [
        ("a", 1),
        ("a", 2),
        ("b", 1),
        ("a", 3),
    ]


@st.composite
def small_runs(draw):
    """Classes with or without a labelled field, and how probable each is at most."""
    names = draw(st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=6, unique=True))
    labelled = [name for name in names if draw(st.booleans())]
    most = {name: draw(st.floats(0, 1, width=32)) for name in names}
    return names, labelled, most, draw(st.booleans())


@given(small_runs())
def test_classes_of_which_there_is_nothing_to_see_are_left_out(case):
    names, labelled, most, applied = case
    sites = pl.DataFrame(
        {"site_id": ["s", "t"], "labels": [labelled or None, None]},
        schema={"site_id": pl.String, "labels": pl.List(pl.String)},
    )
    columns = {f"Prob_{name}": [0.0, most[name]] for name in names}
    record = {"inputs": {"fitted": "other.run" if applied else None}}
    predictions = pl.DataFrame({"site_id": ["s", "t"], **columns})
    made = Material(SimpleNamespace(), Choices(1, 1), sites=sites, predictions=predictions)
    made = replace(made, record=record)
    expected = [
        n for n in names if labelled and not applied and n not in labelled and most[n] < 0.5
    ]
    assert list(made.unlearned) == expected


def test_classes_that_are_judged_alike_for_the_same_reason_standtogether():
    why = {"a": "no field", "b": "one field", "c": "no field"}
    results: list[Any] = [SimpleNamespace(name=name, why=why[name]) for name in "abc"]
    assert _by_reason(results) == [(["a", "c"], "no field"), (["b"], "one field")]


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("sites", 1, "1 site"),
        ("ignored_files", {"truth/": 83}, "ignored files (truth/ 83)"),
        ("heard", ["inherit", "soft_ratio"], "heard (inherit, soft ratio)"),
    ],
)
def test_counts_of_steps_are_said_in_words(name, value, said):
    assert _said(name, value) == said


def test_warnings_about_classes_of_one_group_become_one_sentence():
    """The split step words them; what it says of other things stays as and where it was."""
    balance = [
        {"class": name, "groups": groups, "sites": n, "folds": [n, 0]}
        for name, groups, n in (("a", 1, 2), ("b's", 1, 1), ("c", 2, 9))
    ]
    warnings = ["first", *untestable(balance), "last"]
    assert len(warnings) == 5
    told = together(warnings)
    assert told[0] == "first"
    assert told[1].startswith("2 classes lie in one group each: a (2 fields), b's (1 field).")
    assert told[2:] == warnings[3:]
    assert together(warnings[2:]) == warnings[2:]


def test_classes_that_no_labelled_field_has_are_folded(make_run, tmp_path):
    made = make_run(tmp_path, classes=("inside", "nowhere", "Negative"))
    page = made.html(sites=1, gallery=1)
    part = page[page.index('id="classes"') : page.index('id="reliability"')]
    shown, _, folded = part.partition("<details><summary>1 class that no labelled field has")
    names = [re.findall(r'<td class="name">(\w+)</td>', text) for text in (shown, folded)]
    assert names[0] == ["inside", "Negative"]
    assert names[1][0] == "nowhere"


def test_the_split_lists_classes_that_a_labelled_field_has(plate_run):
    path = plate_run.run / "split.json"
    account = json.loads(path.read_text())
    account["balance"].append({"class": "nowhere", "sites": 0, "groups": 0, "folds": [0, 0]})
    account["warnings"] = untestable(account["balance"])
    path.write_text(json.dumps(account))
    page = plate_run.html(sites=1, gallery=1)
    part = page[page.index('id="splits"') : page.index('id="provenance"')]
    assert '<td class="name">inside</td>' in part
    assert '<td class="name">nowhere</td>' not in part
    assert "Class &#39;nowhere&#39; has no labelled field." in part
