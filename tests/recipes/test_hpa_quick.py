"""Recipes `hpa-quick` and `hpa-inherit` on a small made world: run, export, evaluate."""

import json

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

import cellwise
from cellwise.app.cli import app
from cellwise.domain.tables import FOLDS, LABELS, SITES
from cellwise.lab.simulate import simulate_world
from cellwise.lab.simulate.request import SimulateRequest
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.tables import read_table

pytestmark = [pytest.mark.long, pytest.mark.slow]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hpa") / "world"
    request = SimulateRequest(folder, "hpa", severity="hard", sites=16, size=192, seed=3)
    simulate_world(request, lambda done, total, note: None)
    return folder


@pytest.fixture(scope="module")
def quick(world):
    settings = [f"{name}.epochs=1" for name in ("cell", "cell1", "cell2")]
    return cellwise.run(world, out=world.parent / "quick", recipe="hpa-quick", settings=settings)


@pytest.fixture(scope="module")
def inherit(world):
    return cellwise.run(
        world, out=world.parent / "inherit", recipe="hpa-inherit", settings=["train.epochs=1"]
    )


def test_samples_never_straddle_folds_and_the_test_part_has_none(quick):
    run = RunFolder(quick.path)
    sites = (
        read_table(run.sites, SITES).unique("site_id").select("site_id", "part", "Metadata_Sample")
    )
    both = sites.join(read_table(run.folds, FOLDS), on="site_id", how="left")
    train = both.filter(pl.col("part") == "train")
    assert train["fold"].null_count() == 0
    assert train.group_by("Metadata_Sample").agg(pl.col("fold").n_unique())["fold"].max() == 1
    assert both.filter(pl.col("part") == "test")["fold"].drop_nulls().is_empty()


@pytest.mark.parametrize("name", ["soft1", "soft2"])
def test_a_relabel_stays_within_the_labels_of_the_field(quick, name):
    run = RunFolder(quick.path)
    inherited = read_table(run.labels("inherited"), LABELS)
    soft = read_table(run.labels(name), LABELS)
    assert soft.select("site_id", "cell_id").equals(inherited.select("site_id", "cell_id"))
    given, found = (np.stack(t["label"].to_list()) for t in (inherited, soft))
    assert (found <= given + 1e-6).all()
    assert (found < given - 0.01).any(), "something is taken back"


@pytest.mark.parametrize("recipe", ["quick", "inherit"])
def test_run_export_and_evaluation_agree(request, world, recipe):
    run = request.getfixturevalue(recipe)
    file = world.parent / f"{recipe}.csv"
    call = CliRunner().invoke
    assert (
        call(app, ["export", str(run.path), "--to", "hpa-csv", "--out", str(file)]).exit_code == 0
    )
    figures = []
    for what in (run.path, file):
        answer = call(app, ["evaluate", str(what), "--truth", str(world / "truth"), "--json"])
        assert answer.exit_code == 0, answer.output
        figures.append(json.loads(answer.stdout)["metrics"])
    of_run, of_file = figures
    assert of_run["hpa_map_60"]["value"] == pytest.approx(of_file["hpa_map_60"]["value"], abs=2e-3)
    assert of_run["cells_found_60"]["value"] == pytest.approx(of_file["cells_found_60"]["value"])
    assert "labelled_cell_macro_ap" in of_run
