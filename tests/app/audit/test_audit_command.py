"""From a draw to shares: only cells that were drawn at random count; else nothing is said."""

import csv
import json

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from cellwise.app.audit import audit_run, draw_cells
from cellwise.app.cli import app
from cellwise.domain.channels import Channel
from cellwise.domain.records import ChannelFile, Masks, Site
from cellwise.domain.tables import FOLDS, PREDICTIONS, SITES
from cellwise.errors import PreflightError
from cellwise.store.annotations.draws import read_draw
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.masks import write_masks
from cellwise.store.run.sites import sites_to_frame
from cellwise.store.run.tables import empty_frame, write_table

FIELDS = {
    f"f{n:02}": ("a", "b") if n % 4 == 0 else (("a",) if n % 2 else ("none",)) for n in range(24)
}
EACH = 12


def _mask():
    """Twelve cells of 2 by 2 pixels in a row, and background between them."""
    labels = np.zeros((4, EACH * 3), np.uint16)
    for number in range(EACH):
        labels[1:3, 3 * number : 3 * number + 2] = number + 1
    return labels


@pytest.fixture
def run(tmp_path):
    """A finished run of 24 labelled fields and one without label, and what its cells show."""
    run = RunFolder(tmp_path / "run")
    file = (ChannelFile(Channel("dna"), ("x.png",)),)
    fields = {**FIELDS, "u": None}
    sites = [Site(i, i, file, "train", labels) for i, labels in fields.items()]
    write_table(run.sites, SITES, sites_to_frame(sites, {}))
    names = {"names": ["a", "b", "c", "none"], "negative": "none"}
    run.reading.write_text(json.dumps({"classes": names}))
    folds = pl.DataFrame({"site_id": list(FIELDS), "fold": [n % 3 for n in range(24)]})
    write_table(run.folds, FOLDS, folds.with_columns(pl.col("site_id").alias("group")))
    for site in fields:
        write_masks(run.masks, site, Masks(_mask(), _mask()))
    random = np.random.default_rng(5)
    rows = [(site, cell + 1) for site in fields for cell in range(EACH)]
    has = np.array([[name in (fields[site] or ()) for name in "ab"] for site, _ in rows])
    shown = random.random(has.shape) < np.where(has, 0.6, 0.1)
    chance = 1 / (1 + np.exp(-(2.5 * (shown - 0.5) + random.normal(0, 1, has.shape))))
    frame = pl.DataFrame({"site_id": [r[0] for r in rows], "cell_id": [r[1] for r in rows]})
    frame = frame.join(folds, on="site_id", how="left", maintain_order="left").with_columns(
        pl.lit("cell").alias("unit"), pl.lit("train").alias("part"),
        pl.Series("Prob_a", chance[:, 0]), pl.Series("Prob_b", chance[:, 1]),
        pl.lit(0.1).alias("Prob_c"),
        (3.0 * (pl.col("cell_id") - 1) + 0.5).alias("x"), pl.lit(1.5).alias("y"),
        pl.lit(4).alias("area"), pl.lit(value=False).alias("border"),
        pl.lit(None, pl.Float32).alias("Uncertainty"),
        *(pl.lit([], pl.List(pl.String)).alias(n) for n in ("Labels", "Weak_labels")),
    )  # fmt: skip
    write_table(run.predictions, PREDICTIONS, frame)
    truth = {
        row: "|".join(np.array(["a", "b"])[s]) or "none" for row, s in zip(rows, shown, strict=True)
    }
    return run, truth, has[:-EACH], shown[:-EACH]


def _fill(run, truth, path, *, first=10**6, change=lambda row: row):
    """The sheet with what its first cells show."""
    with (run.annotations / "draw.csv").open(encoding="utf-8") as sheet:
        rows = list(csv.DictReader(sheet))
    for row in rows[:first]:
        row["classes"] = truth[row["site_id"], int(row["cell_id"])]
        row["who"] = "ann"
    pl.DataFrame([change(row) for row in rows]).write_csv(path)
    return path


def _true(has, shown, column):
    has, shown = has[:, column], shown[:, column]
    return (~shown[has]).mean(), shown[~has].sum() / shown.sum()


def test_without_judged_cells_there_are_bounds_and_no_share(run):
    found = audit_run(run[0].path)
    a, b, c = found["classes"]
    # 18 fields have a, 6 of them b beside it.
    assert (a["fields"], a["inherited"], a["false_at_least"], a["false_at_most"]) == (
        18, 18 * EACH, 6, 18 * EACH - 18,
    )  # fmt: skip
    assert (b["fields"], b["false_at_least"]) == (6, 6)
    assert (c["inherited"], c["false_at_most"]) == (0, 0)
    assert a["false"] is a["missed"] is b["false"] is None
    shown = CliRunner().invoke(app, ["audit", str(run[0].path)])
    assert shown.exit_code == 0
    assert "%" not in shown.stdout
    assert "if each cell also shows one class only" in shown.stdout


def test_every_cell_judged_gives_what_is_true(run, tmp_path):
    folder, truth, has, shown = run
    draw_cells(folder.path, 10**6, seed=0)
    found = audit_run(folder.path, verdicts=_fill(folder, truth, tmp_path / "v.csv"))
    assert found["judged"] == len(has) == 24 * EACH
    for column, one in enumerate(found["classes"][:2]):
        false, missed = _true(has, shown, column)
        assert one["false"]["value"] == pytest.approx(false)
        assert one["missed"]["value"] == pytest.approx(missed)


def test_a_draw_gives_intervals_around_what_is_true_and_so_does_its_first_part(run, tmp_path):
    folder, truth, has, shown = run
    draw_cells(folder.path, 120, seed=1)
    width = []
    for first in (60, 120):
        sheet = _fill(folder, truth, tmp_path / f"{first}.csv", first=first)
        found = audit_run(folder.path, verdicts=sheet)
        assert (found["drawn"], found["judged"]) == (120, first)
        false, _ = _true(has, shown, 0)
        share = found["classes"][0]["false"]
        assert share["low"] < false < share["high"]
        width.append(share["high"] - share["low"])
    assert width[1] < width[0]


def test_cells_that_were_picked_count_for_nothing(run, tmp_path):
    folder, truth, _, _ = run
    draw_cells(folder.path, 80, seed=1)
    audit_run(folder.path, verdicts=_fill(folder, truth, tmp_path / "v.csv"))
    before = audit_run(folder.path)
    drawn = set(read_draw(folder).drawn["site_id", "cell_id"].rows())
    others = [place for place in truth if place not in drawn and place[0] != "u"]
    # Said to be random or not: they were not drawn.
    rows = [(*place, "a", ("random", "hardest")[n % 2], "bob") for n, place in enumerate(others)]
    picks = pl.DataFrame(
        rows, schema=["site_id", "cell_id", "classes", "drawn", "who"], orient="row"
    )
    picks.write_csv(tmp_path / "picks.csv")
    after = audit_run(folder.path, verdicts=tmp_path / "picks.csv")
    assert after["classes"] == before["classes"]
    assert after["taken"]["verdicts"] == 3 * len(others)


def test_verdicts_of_a_queue_on_drawn_cells_do_not_count(run, tmp_path):
    folder, truth, _, _ = run
    draw_cells(folder.path, 80, seed=1)

    def picked(row):
        return {**row, "drawn": "hardest"}

    found = audit_run(folder.path, verdicts=_fill(folder, truth, tmp_path / "v.csv", change=picked))
    assert found["judged"] == 0
    assert found["classes"][0]["false"] is None


def test_a_second_draw_and_other_masks_are_refused(run):
    folder = run[0]
    draw_cells(folder.path, 20, seed=0)
    with pytest.raises(PreflightError, match="holds a draw already"):
        draw_cells(folder.path, 20, seed=1)
    site = read_draw(folder).drawn["site_id"][0]
    write_masks(folder.masks, site, Masks(_mask()[:, ::-1], _mask()))
    with pytest.raises(PreflightError, match="draw anew"):
        audit_run(folder.path)


def test_what_is_no_run_of_cells_is_refused(run, tmp_path):
    with pytest.raises(PreflightError, match="no predictions"):
        audit_run(tmp_path / "nothing")
    frame = empty_frame(PREDICTIONS).with_columns(
        *(pl.lit(None, pl.Float32).alias(f"Prob_{name}") for name in "abc")
    )
    write_table(run[0].predictions, PREDICTIONS, frame)
    with pytest.raises(PreflightError, match="has not seen the field"):
        draw_cells(run[0].path, 5, seed=0)


def test_the_command_draws_takes_and_tells(run, tmp_path):
    folder, truth, _, _ = run
    path = str(folder.path)
    drawn = CliRunner().invoke(app, ["audit", path, "--draw", "100"])
    assert drawn.exit_code == 0
    # What fields say would lead the person who judges.
    assert "label" not in (folder.annotations / "draw.csv").read_text().partition("\n")[0]
    sheet = _fill(folder, truth, tmp_path / "v.csv")
    told = CliRunner().invoke(app, ["audit", path, "--verdicts", str(sheet)])
    assert told.exit_code == 0
    assert "100 of 100 cells drawn at random were judged" in told.stdout
    assert told.stdout.count("of shown, missed") == 2
    assert "no judged cell shows: c\n" in told.stdout
    found = json.loads(CliRunner().invoke(app, ["audit", path, "--json"]).stdout)
    assert found["classes"][0]["false"]["judged"] > 0
    first = found["suspicious_cells"][0]
    assert first["class"] not in FIELDS[first["site_id"]]
