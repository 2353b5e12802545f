"""The local engine: batches over worker processes of this machine.

Results come back in the order of the batches, whatever the number of workers.
"""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from itertools import chain
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from typing import Any, Self

from cellwise.domain.plain_words import counted
from cellwise.errors import PreflightError
from cellwise.flow.engines import Context, Heard, Needs, Result, Unit, listen, listen_no_more
from cellwise.store.processor import keep_to_one_thread, wait_passively

_LISTEN = 0.2


def build(workers: int = 1, *, single_threaded: bool = True) -> "LocalEngine":
    """Make the engine.

    Args:
        workers: Processes; 1 works in this process.
        single_threaded: Whether libraries of workers are held to one processor thread each, for
            work that does not say how many it takes.
    """
    return LocalEngine(workers, single_threaded=single_threaded)


class LocalEngine:
    """Worker processes, started when they are first needed and kept from one `map` to the next.

    They hold one end of a pipe whose other end only this process has: when it closes, also by
    `kill -9`, they end at once. Files appear whole or not at all, so that costs nothing.
    """

    def __init__(self, workers: int, *, single_threaded: bool = True) -> None:
        self.workers = workers
        self.gpus = 1
        self._single_threaded = single_threaded
        self._pool: ProcessPoolExecutor | None = None
        self._leash: Connection | None = None
        self._voice: Any = None
        self._say: Callable[[str], None] = _unheard

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *ending: object) -> None:
        self.stop()

    def make_ready(self, needs: Needs, say: Callable[[str], None]) -> None:
        """Nothing to see: workers of this machine see what it sees."""
        self._say = say

    def map(
        self,
        work: Callable[[list[Unit], Context], list[Result]],
        batches: Iterable[tuple[list[Unit], Context]],
        *,
        lost: Callable[[Unit], Result],
        heard: Heard | None = None,
        most: int = 0,
        gpu: bool = False,
    ) -> Iterator[list[Result]]:
        """Yield the results of each batch, in order; see `Engine.map`."""
        workers = min(self.workers, most) if most else self.workers
        source = iter(batches)
        first = [batch for batch in (next(source, None), next(source, None)) if batch is not None]
        if workers <= 1 or (len(first) < 2 and self._pool is None):
            yield from self._here(work, chain(first, source), lost=lost, heard=heard)
            return
        ready = deque(first)
        # A short queue keeps memory flat and makes an interrupt quick; none waits where fewer than
        # all workers may work at a time.
        queued = 2 * workers if workers == self.workers else workers - 1
        pending: deque[tuple[tuple[list[Unit], Context], Future[list[Result]]]] = deque()
        while True:
            while len(pending) <= queued:
                batch = ready.popleft() if ready else next(source, None)
                if batch is None:
                    break
                pending.append((batch, self._given(work, batch)))
            if not pending:
                return
            batch, future = pending.popleft()
            try:
                results = self._result(future, heard)
            except (BrokenProcessPool, MemoryError):
                self.stop()
                _check_that_workers_start()
                again = counted(len(batch[0]), "sites") if batch[0] else "its work"
                self._say(f"A worker process was lost: {again} once more, one by one if need be.")
                results = _without_the_killer(work, batch, lost, heard)
                # What was under way beside it starts again.
                pending = deque((other, self._given(work, other)) for other, _ in pending)
            yield results

    def stop(self) -> None:
        """End the processes, whatever they are doing; they start again when needed."""
        pool, leash, self._pool, self._leash = self._pool, self._leash, None, None
        if leash is not None:
            leash.close()
        if pool is not None:
            pool.shutdown(wait=True, cancel_futures=True)
        voice, self._voice = self._voice, None
        if voice is not None:
            voice.close()

    def _here(
        self,
        work: Callable[[list[Unit], Context], list[Result]],
        batches: Iterable[tuple[list[Unit], Context]],
        *,
        lost: Callable[[Unit], Result],
        heard: Heard | None,
    ) -> Iterator[list[Result]]:
        for batch in batches:
            listen(heard or _unheard)
            try:
                results = work(*batch)
            except MemoryError:
                results = _without_the_killer(work, batch, lost, heard)
            finally:
                listen_no_more()
            yield results

    def _submit(
        self,
        work: Callable[[list[Unit], Context], list[Result]],
        batch: tuple[list[Unit], Context],
    ) -> "Future[list[Result]]":
        """Hand one batch to a worker process."""
        if self._pool is None:
            context = multiprocessing.get_context("spawn")
            held, self._leash = context.Pipe(duplex=False)
            # What work says is written before its result: none of it comes too late.
            self._voice = context.SimpleQueue()
            # Spawn, never fork: threads of torch and numba do not survive a fork.
            self._pool = ProcessPoolExecutor(
                self.workers,
                mp_context=context,
                initializer=_prepare,
                initargs=(held, self._voice, self._single_threaded),
            )
        with undisturbed():
            return self._pool.submit(work, *batch)

    def _given(
        self,
        work: Callable[[list[Unit], Context], list[Result]],
        batch: tuple[list[Unit], Context],
    ) -> "Future[list[Result]]":
        """As `_submit`; where a worker died since, a result that says so when its turn comes."""
        try:
            return self._submit(work, batch)
        except BrokenProcessPool as error:
            broken: Future[list[Result]] = Future()
            broken.set_exception(error)
            return broken

    def _result(self, future: "Future[list[Result]]", heard: Heard | None) -> list[Result]:
        while True:
            done, _ = wait([future], timeout=_LISTEN)
            while self._voice is not None and not self._voice.empty():
                (heard or _unheard)(self._voice.get())
            if done:
                return future.result()


def _unheard(message: Any) -> None:
    """Nobody asked."""


def _check_that_workers_start() -> None:
    """Refuse to go on where even an empty batch fails: no unit is to blame for that.

    Raises:
        PreflightError: Worker processes cannot work here.
    """
    try:
        with LocalEngine(1) as single:
            single._submit(_nothing, ([], None)).result()
    except BrokenProcessPool as error:
        raise PreflightError(
            "Worker processes cannot start here. In a script put the call below "
            "`if __name__ == '__main__':`; else give one worker (--workers 1)."
        ) from error


def _nothing(units: list[Any], context: None) -> list[Any]:
    return []


def _without_the_killer(
    work: Callable[[list[Unit], Context], list[Result]],
    batch: tuple[list[Unit], Context],
    lost: Callable[[Unit], Result],
    heard: Heard | None,
) -> list[Result]:
    """A batch whose worker died: each unit in a process of its own, to find the one that kills."""
    units, context = batch
    try:
        with LocalEngine(1) as single:
            return single._result(single._submit(work, batch), heard)
    except (BrokenProcessPool, MemoryError):
        if len(units) > 1:
            alone = [([unit], context) for unit in units]
            return [r for one in alone for r in _without_the_killer(work, one, lost, heard)]
        return [lost(units[0])]


@contextmanager
def undisturbed() -> Iterator[None]:
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


def _prepare(leash: Connection, voice: Any, single_threaded: bool) -> None:  # noqa: FBT001
    # Before anything with threads is imported.
    wait_passively()
    if single_threaded:
        keep_to_one_thread()
    import cv2
    from threadpoolctl import threadpool_limits

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(leash,), daemon=True).start()
    cv2.setNumThreads(1)
    if single_threaded:
        threadpool_limits(1)
    listen(voice.put)


def _end_with(leash: Connection) -> None:
    # Nothing is ever sent: this returns when the other end is gone.
    with suppress(EOFError, OSError):
        leash.recv_bytes()
    os._exit(1)
