"""The script for Slurm: what it tells sbatch, and what each of its jobs runs, word for word."""

import json
import os
import shutil
import subprocess
import sys

import pytest
from tests.faults.fault_runs import command, here
from tests.scale.shard_runs import TWO

from cellwise.errors import UsageError
from cellwise.flow.slurm import Directives, slurm_script

BASH = "/bin/bash"
NASTY = 'it\'s 100% "odd" $HOME `x` \\ dir'
# Notes its words, one call to a line; as sbatch it answers with a number.
NOTES = """#!{python}
import json, os, sys
with open(os.environ["NOTES"], "a") as handle:
    print(json.dumps([sys.argv[1:], os.getcwd(), os.environ.get("OMP_NUM_THREADS"),
                      os.environ.get("CELLWISE_JOBS")]), file=handle)
print(f"{{40 + sum(1 for _ in open(os.environ['NOTES']))}};cluster")
sys.exit(int(os.environ.get("CODE", "0")))
"""

pytestmark = pytest.mark.skipif(not os.path.exists(BASH), reason="the script is for bash")  # noqa: PTH110


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with an unusual name, with a program that notes its words under two names."""
    home = tmp_path / NASTY
    (home / "bin").mkdir(parents=True)
    for name in ("sbatch", "python"):
        (home / "bin" / name).write_text(NOTES.format(python=sys.executable))
        (home / "bin" / name).chmod(0o755)
    monkeypatch.chdir(home)
    return home


def script_in(place, *, words=(), slurm=(), stretches=(["segment", "cells"],), **options):
    options = {"shards": 8, "workers": 0, "surroundings": {"OMP_NUM_THREADS": "3"}, **options}
    text = slurm_script(
        [str(place / "bin" / "python"), "-m", "cellwise", "run", *words],
        out=place / "out.run", stretches=stretches, directives=Directives.parse(slurm), **options,
    )  # fmt: skip
    script = place / "jobs.sh"
    script.write_text(text)
    return script


def test_a_machine_without_slurm_is_named_and_nothing_is_made(place, tmp_path):
    (tmp_path / "tools").mkdir()
    for tool in ("readlink", "mkdir"):
        (tmp_path / "tools" / tool).symlink_to(shutil.which(tool))
    done = subprocess.run(
        [BASH, str(script_in(place))], env={"PATH": str(tmp_path / "tools")},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "There is no sbatch here" in done.stderr
    assert not (place / "out.run").exists()


def started(script, *words, code=0, **surroundings):
    """What a start of the script noted, and how it ended."""
    notes = script.parent / "notes"
    notes.unlink(missing_ok=True)
    path = f"{script.parent / 'bin'}:{os.environ['PATH']}"
    environment = {"PATH": path, "NOTES": str(notes), "CODE": str(code), **surroundings}
    done = subprocess.run(
        [BASH, str(script), *words], env=environment, capture_output=True, text=True, check=False,
        cwd="/", timeout=60,
    )  # fmt: skip
    lines = notes.read_text().splitlines() if notes.exists() else []
    return done, [json.loads(line) for line in lines]


def test_each_job_runs_the_whole_command_with_its_shard(place):
    words = [str(place / "images"), "--set", "a.b=c d", "--labels", "o'k.csv"]
    script = script_in(place, words=words)
    done, noted = started(
        script, "--shard", SLURM_ARRAY_TASK_ID="3", SLURM_CPUS_PER_TASK="5", OMP_NUM_THREADS="9"
    )
    assert done.returncode == 0
    run = ["-m", "cellwise", "run", *words, "--workers", "5"]
    assert noted == [[[*run, "--shard", "3/8"], str(place), "3", None]]
    for word in ("--merge", "--finish"):
        _, noted = started(script, word, SLURM_CPUS_PER_TASK="5")
        assert noted[0][0] == [*run, word]


@pytest.mark.parametrize(("code", "ends"), [(0, 0), (3, 0), (4, 4), (5, 5), (137, 137)])
def test_fields_that_are_set_aside_fail_no_job(place, code, ends):
    done, _ = started(script_in(place), "--shard", code=code, SLURM_ARRAY_TASK_ID="1")
    assert done.returncode == ends


def test_a_number_of_workers_is_kept(place):
    _, noted = started(script_in(place, workers=2), "--finish")
    assert noted[0][0][-3:] == ["--workers", "2", "--finish"]


def test_threads_are_those_of_the_shell_that_printed_it(place):
    script = script_in(place, surroundings={})
    _, noted = started(script, "--finish", OMP_NUM_THREADS="9")
    assert noted[0][2] is None


def test_jobs_follow_each_other(place):
    stretches = [["segment", "cells"], ["score"]]
    script = script_in(place, stretches=stretches, slurm=["rest:gres=gpu:1", "shards:nice=5"])
    done, noted = started(script)
    assert done.returncode == 0, done.stderr
    logs = f"--output={str(place / 'out.run' / 'slurm').replace('%', '%%')}"
    array, single = f"{logs}/%x-%A_%a.log", f"{logs}/%x-%j.log"
    kill = "--kill-on-invalid-dep=yes"
    told = [call[0] for call in noted]
    assert told == [
        ["--parsable", "--array=1-8", array, "--nice=5", str(script), "--shard"],
        ["--parsable", "--dependency=afterany:41", single, "--gres=gpu:1", str(script), "--merge"],
        ["--parsable", "--array=1-8", "--dependency=afterok:42", kill, array, "--nice=5",
         str(script), "--shard"],
        ["--parsable", "--dependency=afterok:42,afterany:43", kill, single, "--gres=gpu:1",
         str(script), "--finish"],
    ]  # fmt: skip
    assert {call[3] for call in noted} == {str(script)}
    assert (place / "out.run" / "slurm").is_dir()
    assert done.stdout.splitlines()[0] == "segment, cells in 8 shards: job 41"
    _, noted = started(script, "3,7")
    assert noted[0][0][1] == "--array=3,7"
    assert noted[2][0][1] == "--array=1-8"


def test_it_ends_where_sbatch_refuses(place):
    done, noted = started(script_in(place, stretches=[["a"], ["b"]]), code=1)
    assert done.returncode == 1
    assert len(noted) == 1


def test_a_text_that_is_no_file_submits_nothing(place):
    script = script_in(place)
    done = subprocess.run(
        [BASH], input=script.read_text(), env={"PATH": os.environ["PATH"]}, cwd="/", check=False,
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 2
    assert "Save this text as a file" in done.stderr


def test_directives_stand_first_and_replace_their_defaults(place):
    slurm = ["mem=9G", "partition=long", 'comment=a "b" \\c', "exclusive", "time=1-0"]
    lines = script_in(place, slurm=slurm).read_text().splitlines()
    assert lines[0] == "#!/bin/bash"
    first = [line for line in lines[1:12] if line.startswith("#SBATCH")]
    assert first == [
        "#SBATCH --job-name=out",
        "#SBATCH --cpus-per-task=4",
        "#SBATCH --time=1-0",
        "#SBATCH --requeue",
        "#SBATCH --mem=9G",
        "#SBATCH --partition=long",
        r'#SBATCH --comment="a \"b\" \\c"',
        "#SBATCH --exclusive",
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("array=1-3", "--shards"),
        ("rest:dependency=after:1", "follow each other"),
        ("output=x", "run folder"),
        ("--time=3", "without dashes"),
        ("time =3", "without dashes"),
        ("a=b\nrm", "without dashes"),
        ("other:time=3", "without dashes"),
    ],
)
def test_what_is_no_directive_is_refused(text, words):
    with pytest.raises(UsageError, match=words):
        Directives.parse([text])


def test_the_command_prints_a_script_and_writes_nothing(still_plate, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "images").symlink_to(still_plate)
    recipe = ["--recipe", TWO, "--device", "cpu", "--set", "cells.size=32"]
    words = ["run", "images", "--out", "o.run", *recipe, "--print-slurm", "--shards", 3]
    done = here(command(*words, "--slurm", "time=5"))
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "o.run").exists()
    text = done.stdout
    assert "#SBATCH --time=5\n" in text
    said = f"run {tmp_path}/images --out {tmp_path}/o.run --recipe {TWO} --device cpu --set"
    assert f"{sys.executable} -P -m cellwise {said} cells.size=32 --workers" in text
    assert [text.count(f'"$script" {word}') for word in ("--shard", "--merge", "--finish")] == [
        2,
        1,
        1,
    ]
    assert "# embed measured\n" in text
    assert subprocess.run([BASH, "-n"], input=text, text=True, check=False).returncode == 0


def test_what_a_run_refuses_is_refused_when_the_script_is_printed(still_plate, tmp_path):
    words = ["run", still_plate, "--out", tmp_path / "o.run", "--recipe", TWO, "--print-slurm"]
    assert here(command(*words, "--set", "cells.sise=3")).returncode == 2
    assert here(command(*words, "--labels", tmp_path / "none.csv")).returncode == 4
