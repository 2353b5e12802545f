"""How a field's probability follows from those of its cells."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from cellwise.contracts.decider import Floats

# Keeps logarithms finite; a probability closer to 0 or 1 than this carries no evidence.
_EDGE = 1e-9


@dataclass(frozen=True, slots=True)
class Bags:
    """Cells sorted by field, so that sums over a field's cells are one call."""

    order: npt.NDArray[np.int64]
    starts: npt.NDArray[np.int64]
    sizes: npt.NDArray[np.int64]

    @classmethod
    def of(cls, field: npt.NDArray[np.int64], *, count: int) -> "Bags":
        """Bags for cells with these field numbers 0..count-1; each occurs at least once."""
        sizes = np.bincount(field, minlength=count)
        if not (sizes > 0).all():
            raise ValueError("Every field needs at least one cell.")
        return cls(np.argsort(field, kind="stable"), np.r_[0, np.cumsum(sizes)[:-1]], sizes)


def pooled(logits: Floats, bags: Bags, *, pooling: str) -> tuple[Floats, Floats]:
    """Log probability that a field carries the class, and that it does not.

    Args:
        logits: `[cell]` of one class, sorted by `bags.order`.
        bags: Where each field begins.
        pooling: `noisy_or` (`1 - prod(1 - p)`: at least one cell), `mean` or `max` of the cells' p.
    """
    if pooling == "noisy_or":
        doubt = np.add.reduceat(np.logaddexp(0, logits), bags.starts)
        doubt = np.maximum(doubt, _EDGE)
        return np.log(-np.expm1(-doubt)), -doubt
    if pooling == "max":
        top = np.maximum.reduceat(logits, bags.starts)
        return -np.logaddexp(0, -top), -np.logaddexp(0, top)
    share = np.add.reduceat(expit(logits), bags.starts) / bags.sizes
    share = np.clip(share, _EDGE, 1 - _EDGE)
    return np.log(share), np.log1p(-share)
