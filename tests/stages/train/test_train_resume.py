"""A training that was stopped anywhere ends with the same weights, bit for bit."""

import hashlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.stages.train.learn_world import make_job, make_run, silent

from cellwise.stages.train.step import work
from cellwise.store.run.models import WEIGHTS_FILE

OPTIONS = {"epochs": 4, "validate": 0.2, "augment": ["dihedral", "affine", "gain"]}

CHILD = """
import os, signal, sys
sys.path.insert(0, {here!r})
from pathlib import Path
from learn_world import make_job
from cellwise.stages.train.step import work
from cellwise.store.run.folder import RunFolder

def die(done, total, note):
    if done == {at}:
        os.kill(os.getpid(), signal.SIGKILL)

work(make_job(RunFolder(Path({run!r})), **{options!r}), die)
"""


class Stopped(Exception):
    pass


def digests(run):
    return {
        fold: hashlib.sha256((run.model("model", fold) / WEIGHTS_FILE).read_bytes()).hexdigest()
        for fold in (0, 1)
    }


def stop_at(wanted):
    def report(done, total, note):
        if done == wanted:
            raise Stopped

    return report


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    run = make_run(tmp_path_factory.mktemp("undisturbed"))
    counts = []
    work(make_job(run, **OPTIONS), lambda done, total, note: counts.append((done, total)))
    assert counts[-1][0] == counts[-1][1] == 16, "two models of four epochs of two batches"
    return digests(run)


@pytest.mark.parametrize("batch", [1, 3, 4, 8, 11, 16])
def test_a_training_stopped_at_any_batch_ends_alike(tmp_path, undisturbed, batch):
    """Batches 4 and 8 end an epoch; 8 ends the first model, 11 lies in the second."""
    run = make_run(tmp_path)
    with pytest.raises(Stopped):
        work(make_job(run, **OPTIONS), stop_at(batch))
    again = []
    work(make_job(run, **OPTIONS), lambda done, total, note: again.append(done))
    assert digests(run) == undisturbed
    assert all(done > (batch - 1) // 2 * 2 for done in again), "finished epochs are not repeated"


def test_a_training_stopped_again_and_again_ends_alike(tmp_path, undisturbed):
    run = make_run(tmp_path)
    for batch in (3, 5, 7, 10, 13):
        with pytest.raises(Stopped):
            work(make_job(run, **OPTIONS), stop_at(batch))
    work(make_job(run, **OPTIONS), silent)
    assert digests(run) == undisturbed


def test_a_torn_checkpoint_falls_back_to_the_one_before(tmp_path, undisturbed):
    run = make_run(tmp_path)
    with pytest.raises(Stopped):
        work(make_job(run, **OPTIONS), stop_at(7))
    folder = run.temporary / "model-k1" / "fold0"
    kept = sorted(folder.glob("*.ckpt"))
    assert [path.name for path in kept] == ["epoch00001.ckpt", "epoch00002.ckpt"]
    kept[-1].write_bytes(kept[-1].read_bytes()[:1000])
    again = []
    work(make_job(run, **OPTIONS), lambda done, total, note: again.append(done))
    assert min(again) == 5, "the third epoch is done again"
    assert digests(run) == undisturbed


def test_with_all_checkpoints_torn_it_begins_anew(tmp_path, undisturbed):
    run = make_run(tmp_path)
    with pytest.raises(Stopped):
        work(make_job(run, **OPTIONS), stop_at(7))
    for path in (run.temporary / "model-k1" / "fold0").glob("*.ckpt"):
        path.write_bytes(b"")
    work(make_job(run, **OPTIONS), silent)
    assert digests(run) == undisturbed


def test_an_interrupt_leaves_as_an_interrupt(tmp_path, undisturbed):
    run = make_run(tmp_path)

    def press_control_c(done, total, note):
        if done == 5:
            raise KeyboardInterrupt

    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        work(make_job(run, **OPTIONS), press_control_c)
    assert signal.getsignal(signal.SIGINT) is handler
    work(make_job(run, **OPTIONS), silent)
    assert digests(run) == undisturbed


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")
def test_a_killed_process_is_carried_on_by_another(tmp_path, undisturbed):
    run = make_run(tmp_path)
    here = str(Path(__file__).parent)
    program = CHILD.format(here=here, at=6, run=str(run.path), options=OPTIONS)
    child = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert child.returncode == -signal.SIGKILL, child.stderr
    again = []
    work(make_job(run, **OPTIONS), lambda done, total, note: again.append(done))
    assert min(again) >= 5
    assert digests(run) == undisturbed


def test_other_settings_never_meet_old_checkpoints(tmp_path, undisturbed):
    run = make_run(tmp_path)
    with pytest.raises(Stopped):
        work(make_job(run, key="old", **{**OPTIONS, "learning_rate": 0.02}), stop_at(7))
    work(make_job(run, **OPTIONS), silent)
    assert digests(run) == undisturbed


def test_checkpoints_of_one_training_lie_on_disk_at_a_time(tmp_path):
    run = make_run(tmp_path)
    seen = []

    def look(done, total, note):
        seen.append({path.parent for path in run.temporary.rglob("*.ckpt")})

    work(make_job(run, **OPTIONS), look)
    assert max(map(len, seen)) == 1
    assert len(set().union(*seen)) == 2
    assert not list(run.temporary.rglob("*.ckpt"))
