"""What this machine grants the process: cores, how busy they are, and how many threads fit.

Threads of OpenMP spin while they wait for each other. Where another process has the core that one
of them needs, the others spin for as long as it is away, and a training of two threads takes twenty
times as long as one of a single thread; told to wait passively they sleep. The runtimes read that
from the environment when they start, so it is said before torch is imported. Source: OpenMP 5.2,
21.9 (`OMP_WAIT_POLICY`), which libgomp of torch's own packages keeps, and `KMP_BLOCKTIME` of the
runtime of LLVM and Intel, which other builds bring.
"""

import os
from collections.abc import MutableMapping
from dataclasses import dataclass
from pathlib import Path

# Networks as small as ours gain little from more.
MOST_THREADS = 2
_THREADS = "OMP_NUM_THREADS"
_PASSIVE = {"OMP_WAIT_POLICY": "PASSIVE", "KMP_BLOCKTIME": "0"}
# Who says one of these has an opinion on how threads wait.
_OPINIONS = (*_PASSIVE, "GOMP_SPINCOUNT")
# Thread pools of the libraries that a worker may import: OpenMP and Arrow, BLAS, polars, numba.
POOLS = (
    _THREADS,
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "POLARS_MAX_THREADS",
    "NUMBA_NUM_THREADS",
)
_QUOTA = Path("/sys/fs/cgroup/cpu.max")
_OLD_QUOTA = Path("/sys/fs/cgroup/cpu")
# 0 for all that the machine grants.
_own_cores = 0


@dataclass(frozen=True, slots=True)
class Processor:
    """What was found when it was asked for.

    Args:
        cores: That this process may use.
        load: Cores of the whole machine in use over the last minute; None where it is not told.
        threads: For a training of a small network.
        why: What decided on `threads`, a few words.
    """

    cores: int
    load: float | None
    threads: int
    why: str


def wait_passively(surroundings: MutableMapping[str, str] = os.environ) -> None:
    """Let threads sleep while they wait; to be called before torch or numba is imported.

    Nothing changes where the user has said how they wait. It is for processes of our own: the
    command, and workers. A program that imports cellwise keeps its surroundings.
    """
    if not any(name in surroundings for name in _OPINIONS):
        surroundings.update(_PASSIVE)


def keep_to_one_thread(surroundings: MutableMapping[str, str] = os.environ) -> None:
    """Let libraries that are imported from now on use one thread each, where the user says nothing.

    For workers, of which there is one for each core; work that asks for more threads says so.
    """
    for name in POOLS:
        surroundings.setdefault(name, "1")


def take_one_core() -> None:
    """From now on this process counts one core as its own: it shares the machine with others."""
    global _own_cores
    _own_cores = 1


def count_cores() -> int:
    """Cores that this process may use: those it is bound to, within what a container grants."""
    if _own_cores:
        return _own_cores
    bound = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    granted = _granted()
    return max(1, min(bound or 1, int(granted) if granted else bound or 1))


def look_at_processor(most: int = MOST_THREADS) -> Processor:
    """Cores, load and threads as they are now.

    Args:
        most: More threads are of no use.

    `threads` are as many as cores are free, at least 1; where `OMP_NUM_THREADS` is set, as many as
    it says, but no more than `most`.
    """
    cores, load = count_cores(), _load()
    said = _said_threads()
    if said:
        return Processor(cores, load, max(1, min(said, most)), f"{_THREADS}={said}")
    if load is None:
        return Processor(cores, load, max(1, min(cores, most)), f"{_counted(cores)}, load unknown")
    # The load is that of the whole machine, of which these cores may be a part.
    free = cores * (1 - load / max(os.cpu_count() or 1, cores))
    threads = max(1, min(round(free), most, cores))
    return Processor(cores, load, threads, f"{_counted(cores)}, load {load:.1f}")


def _counted(cores: int) -> str:
    return "1 core" if cores == 1 else f"{cores} cores"


def _load() -> float | None:
    try:
        return os.getloadavg()[0]
    except (AttributeError, OSError):
        return None


def _said_threads() -> int:
    """What `OMP_NUM_THREADS` says of the outermost level; 0 for nothing."""
    first = os.environ.get(_THREADS, "").split(",")[0].strip()
    return int(first) if first.isdecimal() else 0


def _granted() -> float | None:
    """Cores that a container's quota amounts to; None without one. cgroup 2, then 1."""
    try:
        quota, period = _QUOTA.read_text().split()[:2]
    except (OSError, ValueError):
        try:
            quota, period = (
                (_OLD_QUOTA / f"cpu.cfs_{name}_us").read_text().strip()
                for name in ("quota", "period")
            )
        except OSError:
            return None
    try:
        share = int(quota) / int(period)
    except (ValueError, ZeroDivisionError):
        return None
    return share if share > 0 else None
