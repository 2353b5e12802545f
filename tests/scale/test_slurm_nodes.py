"""`srun` over two nodes of a real Slurm: trainings side by side, and one that loses a node."""

import subprocess
import sys
import time

import pytest
from tests.faults.fault_runs import environment
from tests.plates import treated, write_labels, write_plate
from tests.scale.slurm_cluster import NODES, slurm, why_not
from tests.scale.test_two_hosts import LIMIT, RECIPE, ended, start, weights
from tests.worlds import wells

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(why_not()), reason=why_not() or "-")]
# As the how-to has it: a lost node does not end what runs on the others.
SRUN = ("srun", "--nodes", "2", "--ntasks-per-node", "1", "--no-kill", "--kill-on-bad-exit=0")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    home = tmp_path_factory.mktemp("nodes")
    names = wells(8)
    write_plate(home / "images", names, nuclear=treated)
    write_labels(home / "labels.csv", names)
    (home / "both.yaml").write_text(RECIPE.format(epochs=3, folds=[0, 1]))
    (home / "one.yaml").write_text(RECIPE.format(epochs=400, folds=[0]))
    return home


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """A Slurm of two nodes."""
    with slurm(tmp_path_factory.mktemp("slurm") / "home") as running:
        running.environment |= {"PYTHONPATH": environment()["PYTHONPATH"], "OMP_NUM_THREADS": "1"}
        yield running


def on_both(cluster, home, out, recipe, *words):
    """One command on both nodes, numbered by Slurm."""
    command = [*SRUN, sys.executable, "-m", "cellwise", "run", "images", "--labels", "labels.csv"]
    command += ["--out", str(out), "--recipe", recipe, "--workers", "1", "--device", "cpu"]
    command += ["--nodes", "2", *words]
    with out.with_name(f"{out.name}.log").open("wb") as log:
        return subprocess.Popen(
            command, cwd=home, env=cluster.environment, stdout=log, stderr=log,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip


def test_nodes_of_slurm_learn_what_one_host_does(cluster, home):
    alone, shared = home / "alone", home / "shared"
    assert ended(start(home, alone, "both.yaml")) == 0
    code = ended(on_both(cluster, home, shared, "both.yaml"))
    assert code == 0, (home / "shared.log").read_text() + cluster.said()
    assert set(weights(shared)) == {"fold0", "fold1"}
    assert weights(shared) == weights(alone)
    assert '"hosts": 2, "hosts_lost": 0' in (shared / "log.jsonl").read_text()


def test_a_shared_training_goes_on_without_a_node_that_is_lost(cluster, home):
    out = home / "killed"
    process = on_both(cluster, home, out, "one.yaml", "--insecure-cluster")
    begun = time.monotonic()
    # Once a checkpoint is there, the training is under way on both.
    while not list((out / "work").glob("net-*/*/*")) and process.poll() is None:
        assert time.monotonic() - begun < LIMIT
        time.sleep(0.2)
    cluster.lose(NODES[1])
    # What srun says of the lost task is not what the run has left.
    ended(process)
    said = (home / "killed.log").read_text(errors="replace")
    assert '"hosts": 2, "hosts_lost": 1' in (out / "log.jsonl").read_text(), said
    assert set(weights(out)) == {"fold0"}
