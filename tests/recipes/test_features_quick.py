"""Recipe `features-quick` on a small made world: run, new fields, and what it says of itself."""

import json

import numpy as np
import polars as pl
import pytest
from PIL import Image
from polars.testing import assert_frame_equal
from typer.testing import CliRunner

import cellwise
from cellwise.app.cli import app
from cellwise.domain.tables import LABELS
from cellwise.lab.simulate import simulate_world
from cellwise.lab.simulate.request import SimulateRequest
from cellwise.store.run.embeddings import read_embeddings
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.tables import read_table

pytestmark = [pytest.mark.long, pytest.mark.slow]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("features") / "world"
    request = SimulateRequest(folder, "hpa", severity="hard", sites=24, size=192, seed=5)
    simulate_world(request, lambda done, total, note: None)
    return folder


@pytest.fixture(scope="module")
def quick(world):
    settings = ["shown.by={name: posterior, restarts: 2}", "split.folds=2"]
    return cellwise.run(world, out=world.parent / "quick", settings=settings)


def _counts(run, name):
    steps = json.loads((run.path / "run.json").read_text())["steps"]
    return next(step["counts"] for step in steps if step["name"] == name)


def test_a_folder_of_the_challenge_gets_this_recipe_by_itself(quick):
    assert json.loads((quick.path / "run.json").read_text())["recipe"]["name"] == "features-quick"


def test_every_labelled_cell_gets_labels_and_the_record_says_how(quick):
    labels = read_table(RunFolder(quick.path).labels("shown"), LABELS)
    found = np.stack(labels["label"].to_list())
    assert len(found)
    assert found.min() >= 0
    assert found.max() <= 1
    told = _counts(quick, "shown")
    assert told["cells"] == len(labels)
    assert "inherit" in told["heard"]
    assert "soft_ratio" in told["gain_of_groups_left_out"]


def test_predictions_are_there_with_context_and_without(quick):
    cells = RunFolder(quick.path)
    both = [pl.read_parquet(path) for path in sorted(cells.path.glob("predictions*.parquet"))]
    assert len(both) == 2
    assert both[0].select("site_id", "cell_id").equals(both[1].select("site_id", "cell_id"))


def test_new_fields_get_the_same_numbers_from_the_same_learner(quick, world, tmp_path):
    words = ["predict", str(quick.path), str(world / "test"), "--out"]
    answer = CliRunner().invoke(app, [*words, str(tmp_path / "new")])
    assert answer.exit_code == 0, answer.output
    index, vectors = read_embeddings(RunFolder(quick.path), "measured")
    again_index, again = read_embeddings(RunFolder(tmp_path / "new"), "measured")
    key = ["site_id", "cell_id"]
    place = index.with_row_index("old").join(again_index.select(key), on=key, how="semi")["old"]
    assert len(place) == len(again) > 0
    np.testing.assert_array_equal(vectors[place.to_numpy()], again)
    probabilities = [
        pl.read_parquet(run / "predictions.parquet").sort(key)
        for run in (quick.path, tmp_path / "new")
    ]
    shared = probabilities[0].join(probabilities[1].select(key), on=key, how="semi")
    columns = [name for name in shared.columns if name.startswith("Prob_")]
    assert columns
    np.testing.assert_allclose(
        shared.select(columns).to_numpy(), probabilities[1].select(columns).to_numpy(), atol=1e-6
    )


def test_figures_of_labelled_fields_are_held_out_and_the_report_makes_no_excuse(quick):
    table = read_table(quick.path / "labels/shown.parquet", LABELS)
    assert [name for name in table.columns if name.startswith("label_without_")]
    assert "somewhat too good" not in (quick.path / "report.html").read_text(encoding="utf-8")


def test_an_array_gets_what_its_field_gets_from_files(quick, world):
    """The field of an unlabelled site, read by hand, without any folder."""
    run = RunFolder(quick.path)
    sites = pl.read_parquet(run.sites).filter(pl.col("labels").is_null())
    site = sites["site_id"].sort()[0]
    colours = {"red": "microtubule", "green": "protein", "blue": "nucleus", "yellow": "er"}
    found = {c: next(world.rglob(f"{site}_{c}.png")) for c in colours}
    pixels = np.stack([np.asarray(Image.open(path)) for path in found.values()])
    cells = cellwise.Predictor(quick.path)(pixels, list(colours.values()))
    columns = ["cell_id", *(name for name in cells.columns if name.startswith("Prob_"))]
    known = quick.cells.filter(pl.col("site_id") == site).sort("cell_id")
    assert cells.height > 0
    assert_frame_equal(cells.select(columns), known.select(columns), abs_tol=1e-6)
