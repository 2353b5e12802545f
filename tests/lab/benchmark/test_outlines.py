"""Found outlines: who is who against a slow search, mAP by hand, a ladder that judges them."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.lab.benchmark.tiny_world import ROWS, make_world, write_rows

from cellwise.domain.records import Masks
from cellwise.lab.benchmark import cells
from cellwise.lab.benchmark.cells import NEW
from cellwise.lab.benchmark.outlines import as_true_cells, found_cells, mask_map
from cellwise.lab.benchmark.run import BenchmarkRequest, run_benchmark
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.masks import write_masks
from cellwise.store.worlds.truth import (
    read_truth,
    write_truth_cells,
    write_truth_masks,
    write_world,
)

SIDE, CELL = 48, 12


def squares(places, shift=0):
    """Label image of squares; `shift` moves them to the right."""
    labels = np.zeros((SIDE, SIDE), np.uint16)
    for number, (y, x) in places.items():
        labels[y : y + CELL, x + shift : x + shift + CELL] = number
    return labels


def make(folder, true, found, classes):
    """A world of one field and a run that found other cells in it."""
    write_truth_masks(folder / "truth", "f", Masks(true, true))
    rows = [{"site_id": "f", "cell_id": n, "classes": c, "ignored": 0} for n, c in classes.items()]
    write_truth_cells(folder / "truth", pl.DataFrame(rows))
    write_world(folder / "truth", {"world": "hand", "classes": ["a", "b"], "left_out": []})
    run = RunFolder(folder / "run")
    write_masks(run.masks, "f", Masks(found, found))
    truth = read_truth(folder)
    return found_cells(run, truth, ["f"]), truth


def predictions(numbers):
    return pl.DataFrame({"site_id": ["f"] * len(numbers), "cell_id": numbers, "Prob_a": 0.5})


@pytest.fixture
def by_hand(tmp_path):
    """Cell 1 found as 7, cell 2 moved too far, cell 3 missed; 9 is no cell."""
    true = squares({1: (2, 2), 2: (2, 20), 3: (30, 2)})
    found = squares({7: (2, 2)}, shift=1) + squares({8: (2, 20)}, shift=6) + squares({9: (30, 30)})
    return make(tmp_path, true, found, {1: "a", 2: "a", 3: "b"})


def test_a_true_cell_is_the_found_one_that_overlaps_it_enough(by_hand):
    found, _ = by_hand
    joined = as_true_cells(predictions([7, 8, 9]), found)
    assert joined.select("site_id", "cell_id").rows() == [("f", 1)]


def test_map_counts_what_was_missed_and_what_is_no_cell(by_hand):
    """Class a has two cells, one hit: area 1/2 if it ranks first, 1/3 / 2 if last; b has none."""
    found, truth = by_hand
    said = predictions([7, 8, 9])
    for first, area in (((0.9, 0.5, 0.1), 0.5), ((0.1, 0.5, 0.9), 1 / 6)):
        chance = np.stack([first, (0.0, 0.0, 0.0)], axis=1)
        assert mask_map(said, chance, found, truth, ("a", "b")) == pytest.approx(area / 2)
        assert mask_map(said, chance[:, :1], found, truth, ("a",)) == pytest.approx(area)


def test_a_field_without_a_found_cell_is_judged_all_the_same(monkeypatch):
    fields = pl.DataFrame({"site_id": ["a"], "Weak_labels": [["x"]], "fold": [0]})
    read = pl.DataFrame(
        {
            "site_id": ["a", "b", "c", "d"],
            "labels": [["x"], ["y"], None, ["x"]],
            "status": ["ok", "ok", "ok", "quarantined"],
        }
    )

    class Reader:
        def __init__(self, run):
            pass

        def sites(self):
            return read

        def folds(self):
            return pl.DataFrame({"site_id": ["a", "b"], "fold": [0, 1]})

    monkeypatch.setattr(cells, "RunReader", Reader)
    found = cells._without_cells(None, fields)
    assert found.rows() == [("b", ["y"], 1), ("c", None, None)]


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_who_is_who_is_what_a_slow_search_finds(tmp_path_factory, seed):
    random = np.random.default_rng(seed)
    grid = [(y, x) for y in (2, 26) for x in (2, 26)]
    true = squares(dict(enumerate(grid, start=1)))
    kept = {n + 10: place for n, place in enumerate(grid) if random.random() < 0.8}
    found = squares(kept, shift=int(random.integers(0, 6)))
    made, _ = make(tmp_path_factory.mktemp("world"), true, found, dict.fromkeys(range(1, 5), "a"))
    slow = set()
    for one in range(1, 5):
        for other in kept:
            a, b = true == one, found == other
            if (a & b).sum() / (a | b).sum() >= 0.6:
                slow.add((one, other))
    assert set(made.partners().select("cell_id", "found_id").rows()) == slow


@pytest.mark.slow
@pytest.mark.long
def test_a_ladder_judges_the_cells_that_its_recipes_find(tmp_path):
    make_world(tmp_path / "world", train=8, test=4)
    text = ROWS.replace("make: {path: world}", "make: {path: world}, outlines: found")
    text = text.replace("train.epochs=4", "train.epochs=1").replace("draws: 200", "draws: 20")
    text = text[: text.index("  - name: truth")]
    request = BenchmarkRequest(tmp_path / "out", str(write_rows(tmp_path, rows=text)), seeds=1)
    result = run_benchmark(request)
    (line,) = result.table(NEW)
    truth = read_truth(tmp_path / "world")
    judged = truth.cells.filter(~pl.col("ignored") & pl.col("site_id").str.starts_with("test"))
    assert line.cells == judged.height
    assert 0 < line.beside["mask_map_60"].value.value <= 1
    assert "those that each recipe finds in tiny" in (request.out / "ladder.md").read_text()
    with pytest.raises(Exception, match="benchmark of another setting"):
        run_benchmark(replace(request, rows=str(write_rows(tmp_path, rows=ROWS))))
