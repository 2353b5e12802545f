"""What a run costs beside its work: many sites of four channels through steps that do nothing.

    python -m benchmarks.bookkeeping [--json FILE] [--sites 10000 30000 100000] [--workers 2]
        [--files] [--source SRC] [--profile FOLDER]

A recipe of outside steps (a package written into a temporary folder, found by its entry points)
goes through the whole flow: keys, batches over worker processes, records, shards, merges,
quarantine and `run.json`. In turns, each in a process of its own: a fresh run, the same call again,
and the same call with one site more. Given are wall and CPU seconds (of this process and its
workers, without the start of Python and its imports) and peak resident memory (of the coordinator,
of the largest worker, and of all at the same moment, where pages that they share count twice).

`--files` writes four small files per site for the walk over the image folder, and makes and looks
for two masks and one file of crops per site. `--source` measures another checkout's `src`;
`--profile` keeps cProfile's figures of the coordinator.
"""

import argparse
import cProfile
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

TURNS = ("fresh", "again", "one more")
ENTRY_POINTS = "cellwise.stages"
PACKAGE = "no_work"
LOOK_EVERY = 0.1


@dataclass(frozen=True, slots=True)
class Turn:
    """One line of the result."""

    sites: int
    files: bool
    turn: str
    wall_s: float
    cpu_s: float
    workers_cpu_s: float
    coordinator_mb: float
    worker_mb: float
    together_mb: float
    worked_on: dict[str, str]
    sites_done: int


def write_package(home: Path) -> None:
    """The outside package: a folder for each kind of step, and the entry points that name them."""
    from benchmarks.bookkeeping_work import STEPS

    points = [f"[{ENTRY_POINTS}]"]
    for kind, (_, functions) in STEPS.items():
        folder = home / PACKAGE / kind
        folder.mkdir(parents=True)
        (folder / "__init__.py").touch()
        (folder / "spec.py").write_text(
            f"from benchmarks.bookkeeping_work import STEPS\n\nSPEC = STEPS[{kind!r}][0]\n",
            encoding="utf-8",
        )
        names = "".join(f"{word} = _done[{word!r}]\n" for word in functions)
        (folder / "step.py").write_text(
            f"from benchmarks.bookkeeping_work import STEPS\n\n_done = STEPS[{kind!r}][1]\n{names}",
            encoding="utf-8",
        )
        points.append(f"{kind} = {PACKAGE}.{kind}")
    (home / PACKAGE / "__init__.py").touch()
    info = home / f"{PACKAGE}-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Name: {PACKAGE}\nVersion: 1\n", encoding="utf-8")
    (info / "entry_points.txt").write_text("\n".join(points), encoding="utf-8")


def write_recipe(path: Path, *, files: bool) -> None:
    """All steps in order."""
    word = str(files).lower()
    lines = [
        "format: 1",
        "steps:",
        "  - no_read",
        f"  - no_segment: {{files: {word}}}",
        f"  - no_cells: {{crops: {word}}}",
        "  - no_split",
        "  - no_score",
        "  - no_decide",
    ]
    path.write_text("\n".join(lines), encoding="utf-8")


def write_images(folder: Path, sites: int, *, files: bool) -> None:
    """Say how many sites there are, and write four files for each where wanted, else for one."""
    from benchmarks.bookkeeping_work import CHANNELS, image_name

    folder.mkdir(exist_ok=True)
    (folder / "count.txt").write_text(str(sites), encoding="utf-8")
    for number in range(sites if files else 1):
        for channel in CHANNELS:
            path = folder / image_name(number, channel.name)
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(b"II*\0")


class Memory:
    """Peak resident memory of this process and its children, looked at now and then."""

    def __init__(self) -> None:
        self.coordinator = self.worker = self.together = 0.0
        self._over = threading.Event()

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Look until the block ends."""
        thread = threading.Thread(target=self._watch, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join()

    def _watch(self) -> None:
        while not self._over.wait(LOOK_EVERY):
            own = _resident("self")
            children = [_resident(child) for child in _children()]
            self.coordinator = max(self.coordinator, own)
            self.worker = max(self.worker, *children, 0.0)
            self.together = max(self.together, own + sum(children))


def _children() -> list[str]:
    found: list[str] = []
    for listed in Path("/proc/self/task").glob("*/children"):
        try:
            found += listed.read_text(encoding="utf-8").split()
        except OSError:
            continue
    return found


def _resident(process: str) -> float:
    """Megabytes that a process holds now; 0 for one that is gone."""
    try:
        pages = int(Path(f"/proc/{process}/statm").read_text(encoding="utf-8").split()[1])
    except (OSError, IndexError):
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def counting() -> Any:
    """A listener that counts the sites that steps work on."""
    from cellwise.flow.pipeline.events import Silent

    class Counting(Silent):
        sites = 0

        def step_started(self, name: str, *, total: int, unit: str, why: str) -> None:
            self.sites += total

    return Counting()


def measure_here(home: Path, workers: int, profile: str) -> dict[str, object]:
    """One call of the pipeline in this process."""
    from cellwise.flow.pipeline.run import run_pipeline
    from cellwise.flow.pipeline.state import Request
    from cellwise.flow.recipe.load import load_recipe
    from cellwise.flow.recipe.resolve import resolve

    recipe = resolve(load_recipe(str(home / "recipe.yaml")))
    request = Request(home / "images", home / "run", recipe, workers=workers)
    memory, profiler, counter = Memory(), cProfile.Profile(), counting()
    before, started = os.times(), time.perf_counter()
    with memory.watched():
        if profile:
            profiler.enable()
        outcome = run_pipeline(request, counter)
        profiler.disable()
    wall, after = time.perf_counter() - started, os.times()
    if profile:
        profiler.dump_stats(profile)
    steps = json.loads((home / "run" / "run.json").read_text(encoding="utf-8"))["steps"]
    return {
        "wall_s": round(wall, 2),
        "cpu_s": round(sum(after[:4]) - sum(before[:4]), 2),
        "workers_cpu_s": round(sum(after[2:4]) - sum(before[2:4]), 2),
        "coordinator_mb": round(memory.coordinator),
        "worker_mb": round(memory.worker),
        "together_mb": round(memory.together),
        "worked_on": {one["kind"]: f"{one['state']} {one['seconds']}" for one in steps},
        "sites_done": counter.sites,
        "quarantined": outcome.counts["quarantined"],
    }


def measure_there(home: Path, source: Path, workers: int, profile: str) -> dict[str, object]:
    """The same in a fresh process that finds the outside package."""
    path = [str(source), str(home / "package"), str(Path(__file__).resolve().parents[1])]
    words = [sys.executable, __file__, "--once", str(home), "--workers", str(workers)]
    words += ["--profile", profile] if profile else []
    done = subprocess.run(
        words,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(done.stderr[-4000:])
    found: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return found


def compare(sites: int, asked: argparse.Namespace) -> Iterator[Turn]:
    """A run of so many sites in all its turns."""
    home = Path(tempfile.mkdtemp(prefix="bookkeeping-"))
    try:
        write_package(home / "package")
        write_recipe(home / "recipe.yaml", files=asked.files)
        for turn in TURNS:
            more = int(turn == "one more")
            if turn != "again":
                write_images(home / "images", sites + more, files=asked.files and not more)
            kept = f"{asked.profile}/{sites}-{turn.replace(' ', '-')}" if asked.profile else ""
            found = measure_there(home, asked.source, asked.workers, kept)
            # What is expected of a run of this size, so that no empty run is measured.
            if found.pop("quarantined") != sites // 1000:
                raise SystemExit(f"{turn}, {sites} sites: not the sites set aside that were made.")
            yield Turn(sites, asked.files, turn, **found)  # type: ignore[arg-type]
    finally:
        shutil.rmtree(home, ignore_errors=True)


def main() -> None:
    """Measure and print one line for each size and turn."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--once", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--sites", type=int, nargs="+", default=[10_000, 30_000, 100_000])
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--files", action="store_true")
    parser.add_argument("--source", type=Path, default=Path(__file__).resolve().parents[1] / "src")
    parser.add_argument("--profile", default="")
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    if asked.once:
        print(json.dumps(measure_here(asked.once, asked.workers, asked.profile)))
        return
    if asked.profile:
        Path(asked.profile).mkdir(parents=True, exist_ok=True)
    print(f"{platform.machine()}, {os.cpu_count()} processors, {asked.workers} workers")
    print("| sites | turn | wall s | CPU s | of it workers | coordinator MB | worker MB | all MB |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    lines = []
    for sites in asked.sites:
        for line in compare(sites, asked):
            lines.append(line)
            print(
                f"| {sites:,} | {line.turn} | {line.wall_s:.1f} | {line.cpu_s:.1f} | "
                f"{line.workers_cpu_s:.1f} | "
                f"{line.coordinator_mb} | {line.worker_mb} | {line.together_mb} |",
                flush=True,
            )
    if asked.json:
        asked.json.write_text(json.dumps([asdict(one) for one in lines], indent=1), "utf-8")


if __name__ == "__main__":
    main()
