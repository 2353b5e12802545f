"""What engines cost: one process, two processes, Dask with one worker and with two.

    python -m benchmarks.engines [--json FILE] [--sites 400] [--size 256] [--busy 400]
        [--tasks 100000] [--repeats 3] [--only sites busy tasks]

`sites`: the per-site steps (segment, cells, embed) of simulated fields, each engine in a process of
its own, in turns; seconds are those that `run.json` gives for the steps, so they hold the start of
workers but not that of the command. What the engines leave is compared byte for byte.

`busy`: units that keep a core busy for 0.2 CPU seconds each, four to a batch, over two workers that
are up already: the process pool and Dask in turns. Nothing sleeps, so an idle moment of a worker
counts. Given is Dask's wall time over that of the pool.

`tasks`: so many batches of four units without work through Dask with two workers. Scheduler and
client are in this process: its CPU milliseconds a task and its memory, for each tenth of the
tasks. A load that is flat shows as tenths that are alike; one over it is how many batches a second
one scheduler can take, and so how many workers.
"""

import argparse
import hashlib
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ENGINES: dict[str, tuple[str, int]] = {
    "one process": ("local", 1),
    "two processes": ("local", 2),
    "dask, one worker": ("dask", 1),
    "dask, two workers": ("dask", 2),
}
RECIPE = """\
format: 1
steps:
  - read:
  - segment: watershed
  - cells: {size: 64}
  - embed: {as: measured, by: measured}
"""
SECONDS, BATCH = 0.2, 4
_ROOT = Path(__file__).resolve().parents[1]


def run_sites(home: Path, sites: int, size: int, repeats: int) -> list[dict[str, Any]]:
    """One line for each engine and turn."""
    world, recipe = home / "world", home / "recipe.yaml"
    recipe.write_text(RECIPE, encoding="utf-8")
    words = ("--world", "hpa", "--severity", "easy", "--sites", sites, "--size", size, "--seed", 1)
    _cellwise("simulate", world, *words)
    rows = []
    for turn in range(repeats):
        for name, (engine, workers) in ENGINES.items():
            out = home / f"{engine}-{workers}-{turn}"
            begun = time.perf_counter()
            _cellwise(
                *("run", world, "--out", out, "--recipe", recipe, "--device", "cpu"),
                *("--engine", engine, "--workers", workers),
            )
            whole = time.perf_counter() - begun
            steps = json.loads((out / "run.json").read_text(encoding="utf-8"))["steps"]
            seconds = {step["name"]: step["seconds"] for step in steps if step["kind"] != "read"}
            row = {"engine": name, "turn": turn, "steps_s": sum(seconds.values()), **seconds}
            rows.append({**row, "whole_s": round(whole, 2), "left": _left(out)})
            print(json.dumps(rows[-1]), flush=True)
    if len({row["left"] for row in rows}) != 1:
        raise SystemExit("The engines left different bytes.")
    return rows


def _cellwise(*words: object) -> None:
    command = [sys.executable, "-m", "cellwise", *map(str, words)]
    environment = {**os.environ, "PYTHONPATH": str(_ROOT / "src")}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        raise SystemExit(done.stderr[-3000:])


def _left(out: Path) -> str:
    """A digest of the tables, masks and crops of a run."""
    content = hashlib.sha256()
    files = [*out.glob("*.parquet"), *(f for w in ("masks", "crops") for f in out.glob(f"{w}/*"))]
    for path in sorted(files):
        content.update(f"{path.relative_to(out)}\0".encode() + path.read_bytes())
    return content.hexdigest()[:16]


def _batches(units: int, context: Any) -> Iterator[tuple[list[int], Any]]:
    for start in range(0, units, BATCH):
        yield list(range(start, min(start + BATCH, units))), context


def run_busy(units: int, repeats: int) -> list[dict[str, Any]]:
    """Wall seconds of the pool and of Dask, in turns."""
    from benchmarks.engines_work import busy

    from cellwise.flow.engines import engines

    rows = []
    with (
        engines.build({"name": "local", "workers": 2}) as pool,
        engines.build({"name": "dask", "workers": 2}) as dask,
    ):
        both = {"pool": pool, "dask": dask}
        for engine in both.values():
            # Both workers start and import here.
            for _ in engine.map(busy, _batches(8 * BATCH, SECONDS), lost=int):
                pass
        for turn in range(repeats):
            row: dict[str, Any] = {"turn": turn, "units": units, "seconds_each": SECONDS}
            for name, engine in both.items():
                begun = time.perf_counter()
                done = sum(len(r) for r in engine.map(busy, _batches(units, SECONDS), lost=int))
                row[f"{name}_s"] = round(time.perf_counter() - begun, 3)
                if done != units:
                    raise SystemExit(f"{name} gave {done} results for {units} units.")
            row["dask_over_pool"] = round(row["dask_s"] / row["pool_s"], 4)
            rows.append(row)
            print(json.dumps(row), flush=True)
    return rows


def run_tasks(count: int) -> list[dict[str, Any]]:
    """CPU time and memory of scheduler and coordinator for each tenth of the tasks."""
    from benchmarks.engines_work import nothing

    from cellwise.flow.engines import engines

    rows: list[dict[str, Any]] = []
    tenth = max(1, count // 10)
    with engines.build({"name": "dask", "workers": 2}) as engine:
        for _ in engine.map(nothing, _batches(100 * BATCH, None), lost=int):
            pass
        begun, used, last = time.perf_counter(), time.process_time(), 0
        for done, _ in enumerate(engine.map(nothing, _batches(count * BATCH, None), lost=int), 1):
            if done % tenth and done != count:
                continue
            wall, cpu = time.perf_counter(), time.process_time()
            rows.append(
                {
                    "tasks": done,
                    "wall_ms_a_task": round(1e3 * (wall - begun) / (done - last), 3),
                    "cpu_ms_a_task": round(1e3 * (cpu - used) / (done - last), 3),
                    "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
                }
            )
            begun, used, last = wall, cpu, done
            print(json.dumps(rows[-1]), flush=True)
    return rows


def summary(found: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """Medians over turns, with the least and the most."""
    said: dict[str, Any] = {}
    if rows := found.get("sites"):
        seconds = {name: [r["steps_s"] for r in rows if r["engine"] == name] for name in ENGINES}
        said["steps_s"] = {name: _spread(values) for name, values in seconds.items()}
        for kind in ("process", "dask"):
            one, two = (v for name, v in seconds.items() if kind in name)
            said[f"{kind}: times faster with two workers"] = _spread(
                [a / b for a, b in zip(one, two, strict=True)]
            )
    if rows := found.get("busy"):
        said["dask over pool"] = _spread([row["dask_over_pool"] for row in rows])
    if rows := found.get("tasks"):
        said["cpu_ms_a_task"] = _spread([row["cpu_ms_a_task"] for row in rows])
        said["batches a second that one scheduler can take"] = round(
            1e3 / statistics.median(row["cpu_ms_a_task"] for row in rows)
        )
    return said


def _spread(values: list[float]) -> list[float]:
    """Median, least, most."""
    return [round(v, 3) for v in (statistics.median(values), min(values), max(values))]


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sites", type=int, default=400)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--busy", type=int, default=400)
    parser.add_argument("--tasks", type=int, default=100_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--only", nargs="*", default=["sites", "busy", "tasks"])
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    found: dict[str, list[dict[str, Any]]] = {}
    if "sites" in given.only:
        with tempfile.TemporaryDirectory() as home:
            found["sites"] = run_sites(Path(home), given.sites, given.size, given.repeats)
    if "busy" in given.only:
        found["busy"] = run_busy(given.busy, given.repeats)
    if "tasks" in given.only:
        found["tasks"] = run_tasks(given.tasks)
    machine = {
        "cores": os.cpu_count(),
        "load": os.getloadavg(),
        "python": platform.python_version(),
    }
    content = {"machine": machine, "summary": summary(found), "rows": found}
    print(json.dumps({"summary": content["summary"]}, indent=1))
    if given.json is not None:
        given.json.write_text(json.dumps(content, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
