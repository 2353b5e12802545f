"""Storms: a run is given again and again while faults of many kinds hit it, until it is done.

    python -m tests.scale.storms [--faults 200] [--seed 1] [--engine local|dask] [--json FILE]

Faults are drawn from the seed: workers are killed, or stopped for a moment; the coordinator gets
SIGTERM or is killed; the disk of the run is filled, or takes no writes for a moment; renames take
long; what dead processes left under temporary names is cut to a half. Where the coordinator ends
early, the same command is given again. A run that ends by itself must have left the bytes of an
undisturbed run and nothing under a temporary name; then the next run begins, until there were as
many faults as asked for.

Linux, as root: the run lies on a small disk in memory, which is what can be filled and closed.
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.faults.fault_runs import environment, left_on_disk, partial_files, words
from tests.faults.test_killed import alive, children_of
from tests.worlds import labels, plate

SLOW = Path(__file__).resolve().parent / "slow_renames"
RECIPE = """\
format: 1
steps:
  - read:
  - segment: watershed
  - cells: {size: 24}
  - embed: {as: measured, by: measured}
  - split: {folds: 2}
  - label: {as: cell}
  - train: {as: cell, task: vectors, embeddings: measured, labels: cell,
            learner: kernel_ridge}
  - score: {as: cell, model: cell, by: vector_learner, embeddings: measured}
  - decide: {from: [cell]}
"""
SITES, DISK = 16, "60m"
# One call of the command, and all that it takes to end a run, in seconds.
LONGEST, RUN_LONGEST = 240.0, 1200.0
# Faults while a run would take that is not disturbed, on average, and seconds that one lasts.
OFTEN, LAST = 6.0, (0.2, 1.5)
# Ends that the same command continues from: interrupted, refused before work, killed, and told to
# end before the program listened.
GOES_ON = (5, 4, -signal.SIGKILL, -signal.SIGTERM)


@dataclass(slots=True)
class Storm:
    """What hit the runs, and what came of them."""

    seed: int
    engine: str
    undisturbed_s: float = 0.0
    storm_s: float = 0.0
    runs: int = 0
    calls: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    ends: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    @property
    def told(self) -> dict[str, Any]:
        """The storm as numbers."""
        hit = sum(self.faults.values())
        lost = self.storm_s - self.runs * self.undisturbed_s
        return {
            "seed": self.seed,
            "engine": self.engine,
            "faults": hit,
            "of_each_kind": dict(sorted(self.faults.items())),
            "runs": self.runs,
            "calls": self.calls,
            "ends": dict(sorted(self.ends.items())),
            "undisturbed_s": round(self.undisturbed_s, 1),
            "storm_s": round(self.storm_s, 1),
            "lost_s_per_fault": round(lost / hit, 2) if hit else None,
            "wrong": self.wrong,
        }


@contextmanager
def disk(place: Path) -> Iterator[Path]:
    """A disk of its own, in memory.

    Raises:
        PermissionError: Mounting is not allowed here.
    """
    place.mkdir()
    call = ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(place)]
    done = subprocess.run(call, capture_output=True, text=True, check=False)
    if done.returncode:
        raise PermissionError(f"mounting is not allowed here: {done.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


class Faults:
    """What may go wrong with the run of one process, each kind a method: whether it hit."""

    def __init__(self, draw: random.Random, process: "subprocess.Popen[bytes]", out: Path) -> None:
        self.draw = draw
        self.process = process
        self.out = out

    def kinds(self) -> dict[str, Callable[[], bool]]:
        """All kinds by name."""
        return {
            "worker killed": lambda: self._to_worker(signal.SIGKILL),
            "worker stopped": self.worker_stopped,
            "coordinator interrupted": lambda: self._to_coordinator(signal.SIGTERM),
            "coordinator killed": lambda: self._to_coordinator(signal.SIGKILL),
            "disk full": self.disk_full,
            "disk closed": self.disk_closed,
            "renames slow": self.renames_slow,
        }

    def last(self) -> None:
        """Wait as long as a fault lasts."""
        time.sleep(self.draw.uniform(*LAST))

    def _worker(self) -> int | None:
        below = [pid for pid in children_of(self.process.pid) if alive(pid) and works(pid)]
        return self.draw.choice(below) if below else None

    def _to_worker(self, number: int) -> bool:
        worker = self._worker()
        try:
            if worker is not None:
                os.kill(worker, number)
        except ProcessLookupError:
            return False
        return worker is not None

    def worker_stopped(self) -> bool:
        """One process below the coordinator stands still for a moment."""
        worker = self._worker()
        try:
            if worker is None:
                return False
            os.kill(worker, signal.SIGSTOP)
            self.last()
            os.kill(worker, signal.SIGCONT)
        except ProcessLookupError:
            return False
        return True

    def _to_coordinator(self, number: int) -> bool:
        if self.process.poll() is not None:
            return False
        self.process.send_signal(number)
        return True

    def disk_full(self) -> bool:
        """Something else takes all the room on the disk for a moment."""
        filler = self.out.parent / "filler"
        try:
            with filler.open("wb") as stream:
                try:
                    while True:
                        stream.write(bytes(1 << 20))
                        stream.flush()
                except OSError:
                    self.last()
        except OSError:
            self.last()
        finally:
            filler.unlink(missing_ok=True)
        return True

    def disk_closed(self) -> bool:
        """The disk takes no writes for a moment; where a file is open for writing it cannot be."""
        call = ["mount", "-o", "remount,ro", str(self.out.parent)]
        end = time.monotonic() + 2.0
        while subprocess.run(call, capture_output=True, check=False).returncode:
            if time.monotonic() > end:
                return False
            time.sleep(0.01)
        try:
            self.last()
        finally:
            subprocess.run(["mount", "-o", "remount,rw", str(self.out.parent)], check=True)
        return True

    def renames_slow(self) -> bool:
        """Renames take up to 0.4 s, for some seconds."""
        flag = self.out.parents[1] / "slow"
        flag.touch()
        try:
            time.sleep(3 * self.draw.uniform(*LAST))
        finally:
            flag.unlink()
        return True


def works(pid: int) -> bool:
    """Whether this process does work: Python's tracker of locks does none."""
    try:
        return b"resource_tracker" not in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def cut_leftovers(out: Path) -> int:
    """Cut what dead processes left under temporary names to a half; how many files that were."""
    found = [path for path in partial_files(out) if path.is_file()]
    for path in found:
        os.truncate(path, path.stat().st_size // 2)
    return len(found)


def weather(storm: Storm, draw: random.Random, most: int, faults: Faults) -> None:
    """Faults until the process ends, or there were enough."""
    kinds, often = faults.kinds(), OFTEN / max(storm.undisturbed_s, OFTEN)
    while faults.process.poll() is None and sum(storm.faults.values()) < most:
        try:
            faults.process.wait(draw.expovariate(often))
        except subprocess.TimeoutExpired:
            name = draw.choice(sorted(kinds))
            storm.faults[name] += kinds[name]()


def one_run(storm: Storm, draw: random.Random, most: int, command: list[str], out: Path) -> None:
    """Give the command until it is done.

    Raises:
        TimeoutError: It did not end, or not in as many calls as it may take.
    """
    begun, log = time.monotonic(), out.parents[1] / "log"
    around = {
        **environment(),
        "PYTHONPATH": f"{SLOW}{os.pathsep}{environment()['PYTHONPATH']}",
        "CELLWISE_SLOW_RENAMES": str(out.parents[1] / "slow"),
    }
    while time.monotonic() - begun < RUN_LONGEST:
        storm.calls += 1
        with log.open("wb") as sink:
            process = subprocess.Popen(command, env=around, stdout=sink, stderr=sink)
            try:
                weather(storm, draw, most, Faults(draw, process, out))
                code = process.wait(LONGEST)
            except subprocess.TimeoutExpired as error:
                said = log.read_text(encoding="utf-8", errors="replace")[-2000:]
                raise TimeoutError(f"no end within {LONGEST:.0f} s: {said}") from error
            finally:
                if process.poll() is None:
                    process.kill()
                    process.wait()
        storm.ends[str(code)] += 1
        hit = sum(storm.faults.values())
        print(
            f"run {storm.runs + 1}: exit {code}, {hit} faults so far", file=sys.stderr, flush=True
        )
        said = log.read_text(encoding="utf-8", errors="replace")
        if "Traceback" in said or code not in (0, *GOES_ON):
            storm.wrong.append(f"exit {code}: {said[-1500:]}")
        if code not in GOES_ON:
            return
        if sum(storm.faults.values()) < most:
            storm.faults["leftovers cut"] += bool(cut_leftovers(out))
    raise TimeoutError(f"not done within {RUN_LONGEST:.0f} s")


def storm(home: Path, *, faults: int, seed: int, engine: str = "local") -> Storm:
    """Runs under faults until there were so many.

    Args:
        home: A folder to work in.
        faults: How many faults at least.
        seed: Which faults, and when; how far the run is then differs from machine to machine.
        engine: `local` or `dask`, each with two workers.

    Raises:
        PermissionError: No disk can be mounted here.
        TimeoutError: A command did not end.
    """
    draw, found = random.Random(seed), Storm(seed, engine)
    images, named = plate(home / "images", SITES), labels(home / "labels.csv", SITES)
    recipe = home / "recipe.yaml"
    recipe.write_text(RECIPE, encoding="utf-8")
    more = ("--labels", named, "--engine", engine)

    def asked(out: Path) -> list[str]:
        return words(images, out, *more, recipe=recipe, workers=2)

    begun = time.monotonic()
    still = home / "still.run"
    done = subprocess.run(asked(still), env=environment(), capture_output=True, check=False)
    found.undisturbed_s = time.monotonic() - begun
    if done.returncode:
        raise SystemExit(f"the undisturbed run ended with {done.returncode}")
    expected = left_on_disk(still)
    with disk(home / "disk") as place:
        begun = time.monotonic()
        while sum(found.faults.values()) < faults:
            out = place / f"{found.runs}.run"
            one_run(found, draw, faults, asked(out), out)
            found.runs += 1
            left = left_on_disk(out)
            found.wrong += [
                f"run {found.runs}: {name} differs"
                for name in sorted({*expected, *left})
                if expected.get(name) != left.get(name)
            ]
            found.wrong += [f"run {found.runs}: {path} is left" for path in partial_files(out)]
            shutil.rmtree(out)
        found.storm_s = time.monotonic() - begun
    return found


def main() -> None:
    """A storm of the nightly kind; exit 1 where anything was lost or wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--faults", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--engine", choices=("local", "dask"), default="local")
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    # So that the disk is taken away again, and no process stays.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with TemporaryDirectory(prefix="storm-") as folder:
        told = storm(Path(folder), faults=asked.faults, seed=asked.seed, engine=asked.engine).told
    print(json.dumps(told, indent=1))
    if asked.json:
        asked.json.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    sys.exit(1 if told["wrong"] else 0)


if __name__ == "__main__":
    main()
