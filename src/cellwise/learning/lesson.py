"""What is learned, as the trainer sees it: an order of batches, how one is drawn, its loss.

The trainer knows nothing else: an item may be a crop, a field, a vector or a piece of an image.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from torch import Tensor

from cellwise.contracts.batch import Positions
from cellwise.contracts.network import Asked, Output


@dataclass(frozen=True, slots=True)
class Turn:
    """One batch of a training: its epoch and its number in it, from 0, and its items.

    Args:
        epoch: Counted from 0.
        number: Of the batch in its epoch.
        positions: Items `[item]` or bags of items `[bag, cell]`, of all devices together.
    """

    epoch: int
    number: int
    positions: Positions


class Ask(Protocol):
    """The network as a lesson sees it, the same on one device and on several.

    On several, each sees its share of the rows, and all get the answers for all rows, in order.
    """

    def __call__(
        self,
        items: Tensor,
        asked: Asked | None = ...,
        *,
        of: int | None = None,
        covariates: Tensor | None = None,
    ) -> Output:
        """The network's answer in single precision.

        Args:
            items: Where `of` is None all rows of the batch, else this device's share of them.
            asked: What is wanted; None of networks for pixels, which give one map and nothing else.
            of: How many items or bags the batch has on all devices together.
            covariates: `[item, covariate]` of the same rows, for networks that know of some.
        """

    def together(self, rows: Tensor, of: int) -> Tensor:
        """The rows of all devices, from this one's share of a batch of `of` items or bags."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """How bad an epoch is, less is better: as a whole, and of each part such as a cell type."""

    value: float
    parts: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Lesson:
    """One thing to learn.

    Args:
        order: Epoch to its batches: a function of the epoch alone, and always as many.
        draw: What is read and augmented for a turn, in a loader process where there are some: the
            share of this device, as tensors. It draws chance from generators of its own, seeded by
            the turn, never from torch's.
        batch_loss: Of a drawn batch: `(ask, drawn, turn, share of the epochs done in 0..1)`.
        judge: How bad an epoch is; None where its mean loss says so.
    """

    order: Callable[[int], list[Positions]]
    draw: Callable[[Turn], tuple[Tensor, ...]]
    batch_loss: Callable[[Ask, tuple[Tensor, ...], Turn, float], Tensor]
    judge: Callable[[Ask], Judgement] | None = None
