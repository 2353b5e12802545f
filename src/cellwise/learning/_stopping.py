"""Which epoch was best and when to stop, from how the epochs were judged."""

import math
from collections.abc import Sequence

# An improvement smaller than this share of the best cost so far is none.
_LEAST_GAIN = 0.001


def best_epoch(costs: Sequence[float]) -> int:
    """The last epoch (from 0) that was better than all before by more than a trifle."""
    best = 0
    for epoch, cost in enumerate(costs):
        least = costs[best]
        if not math.isfinite(least):
            # An epoch without a number is beaten by any that has one.
            best = epoch if math.isfinite(cost) else best
        elif cost < least - _LEAST_GAIN * abs(least):
            best = epoch
    return best


def should_stop(costs: Sequence[float], patience: int) -> bool:
    """Whether `patience` epochs went by without improvement; never for patience 0."""
    return bool(patience) and bool(costs) and len(costs) - 1 - best_epoch(costs) >= patience
