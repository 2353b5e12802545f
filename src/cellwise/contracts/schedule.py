"""Where a training stands, and the type of a schedule."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Moment:
    """All that a learning rate may depend on, so that a resumed training cannot differ.

    Args:
        batch: Batches done in this epoch.
        batches: Batches of an epoch, 1 or more.
        epoch: Epochs done.
        epochs: Epochs of the whole training, 1 or more.
        losses: What each epoch done was judged by; less is better.
    """

    batch: int
    batches: int
    epoch: int
    epochs: int
    losses: Sequence[float] = ()

    @property
    def progress(self) -> float:
        """Share of the training that is done, in 0..1."""
        return (self.epoch * self.batches + self.batch) / (self.epochs * self.batches)


# Where a training stands -> share of the learning rate, 0 or more.
Schedule = Callable[[Moment], float]
