"""Batches in their order, read and augmented in this process or ahead in others."""

from collections.abc import Iterator
from multiprocessing import get_all_start_methods
from typing import Any

from torch.utils.data import DataLoader, Dataset, Sampler

from cellwise.errors import CellwiseError
from cellwise.learning.lesson import Lesson, Turn
from cellwise.learning.plan import Plan
from cellwise.store.processor import count_cores

# What a lesson reads with cannot be sent to another process, only inherited.
_HOW = "fork"


class Failed:
    """An error of a loader process: torch would make another one of it on the way."""

    def __init__(self, error: CellwiseError) -> None:
        self.error = error


class Order(Sampler[Turn]):
    """The turns of the epoch that lightning has told it."""

    def __init__(self, lesson: Lesson) -> None:
        self.lesson = lesson
        self.epoch = 0
        self.batches = lesson.order(0)

    def set_epoch(self, epoch: int) -> None:
        """What the next round is."""
        if epoch != self.epoch:
            self.epoch, self.batches = epoch, self.lesson.order(epoch)

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[Turn]:
        epoch = self.epoch
        for number, positions in enumerate(self.batches):
            yield Turn(epoch, number, positions)


class Draws(Dataset[Any]):
    """A turn to what is drawn for it."""

    def __init__(self, lesson: Lesson) -> None:
        self.lesson = lesson

    def __getitem__(self, turn: Turn) -> tuple[Turn, Any] | Failed:
        try:
            return turn, self.lesson.draw(turn)
        except CellwiseError as error:
            return Failed(error)


def make_loader(lesson: Lesson, plan: Plan) -> DataLoader[Any]:
    """The loader of a training; its processes stay for all epochs."""
    workers = min(plan.loaders, count_cores()) if _HOW in get_all_start_methods() else 0
    return DataLoader(
        Draws(lesson),
        batch_size=None,
        sampler=Order(lesson),
        num_workers=workers,
        collate_fn=_as_it_is,
        pin_memory=plan.device.startswith("cuda"),
        persistent_workers=workers > 0,
        multiprocessing_context=_HOW if workers else None,
    )


def _as_it_is(drawn: Any) -> Any:
    return drawn
