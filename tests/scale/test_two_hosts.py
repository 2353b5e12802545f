"""Two hosts, here two commands on one machine, train for one run: the bytes of one host."""

import hashlib
import os
import signal
import subprocess
import sys
import time

import pytest
from tests.faults.fault_runs import environment
from tests.plates import treated, write_labels, write_plate
from tests.worlds import wells

pytestmark = pytest.mark.slow
LIMIT = 600.0
RECIPE = """
format: 1
steps:
  - read:
  - segment:
  - cells: {{size: 32}}
  - split: {{by: auto, folds: 2}}
  - label: {{as: inherited, by: inherit}}
  - train: {{as: net, task: cell, labels: inherited, epochs: {epochs}, batch: 8, threads: 1,
            folds: {folds}, net: {{name: tiny, width: 4}}, augment: [dihedral]}}
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    home = tmp_path_factory.mktemp("hosts")
    names = wells(8)
    write_plate(home / "images", names, nuclear=treated)
    write_labels(home / "labels.csv", names)
    (home / "both.yaml").write_text(RECIPE.format(epochs=3, folds=[0, 1]))
    (home / "one.yaml").write_text(RECIPE.format(epochs=400, folds=[0]))
    return home


def start(home, out, recipe, *words):
    command = [sys.executable, "-m", "cellwise", "run", "images", "--labels", "labels.csv"]
    command += ["--out", str(out), "--recipe", recipe, "--workers", "1", "--device", "cpu", *words]
    around = {**environment(), "OMP_NUM_THREADS": "1"}
    with out.with_name(f"{out.name}{''.join(words)}.log").open("wb") as log:
        return subprocess.Popen(command, cwd=home, env=around, stdout=log, stderr=log)


def ended(process):
    try:
        return process.wait(LIMIT)
    finally:
        process.kill()


def weights(out):
    found = sorted((out / "models" / "net").glob("*/model.safetensors"))
    return {p.parent.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in found}


def test_models_side_by_side_are_those_of_one_host(home):
    alone, shared = home / "alone", home / "shared"
    assert ended(start(home, alone, "both.yaml")) == 0
    other = start(home, shared, "both.yaml", "--nodes", "2", "--node", "1")
    assert ended(start(home, shared, "both.yaml", "--nodes", "2", "--node", "0")) == 0
    assert ended(other) == 0
    assert set(weights(shared)) == {"fold0", "fold1"}
    assert weights(shared) == weights(alone)
    told = (shared / "log.jsonl").read_text()
    assert '"hosts": 2, "hosts_lost": 0' in told


def test_a_shared_training_goes_on_without_a_host_that_is_killed(home):
    out = home / "killed"
    other = start(home, out, "one.yaml", "--nodes", "2", "--node", "1")
    first = start(home, out, "one.yaml", "--nodes", "2", "--node", "0")
    begun = time.monotonic()
    # Once a checkpoint is there, the training is under way on both.
    while not list((out / "work").glob("net-*/*/*")) and first.poll() is None:
        assert time.monotonic() - begun < LIMIT
        time.sleep(0.2)
    os.kill(other.pid, signal.SIGKILL)
    assert ended(first) == 0
    assert '"hosts": 2, "hosts_lost": 1' in (out / "log.jsonl").read_text()
    assert set(weights(out)) == {"fold0"}
    other.wait(LIMIT)
