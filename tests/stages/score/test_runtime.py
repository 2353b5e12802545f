"""A score step chooses its runtime once, says so, and keeps to it."""

import json

import numpy as np
import pytest
from tests.stages.site_steps import all_of
from tests.stages.train.learn_world import make_job, make_run, silent

from cellwise.domain.tables import SCORES
from cellwise.errors import BadOption
from cellwise.parts.runtimes.choice import Choice, Tried
from cellwise.stages.score import _runtime
from cellwise.stages.score import step as score
from cellwise.stages.score.spec import Options
from cellwise.stages.train.step import work
from cellwise.store.run.tables import read_table


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    made = make_run(tmp_path_factory.mktemp("runtime"), unlabelled=2)
    work(make_job(made, epochs=1), silent)
    return made


def _values(run, name):
    frame = read_table(run.scores(name), SCORES).sort("site_id", "cell_id")
    return np.stack(frame["score"].to_list()).astype(float)


def _scored(run, name, **options):
    return all_of(score, make_job(run, step="score", name=name, **options))


def test_what_is_chosen_agrees_and_is_said(run):
    all_of(score, make_job(run, step="score", name="plain"))
    counts = _scored(run, "fast", runtime="auto")
    said = counts["runtime"]
    assert said["runtime"] in {one["runtime"] for one in said["tried"] if one["agrees"]}
    assert said["tried"][0]["runtime"] == "fp32"
    assert said["tried"][0]["difference"] == 0
    # Fourteen fields of four cells, two models, one view.
    assert said["images"] == 14 * 4 * 2
    json.dumps(said)
    plain, fast = (1 / (1 + np.exp(-_values(run, name))) for name in ("plain", "fast"))
    assert np.abs(plain - fast).max() <= said["tolerance"]


def test_a_step_that_goes_on_keeps_to_its_choice(run, monkeypatch):
    asked = []

    def choose(make, names, calls, *, images, models):
        asked.append(names)
        return Choice("bf16", (Tried("fp32", 0, 1, 0, agrees=True, total=1),), images)

    monkeypatch.setattr(_runtime, "choose", choose)
    first = _scored(run, "again", runtime="auto")
    second = _scored(run, "again", runtime="auto")
    assert len(asked) == 1
    assert first["runtime"]["runtime"] == second["runtime"]["runtime"] == "bf16"
    named = _scored(run, "named", runtime="bf16")
    assert "runtime" not in named
    np.testing.assert_array_equal(_values(run, "again"), _values(run, "named"))


def test_other_models_are_tried_anew(run, monkeypatch):
    before = _scored(run, "anew", runtime="auto")["runtime"]
    path = run.scores("anew").with_suffix(".runtime.json")
    path.write_text(json.dumps({"chosen": {**before, "runtime": "none"}, "models": "others"}))
    assert _scored(run, "anew", runtime="auto")["runtime"]["runtime"] != "none"


def test_a_scorer_that_shares_features_is_not_compiled(run, monkeypatch):
    seen = []
    monkeypatch.setattr(_runtime, "runtimes_here", lambda device: ("fp32", "openvino"))

    def choose(make, names, calls, *, images, models):
        seen.append(names)
        return Choice("fp32", (Tried("fp32", 0, 1, 0, agrees=True, total=1),), images)

    monkeypatch.setattr(_runtime, "choose", choose)
    from cellwise.contracts.scorer import Scorer

    def score_by_halves(predictor, pixels):
        return predictor.answer(predictor.extract_features(pixels.crops))[None]

    job = make_job(run, step="score", name="halves", runtime="auto")
    opened = score._opened(job)
    pixels = _first(run, job, opened)
    _runtime.panel_by_runtime(job, opened.panel, Scorer("cell", score_by_halves), pixels)
    assert seen == [("fp32",)]


def _first(run, job, opened):
    """The first site as a model sees it."""
    from cellwise.domain.tables import CELLS
    from cellwise.stages.score._tables import places_of

    cells = read_table(run.cells, CELLS).sort("site_id", "cell_id")
    load = score._loader(job, [], cells, opened)
    return load("s00", places_of(cells)["s00"])


def test_tiles_have_no_runtime():
    with pytest.raises(BadOption, match="tiles"):
        Options.of({"model": "m", "by": "tiles", "runtime": "bf16"})
    Options.of({"model": "m", "by": "tiles", "runtime": "auto"})
