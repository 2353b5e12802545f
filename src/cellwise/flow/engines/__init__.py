"""Engines: where batches of work are done, in this process, in others, or on other machines.

An engine is a file or folder of this folder with `build(workers)`, or an entry point of the group
`cellwise.flow.engines`.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, Self, TypeVar

from cellwise.registry import Registry

engines = Registry("engine", __name__)

Unit = TypeVar("Unit")
Context = TypeVar("Context")
Result = TypeVar("Result")
Heard = Callable[[Any], None]


@dataclass(frozen=True, slots=True)
class Needs:
    """What the work of a run needs wherever it is done.

    Args:
        run: The run folder.
        folders: Folders that are read.
        device: `cpu` or `cuda`.
    """

    run: Path
    folders: tuple[Path, ...]
    device: str = "cpu"


class Engine(Protocol):
    """Does batches of work and gives their results in order; started when it is first needed.

    A batch is a list of units and what they share, small enough to travel. The work is a function
    that can be imported by name. A worker that is lost (out of memory, a crash in a codec) costs
    the unit that it was lost with and nothing else.
    """

    @property
    def workers(self) -> int:
        """Workers that there may be at the same time."""

    @property
    def gpus(self) -> int:
        """Workers that may use a GPU at the same time."""

    def make_ready(self, needs: Needs, say: Callable[[str], None]) -> None:
        """See before any work, and before `map`, that it can be done where this engine does it.

        Args:
            needs: What it needs.
            say: Told what the user should know, such as where to watch.

        Raises:
            PreflightError: It cannot; names the place and the reason.
        """

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
        """Yield the results of each batch, in the order of the batches.

        Args:
            work: Called with the units of a batch and what they share.
            batches: Read as they are needed.
            lost: The result of a unit that workers were lost with.
            heard: Given what the work says by `tell`, in this process.
            most: Workers at the same time, where the work itself takes several processors; 0 for
                all.
            gpu: Whether the work uses a GPU where the run has one.

        Raises:
            PreflightError: Workers cannot start here.
            Interrupted: Workers are gone and none came; the same call goes on.
        """

    def stop(self) -> None:
        """End the workers, whatever they are doing; they start again when they are needed."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *ending: object) -> None: ...


# Set in each worker by its engine, and in this process while an engine works in it.
_listeners: list[Heard] = []


def tell(message: Any) -> None:
    """Say something to whoever asked for the work under way; small and picklable."""
    if _listeners:
        _listeners[-1](message)


def listen(heard: Heard) -> None:
    """Take what work in this process says from now on."""
    _listeners.append(heard)


def listen_no_more() -> None:
    """End the newest `listen`."""
    _listeners.pop()
