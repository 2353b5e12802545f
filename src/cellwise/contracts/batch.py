"""What batches are drawn from, and the type of an order."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Positions = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Pool:
    """The items of one training, in table order; `site[item]` numbers the field of each."""

    site: npt.NDArray[Any]

    def __len__(self) -> int:
        return len(self.site)


@dataclass(frozen=True, slots=True)
class When:
    """Where a training stands: all that an order may depend on."""

    seed: int
    epoch: int


# (pool, items or bags per batch, when) -> batches of positions [item] or [bag, cell]; their number
# is the same in every epoch.
Sampler = Callable[[Pool, int, When], list[Positions]]
