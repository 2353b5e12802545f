"""One run on five engines: whether each leaves the same bytes, and how long each takes.

    python -m benchmarks.same_bytes [--json FILE] [--fields 200] [--size 256] [--only demo fields]
        [--engines "one process" ...] [--epochs 2]

`demo` is the plate of the demo with its settings, `fields` a simulated HPA set with `hpa-quick`;
both train, score and decide, with few epochs: a training is on one host with each engine, and what
is compared is the rest. The engines: one process, two processes, Dask with two workers on this
machine, an array of Slurm (`--print-slurm`, three shards, then the rest), and Dask whose workers
are jobs of Slurm. The Slurm is a real one, started here with two nodes of one processor; it needs
root and Debian's packages (`make slurm`). Seconds are those of the whole command, and for the array
from the first submission to the end of the last job, waits in its queue included.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.faults.fault_runs import left_on_disk
from tests.scale.slurm_cluster import PARTITION, Cluster, slurm

from cellwise.app.demo import unpack

ROOT = Path(__file__).resolve().parents[1]
LONGEST = 3600.0
SHARDS = 3
JOBS = ("cpus-per-task=1", "mem-per-cpu=3G", "time=60")
CLUSTER = f"""\
kind: slurm
cores: 1
memory: 3GB
queue: {PARTITION}
walltime: "01:00:00"
maximum: 2
wait: 300
"""
Words = list[str]


def given(kind: str, home: Path, fields: int, size: int, epochs: int) -> Words:
    """The words of `cellwise run` for an input, which is made here."""
    settings = ("train.threads=1", "score.threads=1", f"train.epochs={epochs}")
    fixed = ["--device", "cpu", *(word for text in settings for word in ("--set", text))]
    if kind == "demo":
        labels = unpack(home)
        own = ["--set", "segment.name=watershed", "--set", "cells.window=40", *fixed]
        return [str(home / "input"), "--labels", str(labels), "--recipe", "plate-quick", *own]
    call(
        *("simulate", home / "set", "--world", "hpa", "--severity", "default", "--seed", 11),
        *("--sites", fields, "--size", size),
    )
    return [str(home / "set"), "--recipe", "hpa-quick", *fixed]


def call(*words: object, environment: dict[str, str] | None = None) -> str:
    """A command of cellwise; what it printed, or an end of this program."""
    surroundings = {**os.environ, **(environment or {}), "PYTHONPATH": str(ROOT / "src")}
    command = [sys.executable, "-m", "cellwise", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, env=surroundings, check=False)
    if done.returncode:
        raise SystemExit(done.stdout[-2000:] + done.stderr[-3000:])
    return done.stdout


def by_array(cluster: Cluster, words: Words, out: Path) -> None:
    """The printed script, submitted; all jobs are waited for."""
    told = [part for word in JOBS for part in ("--slurm", word)]
    script = out.with_suffix(".sh")
    script.write_text(
        call(
            *("run", *words, "--out", out, "--print-slurm", "--shards", SHARDS, *told),
            environment=cluster.environment,
        ),
        encoding="utf-8",
    )
    cluster.call("bash", script)
    states = cluster.wait_for_all(limit=LONGEST)
    if set(states.values()) != {"COMPLETED"}:
        raise SystemExit(f"{states}\n{cluster.said()}")


def engines(cluster: Cluster, home: Path) -> dict[str, Callable[[Words, Path], object]]:
    """How each engine does a run."""
    file = home / "cluster.yaml"
    file.write_text(CLUSTER, encoding="utf-8")
    jobs = cluster.environment

    def plain(*more: object) -> Callable[[Words, Path], object]:
        return lambda words, out: call("run", *words, "--out", out, *more)

    def as_jobs(words: Words, out: Path) -> None:
        more = ("--engine", "dask", "--cluster", file)
        call("run", *words, "--out", out, *more, environment=jobs)

    return {
        "one process": plain("--workers", 1),
        "two processes": plain("--workers", 2),
        "dask, two workers": plain("--engine", "dask", "--workers", 2),
        "slurm array": lambda words, out: by_array(cluster, words, out),
        "dask on slurm": as_jobs,
    }


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--fields", type=int, default=200)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--only", nargs="*", default=["demo", "fields"])
    parser.add_argument("--engines", nargs="*")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder, slurm(Path(folder) / "slurm") as cluster:
        home = Path(folder)
        cluster.environment |= {"PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"}
        for kind in options.only:
            words = given(kind, home / kind, options.fields, options.size, options.epochs)
            first: dict[str, str] = {}
            for name, do in engines(cluster, home).items():
                if options.engines and name not in options.engines:
                    continue
                out = home / f"{kind}-{name.replace(' ', '-').replace(',', '')}.run"
                begun = time.perf_counter()
                do(words, out)
                seconds = round(time.perf_counter() - begun, 1)
                left = left_on_disk(out)
                first = first or left
                others = sorted(n for n in {*left, *first} if left.get(n) != first.get(n))
                rows.append({"input": kind, "engine": name, "seconds": seconds})
                rows[-1] |= {"files": len(left), "other_bytes": others[:20]}
                print(json.dumps(rows[-1]), flush=True)
    if options.json is not None:
        content = {"cores": os.cpu_count(), "load": os.getloadavg(), "rows": rows}
        options.json.write_text(json.dumps(content, indent=1), encoding="utf-8")
    if any(row["other_bytes"] for row in rows):
        raise SystemExit("The engines left different bytes.")


if __name__ == "__main__":
    main()
