"""Work spread over processes, results in order: the same bytes for any number of workers."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from cellwise.errors import PreflightError
from cellwise.flow.engines import local

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
        PreflightError: A worker process died on an item, also alone.
    """
    with local.build(workers) as engine:
        for results in engine.map(_each, (([item], work) for item in items), lost=_lost):
            yield from results


def _each(items: list[Item], work: Callable[[Item], Result]) -> list[Result]:
    return [work(item) for item in items]


def _lost(item: Any) -> Any:
    raise PreflightError(
        "A worker process died (most often: out of memory). Give fewer --workers. In a script "
        "put the call below `if __name__ == '__main__':`."
    )
