"""Workers of Dask that are jobs of a real Slurm, one of which is taken away in the middle."""

import subprocess

import pytest
from tests.faults.fault_runs import (
    environment,
    left_on_disk,
    partial_files,
    record,
    records,
    run,
    wait_for,
    words,
)
from tests.scale.slurm_cluster import PARTITION, slurm, why_not
from tests.worlds import plate

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(why_not()), reason=why_not() or "-")]

FIELDS = 60
FILE = f"""\
kind: slurm
cores: 1
memory: 1GB
queue: {PARTITION}
walltime: "00:30:00"
maximum: 2
wait: 300
"""


def test_a_run_whose_job_is_cancelled_leaves_the_bytes_of_one_process(tmp_path, monkeypatch):
    monkeypatch.setattr("tests.faults.fault_runs.PATIENCE", 400.0)
    images = plate(tmp_path / "images", FIELDS)
    alone, out, log = tmp_path / "alone.run", tmp_path / "out.run", tmp_path / "log"
    assert run(images, alone).exit_code == 0
    (tmp_path / "cluster.yaml").write_text(FILE)
    command = words(images, out, "--engine", "dask", "--cluster", tmp_path / "cluster.yaml")
    with slurm(tmp_path / "slurm") as cluster:
        surroundings = {**environment(), **cluster.environment}
        surroundings["PYTHONPATH"] = environment()["PYTHONPATH"]
        with log.open("wb") as sink:
            process = subprocess.Popen(command, env=surroundings, stdout=sink, stderr=sink)
        try:
            assert wait_for(lambda: records(out, "segment") >= 1, process), log.read_text()
            cluster.call("scancel", next(j for j, s in cluster.states().items() if s == "RUNNING"))
            before = records(out, "segment")
            assert process.wait(400) == 0, log.read_text()
        finally:
            process.kill()
            process.wait()
        cluster.wait_for_all(limit=30)
        assert set(cluster.states().values()) == {"CANCELLED"}
        assert len(cluster.states()) >= 2
    # The job was taken away while there was work left.
    assert before < FIELDS
    assert record(out)["status"] == "done"
    assert left_on_disk(out) == left_on_disk(alone)
    assert partial_files(out) == []
