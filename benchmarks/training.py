"""Training: steps a second of the crop and the field task, and the time spent waiting for data.

    python benchmarks/training.py [--json FILE] [--beside SRC] [--repeats 3] [--only WORD ...]

Noise with labels, made in a temporary folder: crops of 4 x 128 x 128 pixels in batches of 32,
fields of 4 x 512 x 512 pixels learned at 256 in batches of 8; networks `tiny` and resnet18;
augmentations dihedral, affine and gain; one thread; data read in the process or by two loader
workers. Each measurement is a process of its own that trains two epochs through the train step;
only the second is timed, so that neither imports nor the first decoding count. `--beside` names the
`src` folder of another checkout, which is timed in turns with this one. CPU seconds hold those of
loader workers. Waiting is the share of the wall time in which the training had to wait for pixels:
reading and augmenting where that happens in the process.
"""

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from functools import wraps
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROLES, CLASSES = (
    ("nucleus", "protein", "microtubule", "er"),
    ("a", "b", "c", "d", "e", "f", "g", "h"),
)
CROP, FIELD, LEARNED_AT = 128, 512, 256
SITES, CELLS = 24, 8
BATCHES = {"crops": 32, "fields": 8}
NETS = {"tiny": "tiny", "resnet18": {"name": "backbone", "model": "resnet18"}}
CASES = [(task, net, loaders) for task in ("crops", "fields") for net in NETS for loaders in (0, 2)]


@dataclass(frozen=True, slots=True)
class Timing:
    """One line of the result; seconds of one step, medians of the repeats."""

    case: str
    who: str
    cpu_s: float
    wall_s: float
    peak_mb: float
    ratio_to_ours: float
    steps_per_s: float
    waiting: float
    least_cpu_s: float
    most_cpu_s: float


def make_run(folder: Path, sites_wanted: int) -> Any:
    """A run folder up to labels: noise whose first channel is brighter where the class is even."""
    import numpy as np
    import polars as pl
    from PIL import Image

    from cellwise.domain.channels import Channel
    from cellwise.domain.records import ChannelFile, Site
    from cellwise.domain.tables import CELLS as CELL_TABLE
    from cellwise.domain.tables import LABELS
    from cellwise.domain.tables import SITES as SITE_TABLE
    from cellwise.store.run.crops import write_channels, write_shard
    from cellwise.store.run.folder import RunFolder
    from cellwise.store.run.sites import sites_to_frame
    from cellwise.store.run.tables import write_table

    run, images = RunFolder(folder / "run"), folder / "images"
    images.mkdir(parents=True)
    channels = [Channel(role, role) for role in ROLES]
    rng = np.random.default_rng(0)
    sites, cells, labels = [], [], []
    for number in range(sites_wanted):
        name, label = f"s{number:03d}", number % len(CLASSES)
        files = []
        for channel in channels:
            path = f"{name}_{channel.name}.png"
            pixels = rng.integers(0, 128 + 64 * (label % 2), (FIELD, FIELD), dtype=np.uint8)
            Image.fromarray(pixels).save(images / path, compress_level=1)
            files.append(ChannelFile(channel, (path,)))
        sites.append(Site(name, name, tuple(files), "train", (CLASSES[label],)))
        write_shard(run.crops, name, rng.random((CELLS, len(ROLES), CROP, CROP), np.float32))
        for cell in range(CELLS):
            box = {"y0": 0, "x0": 0, "y1": CROP, "x1": CROP, "y": 64, "x": 64, "area": 900}
            place = {"site_id": name, "cell_id": cell + 1}
            row = {**place, **box, "border": False, "flags": [], "shard": name, "row": cell}
            cells.append(row)
            said = [float(n == label) for n in range(len(CLASSES))]
            labels.append({**place, "label": said, "weight": 1.0, "reason": "inherited"})
    write_table(run.sites, SITE_TABLE, sites_to_frame(sites, {}))
    reading = {"classes": {"names": [*CLASSES, "Negative"], "negative": "Negative"}}
    run.reading.write_text(json.dumps(reading), encoding="utf-8")
    types: Any = {"flags": pl.List(pl.String), "row": pl.Int32}
    write_table(run.cells, CELL_TABLE, pl.DataFrame(cells, schema_overrides=types))
    write_channels(run.crops, channels)
    types = {"label": pl.Array(pl.Float32, len(CLASSES))}
    frame = pl.DataFrame(labels, schema_overrides=types)
    write_table(run.labels("label"), LABELS, frame, classes=CLASSES)
    return run


class Clock:
    """Wall time spent inside of what was wrapped; calls within calls count once."""

    def __init__(self) -> None:
        self.spent, self._deep = 0.0, 0

    def wrap(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The same function, timed."""

        @wraps(function)
        def timed(*args: Any, **kwargs: Any) -> Any:
            self._deep += 1
            start = time.perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                self._deep -= 1
                if not self._deep:
                    self.spent += time.perf_counter() - start

        return timed


def watch_data() -> Clock:
    """Time reading, augmenting and the loader, whichever of them this code has in the process."""
    from torch.utils.data import dataloader

    from cellwise.contracts import augmentation
    from cellwise.stages.train import _fields, _plan
    from cellwise.store.run.crops import CropStore

    clock, bound = Clock(), augmentation.bound
    CropStore.read = clock.wrap(CropStore.read)  # type: ignore[method-assign]
    _fields.FieldStore.read = clock.wrap(_fields.FieldStore.read)  # type: ignore[method-assign]
    module: Any = _plan
    module.bound = lambda *given: clock.wrap(bound(*given))
    loader: Any = dataloader._BaseDataLoaderIter
    loader.__next__ = clock.wrap(loader.__next__)
    return clock


def cpu_seconds() -> float:
    """Of this process and its living children."""
    total, tick = time.process_time(), os.sysconf("SC_CLK_TCK")
    for listed in Path("/proc/self/task").glob("*/children"):
        for child in listed.read_text().split():
            words = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()
            total += (int(words[11]) + int(words[12])) / tick
    return total


def measure_here(task: str, net: str, loaders: int) -> dict[str, float] | None:
    """One training in this process; seconds per step, None where this code has no loaders."""
    import torch

    from cellwise.domain.steps import Job
    from cellwise.stages.train.step import work

    more: dict[str, Any] = {"loaders": loaders} if loaders else {}
    if loaders and "loaders" not in {one.name for one in fields(Job)}:
        return None
    crops = task == "crops"
    torch.set_num_threads(1)
    clock = watch_data()
    marks: list[tuple[float, float, float]] = []
    with tempfile.TemporaryDirectory() as folder:
        # A step of the large network on crops is long: three of them are enough.
        run = make_run(Path(folder), SITES // 2 if crops and net != "tiny" else SITES)
        spec = "cell" if crops else {"name": "image", "size": LEARNED_AT}
        options = {
            "task": spec, "labels": "label" if crops else "", "net": NETS[net], "epochs": 2,
            "batch": BATCHES[task], "threads": 1, "augment": ["dihedral", "affine", "gain"],
        }  # fmt: skip
        job = Job(run.path, run.path.parent / "images", "model", options, "k", 1, **more)

        def report(done: int, total: int, note: str) -> None:
            marks.append((cpu_seconds(), time.perf_counter(), clock.spent))

        work(job, report)
    steps = len(marks) // 2
    (cpu, wall, waited), (cpu_end, wall_end, waited_end) = marks[steps - 1], marks[-1]
    return {
        "cpu_s": (cpu_end - cpu) / steps,
        "wall_s": (wall_end - wall) / steps,
        "waiting": (waited_end - waited) / (wall_end - wall),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def measure_there(source: Path, case: tuple[str, str, int]) -> dict[str, float] | None:
    """The same in a fresh process that imports cellwise from `source`."""
    words = [sys.executable, __file__, "--once", *map(str, case)]
    surroundings = {**os.environ, "PYTHONPATH": str(source), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(words, env=surroundings, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{source}, {case}: {done.stderr[-2000:]}")
    found: dict[str, float] | None = json.loads(done.stdout.splitlines()[-1])
    return found


def compare(case: tuple[str, str, int], sources: dict[str, Path], repeats: int) -> list[Timing]:
    """Every source in turns, so often; one line each."""
    found: dict[str, list[dict[str, float]]] = {who: [] for who in sources}
    for _ in range(repeats):
        for who, source in sources.items():
            one = measure_there(source, case)
            if one is not None:
                found[who].append(one)
    middle = {
        who: {word: statistics.median(one[word] for one in runs) for word in runs[0]}
        for who, runs in found.items()
        if runs
    }
    task, net, loaders = case
    lines = []
    for who, seen in middle.items():
        every = [one["cpu_s"] for one in found[who]]
        ratio = seen["cpu_s"] / middle["cellwise"]["cpu_s"] if "cellwise" in middle else 1.0
        line = Timing(
            f"{task}, {net}, loaders {loaders}", who, seen["cpu_s"], seen["wall_s"],
            seen["peak_mb"], ratio, 1 / seen["wall_s"], seen["waiting"], min(every), max(every),
        )  # fmt: skip
        lines.append(line)
    return lines


def main() -> None:
    """Measure and print one line for each case and source."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--once", nargs=3, help=argparse.SUPPRESS)
    parser.add_argument("--beside", type=Path)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument(
        "--only", nargs="+", default=[""], help="cases whose name holds one of these"
    )
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    if asked.once:
        task, net, loaders = asked.once
        print(json.dumps(measure_here(task, net, int(loaders))))
        return
    sources = {"cellwise": Path(__file__).resolve().parents[1] / "src"}
    if asked.beside:
        sources["beside"] = asked.beside.resolve()
    print(f"{platform.machine()}, {os.cpu_count()} processors, torch {version('torch')}")
    print("| case | who | CPU ms a step | steps/s | waiting | CPU, ratio to ours |")
    print("| --- | --- | --- | --- | --- | --- |")
    lines = []
    for case in CASES:
        name = f"{case[0]}, {case[1]}, loaders {case[2]}"
        if not any(word in name for word in asked.only):
            continue
        for line in compare(case, sources, asked.repeats):
            lines.append(line)
            cpu = [1e3 * value for value in (line.cpu_s, line.least_cpu_s, line.most_cpu_s)]
            print(
                f"| {line.case} | {line.who} | {cpu[0]:.0f} ({cpu[1]:.0f} to {cpu[2]:.0f}) | "
                f"{line.steps_per_s:.2f} | {line.waiting:.1%} | {line.ratio_to_ours:.2f} |",
                flush=True,
            )
    if asked.json:
        asked.json.write_text(json.dumps([asdict(one) for one in lines], indent=1), "utf-8")


if __name__ == "__main__":
    main()
