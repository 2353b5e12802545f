"""Judgements and galleries: what is called trustworthy, and which cells are shown."""

import numpy as np
import polars as pl
import pytest

from cellwise.stages.report._results import reliability_points
from cellwise.stages.report.material import choose
from cellwise.stages.report.sections.galleries import spread_over_sites


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
