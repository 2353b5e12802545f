"""The printed script under a real Slurm: the bytes of one machine, also after kills."""

import re
import subprocess
import sys
import time

import cv2
import pytest
from tests.faults.fault_runs import environment, left_on_disk, record, records
from tests.plates import QUICK, treated, write_labels, write_plate
from tests.scale.shard_runs import TWO, whole
from tests.scale.slurm_cluster import NODES, slurm, why_not
from tests.worlds import plate, wells

import cellwise

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(why_not()), reason=why_not())]
LIMIT = 900.0
FIXED = ("--slurm", "cpus-per-task=1", "--slurm", "mem-per-cpu=1G", "--slurm", "time=30")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """A Slurm of two nodes."""
    with slurm(tmp_path_factory.mktemp("slurm") / "home") as running:
        running.environment |= {"PYTHONPATH": environment()["PYTHONPATH"], "OMP_NUM_THREADS": "1"}
        yield running


def printed(cluster, folder, *words):
    """The script that `--print-slurm` prints, as a file beside the run folder."""
    out = folder / "my out.run"
    start = [sys.executable, "-m", "cellwise", "run", folder / "images", "--out", out]
    fixed = ["--device", "cpu", "--print-slurm", *FIXED]
    script = folder / "jobs of mine.sh"
    script.write_text(cluster.call(*start, *fixed, *words, timeout=300))
    return script, out


def submitted(cluster, script, *words):
    """The numbers of the jobs that a start of the script submits."""
    said = cluster.call("bash", script, *words)
    return [line.rpartition(" ")[2] for line in said.splitlines()]


def logs(out):
    return "\n".join(f"{p.name}: {p.read_text()}" for p in sorted((out / "slurm").glob("*.log")))


def all_well(cluster, out):
    states = cluster.wait_for_all(limit=LIMIT)
    assert set(states.values()) == {"COMPLETED"}, f"{states}\n{logs(out)}\n{cluster.said()}"


def many_fields(folder, count=60):
    """What one process leaves. Slurm ends a cancelled task after 3 s, so shards take longer."""
    for path in sorted(plate(folder / "images", count, ending=".png").iterdir()):
        small = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        cv2.imwrite(str(path), cv2.resize(small, None, fx=8, fy=8))
    whole(folder / "images", folder / "alone.run")
    return left_on_disk(folder / "alone.run")


def under_way(cluster, out, job, *, fields):
    """Wait until tasks of an array have done some fields; a task that runs then."""
    done = out / "done" / "shards"

    def some(states):
        counted = sum(records(out, f"shards/{p.name}/segment") for p in done.glob("*-of-*"))
        running = [name for name, state in states.items() if state == "RUNNING"]
        return counted >= fields and any(name.startswith(f"{job}_") for name in running)

    cluster.wait(some, limit=LIMIT, what="no shard is under way")
    states = cluster.states()
    return next(n for n, s in states.items() if s == "RUNNING" and n.startswith(f"{job}_"))


def test_a_recipe_with_a_training_gives_the_bytes_of_one_machine(cluster, tmp_path):
    names = wells(8)
    write_plate(tmp_path / "images", names, nuclear=treated)
    write_labels(tmp_path / "labels.csv", names, unlabelled=("A07", "A08"))
    settings = [*(text for text in QUICK if "epochs" not in text), "train.epochs=2"]
    cellwise.run(
        tmp_path / "images", labels=tmp_path / "labels.csv", out=tmp_path / "alone.run",
        recipe="hpa-inherit", settings=settings, device="cpu",
    )  # fmt: skip
    words = [word for text in settings for word in ("--set", text)]
    script, out = printed(
        cluster, tmp_path, "--labels", tmp_path / "labels.csv", "--recipe", "hpa-inherit",
        "--shards", 3, *words,
    )  # fmt: skip
    jobs = submitted(cluster, script)
    assert len(jobs) == 4
    all_well(cluster, out)
    assert left_on_disk(out) == left_on_disk(tmp_path / "alone.run")
    said = record(out)["shards"]
    assert sorted(one["shard"] for one in said) == sorted(2 * ["1/3", "2/3", "3/3"])
    assert {one["job"]["SLURM_ARRAY_JOB_ID"] for one in said} == {jobs[0], jobs[2]}


def test_a_task_that_was_cancelled_is_named_and_given_again(cluster, tmp_path):
    alone = many_fields(tmp_path)
    script, out = printed(cluster, tmp_path, "--recipe", TWO, "--shards", 3)
    first = submitted(cluster, script)
    cluster.call("scancel", under_way(cluster, out, first[0], fields=1))
    states = cluster.wait_for_all(limit=LIMIT)
    assert sorted(s for n, s in states.items() if n.startswith(f"{first[0]}_")) == [
        "CANCELLED", "COMPLETED", "COMPLETED",
    ]  # fmt: skip
    assert [states[job] for job in (first[1], first[3])] == ["FAILED", "CANCELLED"]
    said = next((out / "slurm").glob(f"*-{first[1]}.log")).read_text()
    command = re.search(r"^  (bash .+ \d)$", said, re.MULTILINE)[1]
    assert re.search(r"Shard \d/3: \d+ sites left, it was (interrupted|killed) on ", said)
    # As a person would: the line is pasted into a shell.
    subprocess.run(command, shell=True, env=cluster.environment, check=True, stdout=-3)
    states = cluster.wait_for_all(limit=LIMIT)
    again = {n: s for n, s in states.items() if int(n.partition("_")[0]) > int(first[3])}
    assert len(again) == 1 + 1 + 3 + 1
    assert set(again.values()) == {"COMPLETED"}, logs(out)
    assert left_on_disk(out) == alone


def test_a_killed_process_and_a_killed_node_cost_nothing(cluster, tmp_path):
    alone = many_fields(tmp_path)
    script, out = printed(cluster, tmp_path, "--recipe", TWO, "--shards", 2)
    job = submitted(cluster, script)[0]
    under_way(cluster, out, job, fields=1)
    # The node is lost with all that runs on it: Slurm gives its task to another one.
    node = NODES[1]
    cluster.lose(node)
    time.sleep(1)
    cluster.start_node(node)
    states = cluster.wait_for_all(limit=LIMIT)
    if set(states.values()) != {"COMPLETED"}:
        # Where the node came back too soon for Slurm to notice, its task has failed.
        submitted(cluster, script)
        cluster.wait_for_all(limit=LIMIT)
    assert record(out)["status"] == "done", logs(out)
    assert left_on_disk(out) == alone
