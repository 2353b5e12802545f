"""What a worker does with one batch, and what it hands back."""

import pickle
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cellwise.domain.steps import SiteRecord
from cellwise.flow.engines import listen, listen_no_more
from cellwise.flow.engines.dask.lease import Lease, Unfit, Withdrawn, become_fit, worker_address
from cellwise.parts.devices import gpu_fault
from cellwise.store.atomic import watched_by

_AGAIN = 1.0


@dataclass(frozen=True, slots=True)
class Answer:
    """The results of a batch.

    Args:
        results: One for each unit.
        files: The files that were written, with their sizes in bytes.
        host: Where.
    """

    results: list[Any]
    files: tuple[tuple[Path, int], ...]
    host: str


class Written:
    """Notes what is written under a lease, and lets nothing be written when it has ended.

    A worker that was cut off may go on for a while beside the one that has its batch now, or after
    the run was started again with other settings.
    """

    def __init__(self, lease: Lease) -> None:
        self._lease = lease
        self._paths: dict[Path, None] = {}

    def before(self, path: Path) -> None:
        """Refuse where the coordinator has ended.

        Raises:
            Withdrawn: It has.
        """
        if not self._lease.is_held():
            raise Withdrawn(f"{path} is not written: the coordinator has ended")

    def after(self, path: Path) -> None:
        """Note the file."""
        self._paths[path] = None

    def files(self) -> tuple[tuple[Path, int], ...]:
        """The files of the run folder that are still there."""
        run = self._lease.run
        there = [p.absolute() for p in self._paths if p.is_file()] if run is not None else []
        return tuple((p, p.stat().st_size) for p in there if run in p.parents)


def work_there(payload: bytes, lease: Lease) -> bytes:
    """Work on one batch in this worker.

    Args:
        payload: The pickled function, units and what they share.
        lease: What was agreed on.

    Returns:
        A pickled `Answer`.

    Raises:
        Unfit: This worker cannot do it.
    """
    become_fit(lease)
    work, units, context = pickle.loads(payload)
    written = Written(lease)
    listen(_speaker(lease))
    try:
        with watched_by(written):
            results = _patiently(work, units, context, lease)
    except Exception as error:
        fault = gpu_fault(error) if lease.gpu else ""
        if fault:
            raise Unfit(worker_address(), socket.gethostname(), fault) from error
        raise
    finally:
        listen_no_more()
    return pickle.dumps(Answer(results, written.files(), socket.gethostname()))


def _speaker(lease: Lease) -> Callable[[Any], None]:
    from distributed import get_worker

    worker = get_worker()

    def say(message: Any) -> None:
        worker.log_event(lease.session, pickle.dumps(message))

    return say


def _patiently(
    work: Callable[[list[Any], Any], list[Any]], units: list[Any], context: Any, lease: Lease
) -> list[Any]:
    """Do it again for a while where a file of the run folder is not there: it may come late."""
    until = time.monotonic() + lease.patience
    while True:
        try:
            results = work(units, context)
        except FileNotFoundError as error:
            if not _may_be_late(error, lease) or time.monotonic() > until:
                raise
        else:
            late = any(_may_be_late(cause, lease) for cause in _causes(results))
            if not late or time.monotonic() > until:
                return results
        time.sleep(min(_AGAIN, lease.patience))


def _causes(results: list[Any]) -> list[BaseException]:
    """What made records of sites say that something is wrong."""
    records = [r for one in results for r in (one if isinstance(one, tuple) else (one,))]
    errors = [record.error for record in records if isinstance(record, SiteRecord)]
    return [error.__cause__ for error in errors if error is not None and error.__cause__]


def _may_be_late(error: BaseException, lease: Lease) -> bool:
    if lease.run is None or not isinstance(error, FileNotFoundError) or error.filename is None:
        return False
    return lease.run in Path(error.filename).absolute().parents
