"""Whether one set of fields is unlike another, by the level of one measure; slow to say so.

Fields of one experiment differ in brightness by a third and in crowding by more; what is said here
is beyond all fields of the one set, beyond three of their robust deviations, and a given factor.
"""

import math
from typing import Any

import numpy as np
import numpy.typing as npt

# Below so many fields nothing is known of how much fields of one kind differ.
LEAST = 3
_DEVIATIONS = 3.0
# Of a normal distribution, the deviation over the median distance from the median.
_NORMAL = 1.4826


def unlike(
    before: npt.NDArray[Any], now: npt.NDArray[Any], *, factor: float
) -> tuple[float, float] | None:
    """The medians of both sets where the second is unlike the first; None where it is not.

    Args:
        before: One positive number per field; others are passed over.
        now: Likewise.
        factor: By which the medians differ at least, above 1.
    """
    first, second = _logs(before), _logs(now)
    if len(first) < LEAST or not len(second):
        return None
    middle, other = float(np.median(first)), float(np.median(second))
    deviation = _NORMAL * float(np.median(np.abs(first - middle)))
    beyond = other < first.min() or other > first.max()
    if not beyond or abs(other - middle) <= max(math.log(factor), _DEVIATIONS * deviation):
        return None
    return math.exp(middle), math.exp(other)


def _logs(values: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    numbers = np.asarray(values, np.float64)
    return np.log(numbers[np.isfinite(numbers) & (numbers > 0)])
