"""Which epoch was best and when to stop, from how the epochs were judged."""

import math
from collections.abc import Mapping, Sequence

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


def should_stop(
    losses: Sequence[float],
    patience: int,
    parts: Sequence[Mapping[str, float]] = (),
) -> bool:
    """Whether `patience` epochs went by without improvement; never for patience 0.

    Args:
        losses: How epochs were judged as a whole.
        patience: Epochs.
        parts: How they were judged in each part: where there are any, each of them that improves
            counts, and the whole does not.
    """
    if not patience or not losses:
        return False
    names = sorted({name for part in parts for name in part})
    histories = [[part.get(name, math.nan) for part in parts] for name in names] or [list(losses)]
    return len(losses) - 1 - max(map(best_epoch, histories)) >= patience
