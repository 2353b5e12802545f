"""The first HPA system, small, from images to a table: networks of one fold, and the plain mean."""

import json

import numpy as np
import polars as pl
import pytest

import cellwise
from cellwise.domain.tables import CELLS, FOLDS, PREDICTIONS, SCORES
from cellwise.flow.recipe.load import load_recipe
from cellwise.flow.recipe.resolve import resolve
from cellwise.lab.simulate import simulate_world
from cellwise.lab.simulate.request import SimulateRequest
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.tables import read_table

pytestmark = pytest.mark.slow

WEIGHTS = {"masked_0": 3, "masked_1": 3, "centre": 3, "bag64": 6, "bag32": 8}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Sixteen fields of which eight have labels, one epoch of everything."""
    folder = tmp_path_factory.mktemp("galixir")
    simulate_world(
        SimulateRequest(folder / "world", "hpa", severity="hard", sites=16, size=192, seed=1),
        lambda done, total, note: None,
    )
    done = cellwise.run(
        folder / "world",
        out=folder / "run",
        recipe="hpa-galixir-small",
        settings=["segment.name=watershed", *(f"{name}.epochs=1" for name in WEIGHTS)],
    )
    return RunFolder(done.path)


def chances(run, name):
    """The probabilities of a score step by cell, and whether its fold was left out."""
    frame = read_table(run.scores(name), SCORES)
    values = 1 / (1 + np.exp(-np.stack(frame["score"].to_list()).astype(float)))
    keys = frame.select("site_id", "cell_id").rows()
    return dict(zip(keys, values, strict=True)), dict(zip(keys, frame["fold"], strict=True))


def test_a_labelled_field_is_scored_by_networks_that_have_not_seen_it(run):
    folds = dict(read_table(run.folds, FOLDS).select("site_id", "fold").iter_rows())
    own = {"masked_0": {0}, "masked_1": {1}, "centre": {0, 1}, "bag64": {0}, "bag32": {1}}
    for name, known in own.items():
        _, left = chances(run, name)
        for (site, _), fold in left.items():
            assert fold == folds.get(site)
            assert fold is None or fold in known
        labelled = {site for site, fold in folds.items() if fold in known}
        cells = read_table(run.cells, CELLS)["site_id"].unique().to_list()
        assert labelled & set(cells) <= {site for site, _ in left}


def test_a_probability_is_the_plain_mean_over_all_views_of_all_networks(run):
    found = read_table(run.predictions, PREDICTIONS)
    classes = [
        name for name in found.columns if name.startswith("Prob_") and name != "Prob_Negative"
    ]
    scores = {name: chances(run, name)[0] for name in WEIGHTS}
    checked = 0
    for row in found.iter_rows(named=True):
        key = row["site_id"], row["cell_id"]
        members = [(WEIGHTS[name], own[key]) for name, own in scores.items() if key in own]
        total = sum(weight for weight, _ in members)
        expected = sum(weight * values for weight, values in members) / total
        np.testing.assert_allclose([row[name] for name in classes], expected, atol=2e-4)
        checked += len(members) == len(WEIGHTS)
    assert checked, "a new field has all networks"


def test_the_full_recipe_weighs_as_many_views_as_the_source():
    recipe = resolve(load_recipe("hpa-galixir"))
    decide = recipe.of_kind("decide")[0].options
    by_kind = dict.fromkeys(("masked", "centre", "bag128", "bag256"), 0)
    for name, weight in zip(decide["from"], decide["weights"], strict=True):
        by_kind[name.split("_")[0]] += weight
    assert by_kind == {"masked": 21, "centre": 15, "bag128": 32, "bag256": 36}
    views = {step.name: step.options["by"] for step in recipe.of_kind("score")}
    for name, weight in zip(decide["from"], decide["weights"], strict=True):
        said = views[name]["views"]
        assert (8 if said == "dihedral" else int(said.split()[0])) == weight
    drawn = [by["seed"] for by in views.values() if by["views"] != "dihedral"]
    assert len(set(drawn)) == len(drawn), "each network looks in its own way"


def test_the_record_says_which_folds_were_trained(run):
    steps = json.loads(run.record.read_text())["steps"]
    models = {step["name"]: step["counts"]["models"] for step in steps if step["kind"] == "train"}
    assert models == {"masked_0": 1, "masked_1": 1, "centre": 2, "bag64": 1, "bag32": 1}
    assert read_table(run.cells, CELLS).filter(pl.col("flags").list.len() >= 0).height
