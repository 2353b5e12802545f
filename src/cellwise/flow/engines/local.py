"""The local engine: batches of sites over worker processes, one thread each.

Results come back in the order of the batches, whatever the number of workers. A worker that dies
(out of memory, a crash in a codec) costs the site it held and nothing else.
"""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Self

from cellwise.domain.steps import Job, SiteRecord
from cellwise.errors import InputError, PreflightError

Work = Callable[[list[str], Job], list[SiteRecord]]
Batch = tuple[list[str], Job]
_NO_JOB = Job(Path(), Path(), "", {}, "", 0)


class Workers:
    """Worker processes, started when they are first needed and kept from step to step.

    They hold one end of a pipe whose other end only this process has: when it closes, also by
    `kill -9`, they end at once. Files appear whole or not at all, so that costs nothing.

    Args:
        count: Processes; 1 works in this process.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self._pool: ProcessPoolExecutor | None = None
        self._leash: Connection | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def map(self, work: Work, batches: list[Batch]) -> Iterator[list[SiteRecord]]:
        """Run `work` on each batch and yield its records, in order.

        Args:
            work: A step's `work`, importable by name.
            batches: Site ids and the job for them.
        """
        position = 0
        while position < len(batches):
            try:
                for records in self._stream(work, batches[position:]):
                    yield records
                    position += 1
            except (BrokenProcessPool, MemoryError):
                self.stop()
                _check_that_workers_start()
                yield _find_the_killer(work, batches[position])
                position += 1

    def stop(self) -> None:
        """End the processes, whatever they are doing; they start again when needed."""
        pool, leash, self._pool, self._leash = self._pool, self._leash, None, None
        if leash is not None:
            leash.close()
        if pool is not None:
            pool.shutdown(wait=True, cancel_futures=True)

    def submit(self, work: Work, batch: Batch) -> "Future[list[SiteRecord]]":
        """Hand one batch to a worker process."""
        if self._pool is None:
            context = multiprocessing.get_context("spawn")
            held, self._leash = context.Pipe(duplex=False)
            # Spawn, never fork: threads of torch and numba do not survive a fork.
            self._pool = ProcessPoolExecutor(
                self.count, mp_context=context, initializer=_prepare, initargs=(held,)
            )
        with _undisturbed():
            return self._pool.submit(work, *batch)

    def _stream(self, work: Work, batches: list[Batch]) -> Iterator[list[SiteRecord]]:
        if self.count <= 1 or (len(batches) <= 1 and self._pool is None):
            for site_ids, job in batches:
                yield work(site_ids, job)
            return
        waiting: deque[Future[list[SiteRecord]]] = deque()
        for batch in batches:
            waiting.append(self.submit(work, batch))
            # A short queue keeps memory flat and makes an interrupt quick.
            if len(waiting) > 2 * self.count:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _check_that_workers_start() -> None:
    """Refuse to go on where even an empty batch fails: no site is to blame for that.

    Raises:
        PreflightError: Worker processes cannot work here.
    """
    try:
        with Workers(1) as single:
            single.submit(_nothing, ([], _NO_JOB)).result()
    except BrokenProcessPool as error:
        raise PreflightError(
            "Worker processes cannot start here. In a script put the call below "
            "`if __name__ == '__main__':`; else give one worker (--workers 1)."
        ) from error


def _nothing(site_ids: list[str], job: Job) -> list[SiteRecord]:
    return []


def _find_the_killer(work: Work, batch: Batch) -> list[SiteRecord]:
    """A batch whose worker died: each site in a process of its own, to find the one that kills."""
    site_ids, job = batch
    try:
        with Workers(1) as single:
            return single.submit(work, batch).result()
    except (BrokenProcessPool, MemoryError):
        if len(site_ids) > 1:
            return [record for site in site_ids for record in _find_the_killer(work, ([site], job))]
        error = InputError(
            "The worker process died on this site (most often: out of memory).",
            code="worker_died",
            remedy="Give fewer --workers or more memory, then run again.",
            path=site_ids[0],
        )
        return [SiteRecord(site_ids[0], error=error)]


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Workers start with SIGINT blocked: what an interrupt means is the coordinator's business.

    Without it a Ctrl-C while they start prints one traceback per worker.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    # It unblocks SIGINT when it starts, so it has to run before.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _prepare(leash: Connection) -> None:
    import cv2
    from threadpoolctl import threadpool_limits

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(leash,), daemon=True).start()
    cv2.setNumThreads(1)
    threadpool_limits(1)


def _end_with(leash: Connection) -> None:
    # Nothing is ever sent: this returns when the other end is gone.
    with suppress(EOFError, OSError):
        leash.recv_bytes()
    os._exit(1)
