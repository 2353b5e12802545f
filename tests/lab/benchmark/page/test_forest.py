"""The forest plot: colours say signs, and a line without a comparison is not drawn."""

from dataclasses import replace

from cellwise.lab.benchmark.compare import Line
from cellwise.lab.benchmark.page.forest import COLOURS, forest
from cellwise.lab.benchmark.statistics import Estimate

LINE = Line(
    world="hard <&>",
    row="soft",
    table="new",
    accuracy=Estimate(0.5, 0.4, 0.6),
    base="inherit",
    difference=Estimate(0.1, 0.05, 0.15),
    p=0.01,
    holm=0.02,
    sign="better",
    gap=None,
    closed=None,
    why_not="",
    cells=10,
    groups=3,
    classes=("a",),
    apart={},
)


def test_each_sign_has_its_colour():
    for sign, colour in COLOURS.items():
        assert colour in forest([replace(LINE, sign=sign)])


def test_names_are_escaped():
    drawn = forest([LINE])
    assert "hard &lt;&amp;&gt;" in drawn
    assert "<&>" not in drawn


def test_nothing_to_compare_is_no_plot():
    assert forest([replace(LINE, difference=None, base="", sign="")]) is None


def test_an_interval_that_is_not_known_is_no_error():
    nan = float("nan")
    assert "soft" in forest([replace(LINE, difference=Estimate(0.1, nan, nan), sign="open")])
    assert "soft" in forest([replace(LINE, difference=Estimate(nan, nan, nan), sign="open")])
