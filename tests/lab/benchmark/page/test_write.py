"""What the command prints at its end: every comparison of a short table, or why there is none."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from tests.lab.benchmark.page.test_forest import LINE

from cellwise.lab.benchmark.page.write import closing_lines
from cellwise.lab.benchmark.results import Result

EASY = replace(LINE, world="easy")


def printed(*lines):
    table = SimpleNamespace(floor="", ceiling="", min_cells=20, min_groups=3)
    plan: Any = SimpleNamespace(table=table, worlds=[SimpleNamespace(name="easy")])
    return closing_lines(Result(plan, lines, {}, ()))


def test_two_recipes_without_ends_are_compared_all_the_same():
    base = replace(EASY, row="inherit", base="", sign="")
    assert printed(base, EASY, replace(EASY, row="hard", sign="open")) == [
        "new fields, easy: judged on 10 cells, classes: 1",
        "  easy: soft better than inherit +0.100 [+0.050, +0.150]",
        "  easy: hard open against inherit +0.100 [+0.050, +0.150]",
    ]


def test_a_long_table_says_what_is_settled():
    many = [replace(EASY, row=f"row{n}", sign="open") for n in range(20)]
    assert [line for line in printed(*many, EASY) if "inherit" in line] == [
        "  easy: soft better than inherit +0.100 [+0.050, +0.150]"
    ]


def test_no_class_with_enough_cells_is_said_with_what_to_do():
    (said,) = printed(replace(EASY, classes=()))
    assert "no class is shown by 20 cells of 3 groups here (10 cells in all)" in said
    assert "min_cells" in said
