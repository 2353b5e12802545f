"""Which epoch was best and when to stop, from how the epochs were judged."""

import math
from collections.abc import Sequence

# An improvement smaller than this share of the best loss so far is none.
_LEAST_GAIN = 0.001


def best_epoch(losses: Sequence[float]) -> int:
    """The last epoch (from 0) that was better than all before by more than a trifle."""
    best = 0
    for epoch, loss in enumerate(losses):
        least = losses[best]
        if not math.isfinite(least):
            # An epoch without a number is beaten by any that has one.
            best = epoch if math.isfinite(loss) else best
        elif loss < least - _LEAST_GAIN * abs(least):
            best = epoch
    return best


def should_stop(losses: Sequence[float], patience: int) -> bool:
    """Whether `patience` epochs went by without improvement; never for patience 0."""
    return bool(patience) and bool(losses) and len(losses) - 1 - best_epoch(losses) >= patience
