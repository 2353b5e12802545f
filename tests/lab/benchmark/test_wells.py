"""A ladder of screens: wells of test experiments, right answers counted, differences paired."""

import csv
import json
import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ttest_rel
from tests.lab.benchmark.tiny_screen import write_screen

from cellwise.errors import BadOption, PreflightError
from cellwise.lab.benchmark.page.wells import COLUMNS
from cellwise.lab.benchmark.page.write import closing_lines
from cellwise.lab.benchmark.plan import make_plan
from cellwise.lab.benchmark.rows import Row, World, load_table
from cellwise.lab.benchmark.run import BenchmarkRequest, run_benchmark
from cellwise.lab.benchmark.wells import Judged, lines_of, paired_p
from cellwise.lab.benchmark.worlds import check_worlds

ROWS = (Row("base", "r"), Row("mine", "r", against=("base",)))


@pytest.fixture(scope="module")
def climbed(tmp_path_factory):
    home = tmp_path_factory.mktemp("screens")
    request = BenchmarkRequest(home / "out", str(write_screen(home)))
    return home, run_benchmark(request), request


def lines_in(home):
    with (home / "out" / "ladder.csv").open(newline="") as handle:
        return list(csv.DictReader(handle))


def test_right_answers_are_those_that_a_count_by_hand_finds(climbed):
    """Four treated wells of the test experiment; controls and other experiments do not count."""
    home, result, _ = climbed
    lines = lines_in(home)
    assert tuple(lines[0]) == COLUMNS
    assert [line["row"] for line in lines] == ["free", "grouped", "adapted"]
    for line in lines:
        shares = []
        for task in result.plan.tasks():
            strand = next((s for s in task.merged.strands if s.row == line["row"]), None)
            if strand is None:
                continue
            said = pl.read_parquet(task.run(home / "out") / f"treatments_{strand.decide}.parquet")
            said = said.filter(pl.col("experiment") == "RPE-04", pl.col("well_type") == "treatment")
            true = {
                f"RPE-04/RPE-04_{plate}/B0{k + 2}": str(2 * (plate % 2) + k)
                for plate in (1, 2)
                for k in (0, 1)
            }
            assert set(said["well"]) == set(true)
            shares.append(np.mean([true[w] == a for w, a in said.select("well", "answer").rows()]))
        assert float(line["accuracy"]) == pytest.approx(np.mean(shares))
        assert (line["wells"], line["experiments"], line["worlds"]) == ("4", "1", "1")
        assert float(line["chance"]) == 0.25
        assert line["difference_low"] == line["holm_p"] == ""  # one world is one value


def test_rows_share_a_training_and_every_output_names_them(climbed):
    home, result, request = climbed
    (merged,) = result.plan.merged["screen"]
    kinds = [step.kind for step in merged.recipe.steps]
    assert (kinds.count("train"), kinds.count("score"), kinds.count("assign")) == (1, 2, 3)
    page = (home / "out" / "ladder.html").read_text()
    document = (home / "out" / "ladder.md").read_text()
    lines = json.loads((home / "out" / "ladder.json").read_text())["lines"]
    for row in ("free", "grouped", "adapted"):
        assert row in page
        assert row in document
    assert "assign.design: off -&gt; groups" in page
    assert [len(line["each"]) for line in lines] == [1, 1, 1]
    assert len(closing_lines(result)) == 3
    before = lines_in(home)
    run_benchmark(request)
    assert lines_in(home) == before


@given(
    st.lists(
        st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=2, max_size=6
    ),
    st.randoms(use_true_random=False),
)  # fmt: skip
def test_differences_are_paired_by_world_whatever_the_order(hits, random):
    seen = [judged(base, mine) for base, mine in hits]
    base, mine = lines_of(ROWS, World("w"), seen)
    shares = np.array(hits) / 10
    assert mine.difference.value == pytest.approx(float(np.diff(shares).mean()), abs=1e-12)
    assert (base.difference, base.base, mine.base) == (None, "", "base")
    if np.ptp(np.diff(shares)) > 1e-9:
        assert mine.p == pytest.approx(ttest_rel(shares[:, 1], shares[:, 0]).pvalue)
    shuffled = random.sample(seen, len(seen))
    again = lines_of(ROWS, World("w"), shuffled)[1]
    assert again.difference.value == pytest.approx(mine.difference.value, abs=1e-12)
    assert (again.wells, again.experiments) == (10 * len(hits), 2 * len(hits))


def judged(base, mine):
    names = pl.Series([f"w{k}" for k in range(10)])
    wells = pl.DataFrame({"well": names, "experiment": ["A", "B"] * 5, "treatment": names})
    right = {"base": (np.arange(10) < base,), "mine": (np.arange(10) < mine,)}
    return Judged(wells, right)


def test_what_no_test_can_tell_has_no_p():
    assert math.isnan(paired_p(np.array([0.2])))
    assert math.isnan(paired_p(np.array([0.2, 0.2])))
    assert paired_p(np.zeros(3)) == 1.0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("wells.yaml, about", "one-class-features, about"), "decide on cells and on wells"),
        (("world: folder, make: {path: screen}", "world: rxrx1"), ""),
    ],
)
def test_cells_and_wells_are_not_compared(tmp_path, change, words):
    path = write_screen(tmp_path, experiments=2)
    path.write_text(path.read_text().replace(*change))
    if words:
        with pytest.raises(BadOption, match=words):
            make_plan(load_table(str(path)))
    else:
        assert make_plan(load_table(str(path))).of_wells


def test_a_world_without_known_treatments_is_refused(tmp_path):
    path = write_screen(tmp_path, experiments=2)
    plan = make_plan(load_table(str(path)))
    (tmp_path / "screen" / "truth" / "sites.csv").unlink()
    with pytest.raises(PreflightError, match=r"holds no truth/sites\.csv"):
        check_worlds(plan, tmp_path / "out")


def test_a_screen_has_wells_and_no_cells_to_decide(tmp_path):
    path = tmp_path / "cells.yaml"
    path.write_text(
        "format: 1\nworlds: [{name: s, world: rxrx1}]\nrows: [{name: inherit, recipe: hpa-inherit}]"
    )
    with pytest.raises(BadOption, match="is a screen"):
        make_plan(load_table(str(path)))
