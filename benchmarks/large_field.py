"""A large field through `segment-only`: CPU seconds, peak memory, and nuclei, step by step.

    python benchmarks/large_field.py [--side 6000] [--json FILE] [--real DATA] [--whole]

One field of two channels in 16 bit is made in a temporary folder: 600 px pieces of drawn nuclei, 14
pixels wide every 40, with bodies around them (22,500 at 6,000 px); with `--real` also one of the
pictures of BBBC039 in DATA, mirrored and side by side, and their blurred light as the second
channel. Each is worked on by the command, in a process of its own; compiled code is there before
the clock starts. `--whole` does the same once more without tiles and sample, in eight views
(`segment.large`), which takes minutes and gigabytes, for the ratio and the number of nuclei.
"""

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import tifffile
from PIL import Image

Pixels = npt.NDArray[Any]
PIECE, PITCH, RADIUS, TOP = 600, 40, 7.0, 4000
WAYS = {"cellwise": (), "without tiles": ("--set", "segment.large=1000000000000")}


@dataclass(frozen=True, slots=True)
class Timing:
    """One line: a field through the recipe; ratios are of CPU time."""

    case: str
    who: str
    cpu_s: float
    wall_s: float
    peak_mb: float
    ratio_to_ours: float
    nuclei: int
    steps: dict[str, float]


def drawn(side: int, seed: int = 5) -> list[Pixels]:
    """Nuclei and bodies, `[y, x]` each in 16 bit."""
    rng = np.random.default_rng(seed)
    pieces = [_piece(rng) for _ in range(4)]
    count = -(-side // PIECE)
    chosen = rng.integers(len(pieces), size=(count, count))
    return [
        np.block([[pieces[k][channel] for k in row] for row in chosen])[:side, :side]
        for channel in (0, 1)
    ]


def _piece(rng: np.random.Generator) -> list[Pixels]:
    y, x = np.mgrid[:PIECE, :PIECE].astype(np.float32)
    nuclei, bodies = np.full((2, PIECE, PIECE), 0.03, np.float32)
    for row in range(PITCH // 2, PIECE, PITCH):
        for column in range(PITCH // 2, PIECE, PITCH):
            near = np.s_[row - 20 : row + 20, column - 20 : column + 20]
            middle = np.array((row, column)) + rng.uniform(-4, 4, 2)
            depth = np.hypot(y[near] - middle[0], x[near] - middle[1])
            radius = RADIUS * rng.uniform(0.85, 1.15)
            inside = 1 / (1 + np.exp(2 * (depth - radius)))
            nuclei[near] += 0.5 * rng.uniform(0.8, 1.2) * inside
            wide = 1 / (1 + np.exp(1.2 * (depth - 2 * radius)))
            bodies[near] += 0.4 * rng.uniform(0.8, 1.2) * np.clip(wide - inside, 0, None)
    noisy = (plane + rng.normal(0, 0.008, plane.shape) for plane in (nuclei, bodies))
    return [np.rint(np.clip(plane, 0, 1) * TOP).astype(np.uint16) for plane in noisy]


def tiled(data: Path, side: int, seed: int = 5) -> list[Pixels]:
    """The pictures of BBBC039 side by side, and their blurred light."""
    rng = np.random.default_rng(seed)
    paths = sorted((data / "bbbc039_nuclei" / "images").iterdir())
    pictures = [
        tifffile.imread(path) if path.suffix == ".tif" else np.asarray(Image.open(path))
        for path in paths
    ]
    height, width = pictures[0].shape
    rows = [
        [
            pictures[rng.integers(len(pictures))][:: rng.choice([1, -1]), :: rng.choice([1, -1])]
            for _ in range(-(-side // width))
        ]
        for _ in range(-(-side // height))
    ]
    nuclei = np.block(rows)[:side, :side].astype(np.uint16)
    body = cv2.GaussianBlur(nuclei.astype(np.float32), (0, 0), 9) * 1.5
    body += rng.normal(0, 20, body.shape).astype(np.float32)
    return [nuclei, np.clip(body, 0, 65535).astype(np.uint16)]


def write(folder: Path, planes: list[Pixels]) -> None:
    """The field as a person would have it."""
    folder.mkdir()
    for name, plane in zip(("DNA", "GFP"), planes, strict=True):
        tifffile.imwrite(folder / f"A01_{name}.tif", plane, compression="zlib")


def measure_here(words: list[str]) -> None:
    """Be the command, and say what it took."""
    from cellwise.app.cli import main

    sys.argv = ["cellwise", *words]
    start, code = time.perf_counter(), 0
    try:
        main()
    except SystemExit as ending:
        code = int(ending.code or 0)
    used = resource.getrusage(resource.RUSAGE_SELF)
    spent = {
        "cpu_s": used.ru_utime + used.ru_stime,
        "wall_s": time.perf_counter() - start,
        "peak_mb": used.ru_maxrss / 1024,
        "code": code,
    }
    print("\n" + json.dumps(spent))


def measure_there(images: Path, out: Path, more: tuple[str, ...] = ()) -> dict[str, Any]:
    """The command in a fresh process; figures, nuclei, and the wall time of each step."""
    words = ["run", str(images), "--out", str(out), "--recipe", "segment-only", "--workers", "1"]
    call = [sys.executable, __file__, "--once", *words, *more]
    source = Path(__file__).resolve().parents[1] / "src"
    surroundings = {**os.environ, "PYTHONPATH": str(source), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(call, env=surroundings, capture_output=True, text=True, check=False)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1]) if done.stdout else {}
    if not found or found["code"]:
        raise SystemExit(f"{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    record = json.loads((out / "run.json").read_text())
    (path,) = (out / "masks").glob("*_nuclei.tif")
    found["nuclei"] = int(np.count_nonzero(np.unique(tifffile.imread(path))))
    found["steps"] = {step["name"]: round(step["seconds"], 1) for step in record["steps"]}
    return found


def compare(case: str, images: Path, *, whole: bool) -> list[Timing]:
    """One line, or two with `whole`."""
    seen = {
        who: measure_there(images, images.with_name(f"{images.name}-{number}"), more)
        for number, (who, more) in enumerate(WAYS.items())
        if whole or not more
    }
    ours = seen["cellwise"]["cpu_s"]
    return [
        Timing(
            case, who, one["cpu_s"], one["wall_s"], one["peak_mb"], one["cpu_s"] / ours,
            one["nuclei"], one["steps"],
        )
        for who, one in seen.items()
    ]  # fmt: skip


def main() -> None:
    """Measure and print one line for each field and way."""
    if sys.argv[1:2] == ["--once"]:
        measure_here(sys.argv[2:])
        return
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, default=6000)
    parser.add_argument("--real", type=Path)
    parser.add_argument("--whole", action="store_true")
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    print(f"{platform.machine()}, {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}")
    print("| case | who | CPU s | peak MB | nuclei | CPU, ratio to ours | wall s of each step |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    lines = []
    with tempfile.TemporaryDirectory() as folder:
        small = Path(folder) / "small"
        # As large as it must be for the same code to be compiled.
        write(small, drawn(2 * PIECE))
        measure_there(small, Path(folder) / "out", ("--set", "segment.large=1"))
        cases = {"drawn": drawn(asked.side)}
        if asked.real:
            cases["BBBC039, side by side"] = tiled(asked.real, asked.side)
        for number, (name, planes) in enumerate(cases.items()):
            images = Path(folder) / f"field{number}"
            write(images, planes)
            for line in compare(f"{name}, {asked.side} px", images, whole=asked.whole):
                lines.append(line)
                steps = ", ".join(f"{step} {seconds}" for step, seconds in line.steps.items())
                print(
                    f"| {line.case} | {line.who} | {line.cpu_s:.0f} | {line.peak_mb:.0f} | "
                    f"{line.nuclei:,} | {line.ratio_to_ours:.2f} | {steps} |",
                    flush=True,
                )
    if asked.json:
        asked.json.write_text(json.dumps([asdict(one) for one in lines], indent=1), "utf-8")


if __name__ == "__main__":
    main()
