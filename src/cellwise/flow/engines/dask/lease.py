"""What coordinator and workers agree on, and what a worker has to be before it takes a batch.

This is carried out on workers too: nothing here imports `distributed` before it is called there.
"""

import os
import shutil
import socket
import sys
import tempfile
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cellwise import __version__
from cellwise.store.processor import keep_to_one_thread, take_one_core, wait_passively

# Below this a worker cannot even keep compiled code.
LEAST_FREE = 100_000_000
# A network disk tells of new names within 60 seconds, see `acdirmax` in nfs(5).
PATIENCE = 75.0
_AGAIN = 0.5
# Folders of a run with files for each site; the others hold tables, which later steps replace.
_OF_SITES = {"masks", "crops", "work", "done"}


class Unfit(Exception):
    """This worker cannot do the work; another may.

    Args:
        worker: Its address.
        host: Its host.
        reason: What is wrong, in words that follow the name of the host.
    """

    def __init__(self, worker: str, host: str, reason: str) -> None:
        super().__init__(worker, host, reason)
        self.worker, self.host, self.reason = worker, host, reason

    def __str__(self) -> str:
        return f"The worker on {self.host} ({self.worker}) {self.reason}."


class Withdrawn(Exception):
    """The coordinator has ended or given its run folder up: what this worker does is of no use."""


@dataclass(frozen=True, slots=True)
class Lease:
    """What a worker may do, for whom, and what it needs for that.

    Args:
        session: A random word: the coordinator's, from its start to its end.
        run: The run folder; None where the work needs no folder.
        folders: Folders that are read.
        place: The working folder of the coordinator, which relative paths start from.
        step: Counts the steps of a session: tables may have been replaced between two.
        gpu: Whether the work uses a GPU.
        patience: Seconds to wait for a file that was said to be there.
        cellwise: The version of the coordinator.
        python: Major and minor version of the coordinator's Python.
        free: Bytes that have to be free in the worker's temporary folder.
    """

    session: str
    run: Path | None = None
    folders: tuple[Path, ...] = ()
    place: Path | None = None
    step: int = 0
    gpu: bool = False
    patience: float = PATIENCE
    cellwise: str = __version__
    python: str = f"{sys.version_info.major}.{sys.version_info.minor}"
    free: int = LEAST_FREE

    @property
    def token(self) -> Path | None:
        """The file that is there for as long as the coordinator holds the run folder."""
        return None if self.run is None else self.run / "work" / f".{self.session}.partial"

    def is_held(self) -> bool:
        """Whether the coordinator still holds it; opened, since a network disk then looks anew."""
        if self.token is None:
            return True
        try:
            return self.token.read_text(encoding="utf-8") == self.session
        except OSError:
            return False


# In a worker: sessions that it is fit for, with and without a GPU, and the step it last heard of.
_fit: set[tuple[str, bool]] = set()
_step: dict[str, int] = {}


def become_fit(lease: Lease) -> None:
    """See to it that this worker can do the work; looks once for each session.

    Raises:
        Unfit: It cannot; says why.
    """
    if (lease.session, lease.gpu) not in _fit:
        fault = fault_here(lease)
        until = time.monotonic() + lease.patience
        while fault and _may_come(lease) and time.monotonic() < until:
            time.sleep(_AGAIN)
            fault = fault_here(lease)
        if fault:
            raise Unfit(worker_address(), socket.gethostname(), fault)
        _fit.add((lease.session, lease.gpu))
    if lease.run is not None and _step.get(lease.session) != lease.step:
        _look_anew(lease.run)
        _step[lease.session] = lease.step


def fault_here(lease: Lease) -> str:
    """What keeps this worker from the work, in words that follow its name; empty for nothing."""
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    if python != lease.python:
        return f"has Python {python}, the coordinator {lease.python}"
    if __version__ != lease.cellwise:
        return f"has cellwise {__version__}, the coordinator {lease.cellwise}"
    if fault := _threads_fault():
        return fault
    _limit_threads()
    if fault := _folder_fault(lease):
        return fault
    return _space_fault(lease) or (_gpu_fault() if lease.gpu else "")


def worker_address() -> str:
    """The address of the worker that this is carried out on; empty elsewhere."""
    from distributed import get_worker

    try:
        return str(get_worker().address)
    except ValueError:
        return ""


def _may_come(lease: Lease) -> bool:
    """Whether a fault may be a file that is not seen yet."""
    return lease.token is not None and not lease.is_held()


def _threads_fault() -> str:
    from distributed import get_worker

    try:
        threads = int(get_worker().state.nthreads)
    except ValueError:
        return ""
    if threads == 1:
        return ""
    return (
        f"takes {threads} batches at a time in one process; start it with "
        "`dask worker --nthreads 1 --nworkers N`"
    )


def _limit_threads() -> None:
    """As workers of the local engine: one thread each, before anything with threads is imported."""
    wait_passively()
    keep_to_one_thread()
    take_one_core()
    import cv2
    from threadpoolctl import threadpool_limits

    cv2.setNumThreads(1)
    threadpool_limits(1)


def _folder_fault(lease: Lease) -> str:
    if lease.run is None or lease.token is None:
        return ""
    if lease.place is not None:
        try:
            os.chdir(lease.place)
        except OSError:
            return f"does not see the working folder {lease.place}: it has to lie on a shared disk"
    if not lease.is_held():
        return f"does not see the run folder {lease.run}: it has to lie on a shared disk"
    for folder in lease.folders:
        try:
            with os.scandir(folder) as entries:
                next(entries, None)
        except OSError as error:
            return f"does not see the folder {folder} ({error.strerror})"
    trial = lease.token.with_name(f".{uuid.uuid4().hex}.partial")
    try:
        trial.write_bytes(b"")
        trial.unlink()
    except OSError as error:
        return f"cannot write in the run folder {lease.run} ({error.strerror})"
    return ""


def _space_fault(lease: Lease) -> str:
    folder = tempfile.gettempdir()
    free = shutil.disk_usage(folder).free
    if free >= lease.free:
        return ""
    return (
        f"has {free / 1e6:.0f} MB free in its temporary folder {folder} and needs "
        f"{lease.free / 1e6:.0f} MB"
    )


def _gpu_fault() -> str:
    from cellwise.parts.devices import has_gpu

    return "" if has_gpu() else "has the resource GPU, but torch sees no GPU there"


def _look_anew(run: Path) -> None:
    """Open the tables of the run: a network disk asks for the newest of a file that is opened.

    Else a table that the coordinator replaced a moment ago may be read as it was before. Source:
    close-to-open consistency in nfs(5).
    """
    for base, folders, files in os.walk(run):
        folders[:] = [name for name in folders if name not in _OF_SITES]
        for name in files:
            with suppress(OSError), (Path(base) / name).open("rb"):
                pass
