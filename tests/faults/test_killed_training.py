"""A run with training may die anywhere; the same call then gives the same predictions."""

import json
import signal

import pytest
from tests.faults.deaths import changes, die
from tests.faults.fault_runs import (
    child,
    left_on_disk,
    partial_files,
    record,
    run,
    wait_for,
    words,
)
from tests.worlds import labels, plate

pytestmark = pytest.mark.slow

QUICK = ("train.epochs=2", "train.net.width=8", "train.threads=1", "score.threads=1")
POINTS = 12
# Every third point is tried with the other long tests, and the rest where there is time.
MARKS = (pytest.mark.slow, pytest.mark.long)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    place = tmp_path_factory.mktemp("training")
    plate(place / "images", 8)
    labels(place / "labels.csv", 8)
    return place


@pytest.fixture(scope="module")
def options(home):
    return {"recipe": "plate-quick", "labels": home / "labels.csv"}


@pytest.fixture(scope="module")
def counted(death, home, options):
    """How many changes on disk an undisturbed run makes."""
    return changes(death, home / "images", home / "undisturbed.run", *QUICK, **options)


@pytest.fixture(scope="module")
def undisturbed(counted, home):
    left = left_on_disk(home / "undisturbed.run")
    assert "predictions.parquet" in left
    assert any(name.endswith("model.safetensors") for name in left)
    return left


@pytest.mark.parametrize(
    "part",
    [
        pytest.param(part, marks=() if part in (5, 8) else MARKS[part % 3 == 2])
        for part in range(POINTS)
    ],
)
def test_a_death_anywhere_changes_no_prediction(
    death, home, options, undisturbed, counted, tmp_path, part
):
    out = tmp_path / "out.run"
    after = counted * part // POINTS + part % 3
    assert die(death, home / "images", out, *QUICK, after=after, **options)
    assert run(home / "images", out, *QUICK, **options).exit_code == 0
    assert left_on_disk(out) == undisturbed
    assert partial_files(out) == []


@pytest.mark.long
@pytest.mark.slow
def test_deaths_again_and_again_change_no_prediction(
    death, home, options, undisturbed, counted, tmp_path
):
    out, deaths = tmp_path / "out.run", 0
    # Each start costs some changes of its own: the records of the steps that are done.
    while die(death, home / "images", out, *QUICK, after=60 + 20 * deaths, **options):
        deaths += 1
        assert deaths < 30, "the run goes on from where it died"
    assert deaths >= 3
    assert left_on_disk(out) == undisturbed


@pytest.mark.parametrize("part", [pytest.param(k, marks=MARKS[k in (1, 4)]) for k in range(1, 6)])
def test_going_back_to_earlier_settings_after_a_death_takes_no_model_over(
    death, home, options, undisturbed, counted, tmp_path, part
):
    out = tmp_path / "out.run"
    run(home / "images", out, *QUICK, **options)
    other = (*QUICK, "train.epochs=1", "cells.size=32")
    after = counted * part // 8
    assert die(death, home / "images", out, *other, after=after, **options)
    # A recipe goes on with what it was last given: what goes back is said.
    run(home / "images", out, *QUICK, "cells.size=40", **options)
    assert left_on_disk(out) == undisturbed


@pytest.mark.slow
@pytest.mark.long
def test_a_training_that_is_killed_then_interrupted_goes_on(home, options, undisturbed, tmp_path):
    out, log = tmp_path / "out.run", tmp_path / "log"
    more = [word for text in QUICK for word in ("--set", text)]
    typed = words(
        home / "images", out, "--labels", options["labels"], *more, recipe=options["recipe"]
    )
    with child(typed, log) as process:
        assert wait_for(lambda: any((out / "work").glob("cell-*/*")), process), log.read_text()
        process.kill()
        process.wait()
    assert record(out)["status"] == "running"
    with child(typed, log) as process:
        assert wait_for(lambda: any((out / "work").glob("control-*/*")), process), log.read_text()
        process.send_signal(signal.SIGINT)
        assert process.wait() == 5, log.read_text()
    assert "Traceback" not in log.read_text()
    assert record(out)["status"] == "interrupted"
    assert run(home / "images", out, *QUICK, **options).exit_code == 0
    assert left_on_disk(out) == undisturbed


@pytest.mark.long
def test_a_lost_model_is_trained_again(home, options, undisturbed, tmp_path):
    import shutil

    out = tmp_path / "out.run"
    shutil.copytree(home / "undisturbed.run", out)
    shutil.rmtree(out / "models" / "cell" / "fold0")
    run(home / "images", out, *QUICK, **options)
    assert left_on_disk(out) == undisturbed
    done = {f"{s['kind']}-{s['name']}" for s in record(out)["steps"] if s["state"] == "done"}
    assert done == {"train-cell"}
    assert json.loads((out / "run.json").read_text())["status"] == "done"
