"""The local engine: batches of sites over worker processes, one thread each.

Results come back in the order of the batches, whatever the number of workers. A worker that dies
(out of memory, a crash in a codec) costs the site it held and nothing else.
"""

import multiprocessing
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

from cellwise.domain.steps import Job, SiteRecord
from cellwise.errors import InputError

Work = Callable[[list[str], Job], list[SiteRecord]]
Batch = tuple[list[str], Job]


def map_batches(work: Work, batches: list[Batch], *, workers: int) -> Iterator[list[SiteRecord]]:
    """Run `work` on each batch and yield its records, in order.

    Args:
        work: A step's `work`, importable by name.
        batches: Site ids and the job for them.
        workers: Processes; 1 runs in this process.
    """
    if workers <= 1 or len(batches) <= 1:
        for site_ids, job in batches:
            yield work(site_ids, job)
        return
    position = 0
    while position < len(batches):
        try:
            for records in _pooled(work, batches[position:], workers=workers):
                yield records
                position += 1
        except BrokenProcessPool:
            yield _one_by_one(work, batches[position])
            position += 1


def _pooled(work: Work, batches: list[Batch], *, workers: int) -> Iterator[list[SiteRecord]]:
    pool = _pool(min(workers, len(batches)))
    waiting: deque[Future[list[SiteRecord]]] = deque()
    try:
        rest = iter(batches)
        for batch in rest:
            waiting.append(pool.submit(work, *batch))
            # A short queue keeps memory flat and makes an interrupt quick.
            if len(waiting) > 2 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _one_by_one(work: Work, batch: Batch) -> list[SiteRecord]:
    """A batch whose worker died: each site in a process of its own, to find the one that kills."""
    site_ids, job = batch
    try:
        with _pool(1) as pool:
            return pool.submit(work, site_ids, job).result()
    except BrokenProcessPool:
        if len(site_ids) > 1:
            return [record for site in site_ids for record in _one_by_one(work, ([site], job))]
        error = InputError(
            "the worker process died on this site (most often: out of memory)",
            code="worker_died",
            remedy="Give fewer --workers or more memory, then run again.",
            path=site_ids[0],
        )
        return [SiteRecord(site_ids[0], error=error)]


def _pool(workers: int) -> ProcessPoolExecutor:
    # Spawn, never fork: threads of torch and numba do not survive a fork.
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(workers, mp_context=context, initializer=_one_thread)


def _one_thread() -> None:
    import signal

    import cv2
    from threadpoolctl import threadpool_limits

    # The coordinator decides what an interrupt means; workers finish their batch.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(1)
    threadpool_limits(1)
