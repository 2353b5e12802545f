"""Seconds and memory of each step of a run, kept beside the run folder for the next time.

A run that is resumed does not do its finished steps again; what they cost stands in this file.
Memory is the largest resident size of the process while the step was under way, libraries included.
"""

import json
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_EVERY = 0.1
# What `Tell` says of a step that was done by an earlier call.
REUSED = -1.0
# (step, share of it in 0..1 or REUSED)
Tell = Callable[[str, float], None]


@dataclass(frozen=True, slots=True)
class Cost:
    """What a step took: seconds, and the largest resident size in MB."""

    seconds: float
    peak_mb: float


class Meter:
    """A listener that measures every step it is told of.

    Args:
        path: The file of costs, one line of JSON for each step done.
        tell: Called with the step under way and how far it is.
    """

    def __init__(self, path: Path, tell: Tell) -> None:
        self._path = path
        self._tell = tell
        self._name = ""
        self._peak = 0.0
        self._done = threading.Event()

    def step_started(self, name: str, *, total: int, unit: str, why: str) -> None:
        """Begin to measure."""
        self._name, self._peak, self._done = name, resident_mb(), threading.Event()
        threading.Thread(target=self._watch, args=(self._done,), daemon=True).start()
        self._tell(name, 0.0)

    def step_advanced(self, done: int, *, total: int, note: str) -> None:
        """Say how far the step is."""
        self._tell(self._name, done / total if total else 0.0)

    def step_finished(self, name: str, *, seconds: float, counts: dict[str, Any]) -> None:
        """Write down what the step took."""
        self._done.set()
        peak = max(self._peak, resident_mb())
        line = json.dumps({"step": name, "seconds": round(seconds, 3), "peak_mb": round(peak)})
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a", encoding="utf-8") as handle:
            handle.write(line + "\n")
        self._tell(name, 1.0)

    def step_reused(self, name: str, *, counts: dict[str, Any]) -> None:
        """Nothing to measure: the file knows."""
        self._tell(name, REUSED)

    def ended(self, status: str) -> None:
        """Stop measuring, also in the middle of a step."""
        self._done.set()

    def message(self, text: str) -> None:
        """Keep quiet."""

    def _watch(self, done: threading.Event) -> None:
        while not done.wait(_EVERY):
            self._peak = max(self._peak, resident_mb())


def read_costs(path: Path) -> dict[str, Cost]:
    """The last known cost of each step; a torn line is passed over."""
    found: dict[str, Cost] = {}
    if not path.is_file():
        return found
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            entry = json.loads(line)
            found[entry["step"]] = Cost(float(entry["seconds"]), float(entry["peak_mb"]))
        except (ValueError, KeyError, TypeError):
            continue
    return found


def resident_mb() -> float:
    """Memory of this process in MB; where the system only tells the largest so far, that one."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return _largest_so_far()
    return pages * _page() / 2**20


def _page() -> int:
    import resource

    return resource.getpagesize()


def _largest_so_far() -> float:
    try:
        import resource
    except ImportError:
        return 0.0
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
