"""A learner of vectors in a whole run: labels of fields to labels of cells, and of new fields."""

import shutil

import numpy as np
import pytest
import timm
import torch
from polars.testing import assert_frame_equal
from safetensors.torch import save_file
from tests.faults.fault_runs import Heard
from tests.plates import treated, write_labels, write_plate
from tests.worlds import draw, wells

import cellwise
from cellwise.domain.tables import SCORES
from cellwise.errors import BadOption, UsageError
from cellwise.flow.pipeline.run import run_pipeline
from cellwise.flow.request import fitted_request, make_request
from cellwise.parts.panel import load_panel, steady
from cellwise.store.run.embeddings import Embeddings, read_embeddings
from cellwise.store.run.folder import RunFolder, read_json
from cellwise.store.run.models import read_card
from cellwise.store.run.tables import read_table

pytestmark = [pytest.mark.long, pytest.mark.slow]

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
  - embed: {as: measured, by: measured, relative: true}
  - label: {as: shown, by: {name: posterior, restarts: 1}, embeddings: [seen, measured]}
  - train: {as: both, task: vectors, embeddings: [seen, measured], labels: shown, threads: 1,
            learner: kernel_ridge}
  - score: {as: both, model: both, by: vector_learner, embeddings: [seen, measured], threads: 1}
  - decide: {from: [head, both]}
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


def test_embeddings_stand_side_by_side_and_weigh_the_same(home):
    run = RunFolder(home / "run")
    card = read_card(run.model("both", 0))
    lengths = [Embeddings(run.embeddings(name)).length for name in ("seen", "measured")]
    assert card.learner == {"name": "kernel_ridge", "blocks": lengths}
    assert card.crop == {"length": sum(lengths)}
    scores = read_table(run.scores("both"), SCORES)
    assert scores["fold"].null_count() == 0
    counts = next(
        step["counts"]
        for step in read_json(home / "run" / "run.json")["steps"]
        if step["name"] == "shown"
    )
    assert "soft_ratio" in counts["gain_of_groups_left_out"]


def test_a_field_in_memory_gets_what_its_files_get(home):
    write_plate(home / "array", ["D05"], nuclear=treated)
    request = fitted_request(home / "run", home / "array", home / "of_array", workers=1)
    run_pipeline(request, Heard())
    pixels = np.stack(draw(0, nuclear=treated("D05")))
    ask = cellwise.Predictor(home / "run", device="cpu")
    found = ask(pixels, ["nucleus", "protein"])
    expected = cellwise.open_run(home / "of_array").cells
    columns = ["cell_id", *(name for name in found.columns if name.startswith("Prob_"))]
    assert found.height > 0
    assert_frame_equal(found.select(columns), expected.select(columns), check_exact=True)
    blank = np.zeros((2, 64, 64), np.uint8)
    assert ask(blank, ["nucleus", "protein"]).height == 0
    with pytest.raises(UsageError, match="above 0 micrometres"):
        ask(pixels, ["nucleus", "protein"], pixel_size=0)


def test_the_same_embeddings_are_named_where_they_are_scored(home):
    text = (home / "small.yaml").read_text(encoding="utf-8")
    other = text.replace(
        "by: vector_learner, embeddings: [seen, measured]",
        "by: vector_learner, embeddings: [measured, seen]",
    )
    (home / "other.yaml").write_text(other, encoding="utf-8")
    with pytest.raises(BadOption, match="in that order"):
        make_request(home / "images", home / "never", recipe=str(home / "other.yaml"))


def test_models_without_their_arrays_are_learned_again(home, tmp_path):
    shutil.copytree(home / "run", tmp_path / "run")
    for file in (tmp_path / "run" / "models" / "head").glob("*/model.safetensors"):
        file.unlink()
    heard = run_again(home, tmp_path / "run")
    assert set(heard.total) == {"train head"}
