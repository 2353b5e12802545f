"""Whole runs over Dask: the same bytes as in one process, and what a signal leaves."""

import importlib
import os
import signal
import stat
import sys
from pathlib import Path

import pytest
from tests.faults.fault_runs import (
    Heard,
    child,
    left_on_disk,
    partial_files,
    record,
    records,
    run,
    wait_for,
    words,
)
from tests.faults.test_killed import children_of, gone, said
from tests.flow.engines.test_dask import SITES, folders, lost, trusted
from tests.scale.storms import RECIPE as WHOLE
from tests.worlds import labels, plate

from cellwise.errors import Interrupted, PreflightError
from cellwise.flow.engines.dask.batch_system import QueuePlace
from cellwise.flow.engines.dask.cluster_file import ClusterFile
from cellwise.flow.engines.dask.engine import DaskEngine
from cellwise.flow.engines.dask.places import LocalPlace

pytestmark = [pytest.mark.long, pytest.mark.slow]


@pytest.fixture(autouse=True)
def more_patience(monkeypatch):
    """Interpreters of workers start beside whatever else this machine does."""
    monkeypatch.setattr("tests.faults.fault_runs.PATIENCE", 400.0)


@pytest.mark.slow
def test_predictions_are_those_of_one_process_byte_for_byte(tmp_path):
    images, named = plate(tmp_path / "images", 8), labels(tmp_path / "labels.csv", 8)
    recipe = tmp_path / "whole.yaml"
    recipe.write_text(WHOLE)
    alone, spread = tmp_path / "alone.run", tmp_path / "spread.run"
    assert run(images, alone, recipe=recipe, labels=named).exit_code == 0
    heard, place = Heard(), LocalPlace(2)
    with DaskEngine(place) as workers, trusted(place, workers):
        engine = {"name": "dask", "scheduler": workers._connected().address}
        outcome = run(
            images, spread, recipe=recipe, labels=named, engine=engine, workers=2, listener=heard
        )
        assert len(workers._connected().workers()) == 2
    assert outcome.exit_code == 0
    expected = left_on_disk(alone)
    assert "predictions.parquet" in expected
    assert left_on_disk(spread) == expected
    assert partial_files(spread) == []
    assert len([line for line in heard.messages if "Dashboard" in line]) == 1
    assert record(spread)["engine"] == engine


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are found in /proc")
@pytest.mark.parametrize("end", ["interrupted", pytest.param("killed", marks=pytest.mark.slow)])
def test_a_run_that_is_ended_leaves_no_process_and_goes_on(tmp_path, end):
    images = plate(tmp_path / "images", 40)
    out, log = tmp_path / "out.run", tmp_path / "log"
    command = words(images, out, "--engine", "dask", workers=2)
    with child(command, log, start_new_session=True) as process:
        assert wait_for(lambda: records(out, "segment") >= 1, process), said(log)
        below = children_of(process.pid)
        if end == "interrupted":
            # As Ctrl-C does: to all processes of the terminal.
            os.killpg(process.pid, signal.SIGINT)
            assert process.wait() == 5, said(log)
            assert said(log).strip().endswith("The same command continues from here.")
            assert "Traceback" not in said(log)
        else:
            process.kill()
            process.wait()
    assert len(below) >= 3
    assert gone(below)
    if end == "interrupted":
        assert record(out)["status"] == "interrupted"
    assert run(images, out).exit_code == 0
    assert partial_files(out) == []


HAND_IN = """\
#!/bin/sh
# A batch system of one machine: runs the script beside this and says its number.
cp "$1" {folder}/script.$$
PYTHONPATH={source} setsid sh {folder}/script.$$ > {folder}/log.$$ 2>&1 &
echo "Submitted batch job $!"
"""
TAKE_BACK = """\
#!/bin/sh
echo "$1" >> {folder}/taken
kill -9 -- "-$1"
"""


@pytest.fixture
def batch_system(tmp_path, monkeypatch):
    """`sbatch` and `scancel` that start and end processes here."""
    folder = tmp_path / "batch"
    folder.mkdir()
    source = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    for name, text in (("sbatch", HAND_IN), ("scancel", TAKE_BACK)):
        (folder / name).write_text(text.format(folder=folder, source=source))
        (folder / name).chmod(0o700)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return folder


def job(**more):
    options = {"cores": 1, "memory": "1GB", "maximum": 1, "host": "127.0.0.1", "wait": 120.0}
    return ClusterFile(kind="slurm", **{**options, **more})


def test_jobs_of_a_batch_system_work_behind_certificates_and_are_taken_back(
    tmp_path, batch_system, monkeypatch
):
    monkeypatch.syspath_prepend(Path(__file__).parent)
    engine_work = importlib.import_module("engine_work")

    messages = []
    with DaskEngine(QueuePlace(job(), insecure=False)) as engine:
        needs = folders(tmp_path)
        engine.make_ready(needs, messages.append)
        # No job before there is work.
        assert not list(batch_system.glob("script.*"))
        assert engine.workers == 1
        groups = engine.map(engine_work.note, [(SITES[:6], None), (SITES[6:], None)], lost=lost)
        found = [result.site_id for group in groups for result in group]
        assert engine._session.address.startswith("tls://127.0.0.1:")
        keys = list(needs.run.glob("work/.*.partial/key.pem"))
        assert len(keys) == 1
        assert stat.S_IMODE(keys[0].stat().st_mode) == 0o600
        assert stat.S_IMODE(keys[0].parent.stat().st_mode) == 0o700
    assert found == SITES
    assert len((batch_system / "taken").read_text().split()) == 1
    assert not list(needs.run.glob("work/.*.partial"))
    assert any("Dashboard of Dask: http://127.0.0.1:" in line for line in messages)


def test_jobs_without_a_gpu_are_refused_for_work_that_uses_one(batch_system):
    with pytest.raises(PreflightError, match="jobs of --cluster have no GPU"):
        QueuePlace(job(), insecure=False).foresee("cuda")
    QueuePlace(job(gpu=True), insecure=False).foresee("cuda")


def test_a_job_that_is_refused_is_one_line_with_the_reason(tmp_path, batch_system):
    (batch_system / "sbatch").write_text(
        "#!/bin/sh\necho 'invalid partition: nosuch' >&2\nexit 1\n"
    )
    place = QueuePlace(job(queue="nosuch"), insecure=False)
    with pytest.raises(PreflightError, match=r"submitted to slurm: invalid partition: nosuch$"):
        place.connect(tmp_path, print)
    assert not list((tmp_path / "work").glob(".*.partial"))


def test_a_queue_that_starts_nothing_is_not_waited_for_for_ever(tmp_path, batch_system):
    (batch_system / "sbatch").write_text("#!/bin/sh\necho 'Submitted batch job 1'\n")
    (batch_system / "scancel").write_text("#!/bin/sh\n")
    engine = DaskEngine(QueuePlace(job(wait=1.0), insecure=False))
    with engine, pytest.raises(Interrupted, match=r"No worker came to the scheduler .* within 1 s"):
        next(engine.map(print, [([], None)], lost=print))
