"""Work spread over processes, results in order: the same bytes for any number of workers."""

import multiprocessing
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from cellwise.errors import PreflightError
from cellwise.flow.engines.local import _prepare, _undisturbed

Item = TypeVar("Item")
Result = TypeVar("Result")


def spread(
    work: Callable[[Item], Result], items: Iterable[Item], *, workers: int
) -> Iterator[Result]:
    """Yield `work(item)` for each item, in the order of the items.

    Args:
        work: Importable by name; it writes its own files and returns something small.
        items: Small enough to be sent to a process; an iterator is read as it is needed.
        workers: Processes; 1 works in this process.

    Raises:
        PreflightError: A worker process died.
    """
    if workers <= 1:
        yield from map(work, items)
        return
    context = multiprocessing.get_context("spawn")
    held, leash = context.Pipe(duplex=False)
    waiting: deque[Future[Result]] = deque()
    # Spawn, never fork: threads do not survive a fork.
    pool = ProcessPoolExecutor(workers, context, _prepare, (held,))
    try:
        for item in items:
            with _undisturbed():
                waiting.append(pool.submit(work, item))
            # A short queue keeps memory flat and makes an interrupt quick.
            if len(waiting) > 4 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except BrokenProcessPool as error:
        raise PreflightError(
            "A worker process died (most often: out of memory). Give fewer --workers. In a script "
            "put the call below `if __name__ == '__main__':`."
        ) from error
    finally:
        leash.close()
        pool.shutdown(wait=True, cancel_futures=True)
