"""The file of `--cluster`: what it may say, and the jobs that it makes."""

import dask_jobqueue
import pytest

from cellwise.errors import PreflightError, UsageError
from cellwise.flow.engines import engines
from cellwise.flow.engines.dask.cluster_file import ClusterFile, read_cluster_file

GOOD = """\
kind: slurm
cores: 4
memory: 16GB
walltime: "02:00:00"
queue: short
account: lab
maximum: 10
directives: ["--gres=tmpfs:20G"]
prologue: ["module load cuda"]
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "cluster.yaml"


def test_a_good_file_is_read(path):
    path.write_text(GOOD)
    file = read_cluster_file(path)
    assert (file.kind, file.per_job, file.minimum, file.maximum) == ("slurm", 4, 0, 10)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("kind: slurm", "kind: torque"), "kind: Input should be 'slurm'"),
        (("cores: 4", "cores: 0"), "cores: Input should be greater"),
        (("cores: 4", "cores: '4'"), "cores: Input should be a valid integer"),
        (("cores: 4\n", ""), "cores: Field required"),
        (("16GB", "much"), "memory: 'much' is no amount"),
        (('"02:00:00"', "12:00:00"), "walltime: 43200 is no time; write it with quotation marks"),
        (("queue: short", "que: short"), "no setting 'que'. Did you mean 'queue'?"),
        (("maximum: 10", "maximum: 10\nminimum: 11"), "minimum 11 is more than maximum 10"),
        (("maximum: 10", "maximum: 10\nworkers: 5"), "5 workers do not fit 4 cores"),
        (("maximum: 10", "maximum: 10\nworkers: 2\ngpu: true"), "a job with a GPU has one worker"),
        (("maximum: 10", "maximum: 10\nwait: .inf"), "wait: Input should be a finite number"),
        (('["module load cuda"]', '["a\\nb"]'), "is not one line"),
        (("maximum: 10", "maximum: 10\nhost: a\ninterface: b"), "host and interface"),
        (
            ("maximum: 10", "maximum: 10\ntls: {ca: /gone/a, certificate: /gone/b, key: /gone/c}"),
            "tls.ca: there is no file /gone/a",
        ),
        (("kind: slurm", "- kind"), "is no YAML"),
    ],
)
def test_what_cannot_be_is_refused_with_its_place(path, change, said):
    path.write_text(GOOD.replace(*change))
    assert change[0] in GOOD
    with pytest.raises(UsageError) as raised:
        engines.build({"name": "dask", "cluster": str(path)})
    assert said in str(raised.value)
    assert str(path) in str(raised.value)


def test_a_file_that_is_not_there_or_says_nothing(path):
    with pytest.raises(UsageError, match="No such file"):
        read_cluster_file(path)
    path.write_text("")
    with pytest.raises(UsageError, match="a mapping"):
        read_cluster_file(path)


JOBS = {
    "slurm": dask_jobqueue.slurm.SLURMJob,
    "pbs": dask_jobqueue.pbs.PBSJob,
    "sge": dask_jobqueue.sge.SGEJob,
    "lsf": dask_jobqueue.lsf.LSFJob,
}


def script(kind, tmp_path, *more):
    file = ClusterFile(
        kind=kind, cores=4, memory="16GB", walltime="02:00", queue="short", account="lab",
        maximum=3, directives=("--extra x",), prologue=("module load cuda",),
        **dict(more),
    )  # fmt: skip
    options = file.job_options(tmp_path / "logs")
    if kind == "lsf":
        # Asks the batch system else.
        options["lsf_units"] = "mb"
    job = JOBS[kind]("tls://10.0.0.1:4000", name="one", **options)
    return job.job_script()


@pytest.mark.parametrize("kind", JOBS)
def test_each_batch_system_is_asked_for_what_the_file_says(kind, tmp_path):
    text = script(kind, tmp_path)
    mark = {"slurm": "#SBATCH", "pbs": "#PBS", "sge": "#$", "lsf": "#BSUB"}[kind]
    head = [line for line in text.splitlines() if line.startswith(mark)]
    asked = " ".join(head)
    for word in ("short", "lab", "02:00", "--extra x"):
        assert word in asked
    # The last of two numbers of threads counts.
    command = text.splitlines()[-1]
    assert command.split().index("--nthreads") < command.rindex("--nthreads 1")
    assert "--nworkers 4" in command
    assert command.endswith("--nthreads 1 --dashboard-address 127.0.0.1:0 --no-dashboard")
    assert "module load cuda\n" in text
    assert "MEMORY__PAUSE=False" in text


def test_a_job_with_a_gpu_has_one_worker_that_offers_it(tmp_path):
    text = script("slurm", tmp_path, ("gpu", True))
    assert "--resources GPU=1" in text
    assert "--nworkers" not in text
    assert "#SBATCH --cpus-per-task=4" in text


def test_where_no_job_can_be_handed_in_it_is_said(path, monkeypatch, tmp_path):
    path.write_text(GOOD)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PreflightError, match="no command 'sbatch' here"):
        read_cluster_file(path).check_here()
