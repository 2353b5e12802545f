"""The section on labels of cells to look at: counts, the first of each list, when it is there."""

import json

import polars as pl

from cellwise.domain.tables import CANDIDATES, CELLS
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.tables import read_table, write_table


def _page(made, kinds):
    run = RunFolder(made.run)
    record = json.loads(run.record.read_text())
    record["recipe"]["steps"].append({"kind": "label", "name": "denoised"})
    run.record.write_text(json.dumps(record))
    cells = read_table(run.cells, CELLS).select("site_id", "cell_id").head(len(kinds))
    frame = cells.with_columns(
        pl.lit("rim").alias("class"),
        pl.Series("kind", kinds),
        pl.int_range(1, pl.len() + 1, dtype=pl.Int32).alias("rank"),
        pl.lit(0.1, pl.Float32).alias("before"),
        pl.lit(0.9, pl.Float32).alias("after"),
        pl.lit(4, pl.Int32).alias("known_near"),
    )
    write_table(run.candidates("denoised"), CANDIDATES, frame.sort("class", "kind", "rank"))
    page = made.html()
    part = page[page.index('id="candidates"') :]
    return " ".join(part[: part.index("</section>")].split())


def test_cells_are_counted_and_shown_with_what_is_said_of_them(plate_run):
    part = _page(plate_run, ["added"] * 8 + ["removed"])
    assert "rim · perhaps missed: 8 · perhaps false: 1" in part
    assert "6 of 8 cells" in part
    assert part.count("0.10 → 0.90") == 7
    assert part.count('class="image"') == 7
    assert "4 known near" in part


def test_a_step_without_candidates_says_so_and_runs_without_a_step_have_no_section(plate_run):
    assert 'id="candidates"' not in plate_run.html()
    assert "No label of a cell stands out" in _page(plate_run, [])
