"""A learner of vectors in a whole run: labels of fields to labels of cells, and of new fields."""

import shutil

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file
from tests.faults.fault_runs import Heard
from tests.plates import treated, write_labels, write_plate
from tests.worlds import wells

from cellwise.domain.tables import SCORES
from cellwise.flow.pipeline.run import run_pipeline
from cellwise.flow.request import fitted_request, make_request
from cellwise.parts.panel import load_panel, steady
from cellwise.store.run.embeddings import read_embeddings
from cellwise.store.run.folder import RunFolder, read_json
from cellwise.store.run.tables import read_table

pytestmark = pytest.mark.long

RECIPE = """
format: 1
steps:
  - read:
  - segment: watershed
  - cells: {size: 24}
  - split: {folds: 2}
  - embed: {as: seen, by: net, threads: 1, dtype: float32,
            net: {name: backbone, model: test_resnet, pretrained: WEIGHTS}}
  - label: {as: inherited, by: inherit}
  - train: {as: head, task: vectors, embeddings: seen, labels: inherited, threads: 1,
            learner: {name: kernel_ridge, members: 2}}
  - score: {as: head, model: head, by: vector_learner, embeddings: seen, threads: 1}
  - decide: {from: [head]}
  - evaluate: {draws: 20}
  - report:
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    home = tmp_path_factory.mktemp("learner")
    write_plate(home / "images", wells(8), nuclear=treated)
    write_labels(home / "labels.csv", wells(8))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        save_file(timm.create_model("test_resnet").state_dict(), home / "w.safetensors")
    recipe = RECIPE.replace("WEIGHTS", str(home / "w.safetensors"))
    (home / "small.yaml").write_text(recipe, encoding="utf-8")
    run_again(home)
    return home


def run_again(home, run=None):
    heard = Heard()
    given = {"labels": home / "labels.csv", "recipe": str(home / "small.yaml")}
    request = make_request(home / "images", run or home / "run", device="cpu", workers=1, **given)
    run_pipeline(request, heard)
    return heard


def test_cells_are_scored_out_of_fold_and_told_apart(home):
    scores = read_table(RunFolder(home / "run").scores("head"), SCORES)
    assert scores["fold"].null_count() == 0
    assert np.isfinite(np.array(scores["score"].to_list())).all()
    named = read_json(home / "run" / "metrics.json")
    assert (home / "run" / "report.html").is_file()
    assert named
    assert (run_again(home).total, run_again(home).before_work) == ({}, [])


def test_new_fields_get_what_the_runs_models_say(home):
    for place, names in (("others", ["C01", "C02"]), ("same", wells(8)[:1])):
        write_plate(home / place, names, nuclear=treated)
    request = fitted_request(home / "run", home / "others", home / "new", device="cpu", workers=1)
    run_pipeline(request, Heard())
    index, vectors = read_embeddings(RunFolder(home / "new"), "seen")
    scores = read_table(RunFolder(home / "new").scores("head"), SCORES)
    joined = index.with_row_index("place").join(scores, on=["site_id", "cell_id"], how="inner")
    assert len(joined) == len(scores) > 0
    panel = load_panel(RunFolder(home / "run"), "head", "cpu")
    with steady(1):
        chances = np.stack([model.predictor.fitted.predict(vectors) for model in panel.models])
    logits = np.log(chances.clip(1e-6, 1 - 1e-6) / (1 - chances.clip(1e-6, 1 - 1e-6))).mean(0)
    found = np.array(joined["score"].to_list())
    np.testing.assert_allclose(found, logits[joined["place"].to_numpy()], atol=2e-3)


def test_models_without_their_arrays_are_learned_again(home, tmp_path):
    shutil.copytree(home / "run", tmp_path / "run")
    for file in (tmp_path / "run" / "models" / "head").glob("*/model.safetensors"):
        file.unlink()
    heard = run_again(home, tmp_path / "run")
    assert set(heard.total) == {"train head"}
