"""The step on small screens: with and without design, out of batch, replicates, old runs alone."""

from typing import Any

import numpy as np
import polars as pl
import pytest
from tests.screens import Screen

from cellwise.domain.steps import Job
from cellwise.stages.assign.spec import Options as AssignOptions
from cellwise.stages.assign.step import work as assign
from cellwise.stages.evaluate.screens.replicas import replica_results
from cellwise.stages.evaluate.spec import Options
from cellwise.stages.evaluate.step import work as evaluate
from cellwise.stages.profile.spec import Options as ProfileOptions
from cellwise.stages.profile.step import work as profile
from cellwise.store.run.folder import read_json

QUIET = lambda *_: None  # noqa: E731


def job(run, name, options):
    return Job(run.path, run.path, name, options, "k", 0)


@pytest.fixture(scope="module")
def judged(tmp_path_factory):
    screen = Screen(tmp_path_factory.mktemp("screen"), experiments=8, tests=3, told=True)
    screen.embed("tiles")
    run = screen.run
    (run.path / "models" / "net").mkdir(parents=True)
    assign(job(run, "assign", AssignOptions.of({"from": "tiles"}).model_dump(by_alias=True)), QUIET)
    profile(job(run, "wells", ProfileOptions.of({"embeddings": "tiles"}).model_dump()), QUIET)
    options = Options.of({"treatments": "assign", "profiles": "wells", "draws": 60}).model_dump()
    evaluate(job(run, "evaluate", options), QUIET)
    return screen, read_json(run.metrics)["metrics"], read_json(run.path / "evaluation.json")


def test_accuracy_with_and_without_design_and_by_cell_type(judged):
    _, metrics, detail = judged
    ways = [metrics[f"out_of_batch_accuracy_{way}"] for way in ("free", "grouped", "assigned")]
    assert ways[0]["value"] < ways[1]["value"] < ways[2]["value"]
    assert ways[0]["n"] == 8 * 4 * 4
    assert {"out_of_batch_accuracy_HUVEC_free", "out_of_batch_accuracy_U2OS_free"} <= set(metrics)
    gain = metrics["out_of_batch_accuracy_gained_by_design"]
    assert gain["value"] == pytest.approx(ways[2]["value"] - ways[0]["value"])
    assert 0 < gain["low"] < gain["value"] < gain["high"]
    assert detail["screen"]["roles"]["out_of_batch"] == 8 * 4 * 4
    assert detail["screen"]["out_of_batch"]["drawn"] == "experiments"
    # Four groups of four treatments; controls are no answers.
    assert detail["screen"]["out_of_batch"]["chance"] == pytest.approx(1 / 16)
    assert not any("in_batch" in name for name in metrics)


def test_plates_and_positions_add_up_to_the_whole(judged):
    _, metrics, detail = judged
    for table in ("plates", "positions"):
        rows = pl.DataFrame(detail["screen"][table])
        assert rows["wells"].sum() == 8 * 4 * 4
        share = (rows["free"] * rows["wells"]).sum() / rows["wells"].sum()
        assert share == pytest.approx(metrics["out_of_batch_accuracy_free"]["value"])


def test_the_design_is_told(judged):
    detail = judged[2]
    assert detail["assignment"]["design"] == "off"
    assert detail["assignment"]["groups"] == 4
    assert len(detail["assignment"]["plates"]) == 8 * 4
    found = judged[1]["out_of_batch_groups_found"]
    assert found["n"] == 8 * 4
    assert found["low"] < found["value"] <= found["high"]
    assert found["value"] > 0.8


def test_replicates_are_found_beyond_chance(judged):
    _, metrics, detail = judged
    found, chance = metrics["retrieval_map"], metrics["retrieval_map_by_chance"]
    assert chance["value"] < found["low"] <= found["value"] <= found["high"]
    assert found["unit"] == "treatment"
    assert 0 < metrics["replicating_share"]["value"] <= 1
    assert metrics["replicate_correlation"]["value"] > detail["profiles"]["correlation"]["null_95"]
    assert detail["profiles"]["variance"]["treatment"] > 0.2
    shown = detail["profiles"]["map"]
    assert len(shown["x"]) == len(shown["well"]) == len(shown["treatment"])
    assert len(detail["hits"]["treatments"]) == 16


def test_what_the_batch_explains_is_told():
    rng = np.random.default_rng(0)
    rows = []
    for e in range(3):
        shift = 6 * rng.normal(size=5)
        for p in range(2):
            for k in range(8):
                vector = rng.normal(size=5) + shift
                rows.append((f"E{e}/{p}/{k}", f"E{e}/{p}", f"E{e}", f"B{(k + e + p) % 8}", "HUVEC",
                             f"t{k}", "", vector.tolist()))  # fmt: skip
    names = ("well", "plate", "experiment", "position", "cell_type", "class", "model")
    schema: dict[str, Any] = {**dict.fromkeys(names, pl.String), "vector": pl.Array(pl.Float64, 5)}
    detail = replica_results(
        pl.DataFrame(rows, schema=schema, orient="row"), draws=20, seed=0
    ).detail["profiles"]
    assert detail["variance"]["experiment"] > 0.7
    assert detail["variance"]["treatment"] < 0.1


def test_a_single_plate_has_no_replicates_to_compare(tmp_path):
    screen = Screen(tmp_path, experiments=1, tests=0)
    screen.rows = [row for row in screen.rows if row[1] == 1]
    screen._write(told=True)
    screen.embed("tiles")
    run = screen.run
    profile(job(run, "wells", ProfileOptions.of({"embeddings": "tiles"}).model_dump()), QUIET)
    assign(job(run, "assign", AssignOptions.of({"from": "tiles"}).model_dump(by_alias=True)), QUIET)
    options = Options.of({"treatments": "assign", "profiles": "wells", "draws": 20}).model_dump()
    evaluate(job(run, "evaluate", options), QUIET)
    said = " ".join(read_json(run.path / "evaluation.json")["warnings"])
    assert "replicates cannot be compared" in said


def test_experiments_that_judged_epochs_report_nothing(judged):
    from cellwise.domain.tables import TREATMENTS
    from cellwise.stages.evaluate.screens.answers import answer_results
    from cellwise.store.run.tables import read_table

    table = read_table(judged[0].run.treatments(), TREATMENTS)
    names = table["experiment"].unique().to_list()
    found = answer_results(table, judged=names[:3], draws=20, seed=0)
    assert found.metrics["out_of_batch_accuracy_free"].n == 5 * 16
    nothing = answer_results(table, judged=names, draws=20, seed=0)
    assert nothing.metrics == {}
    assert "nothing is tested" in nothing.warnings[0]
