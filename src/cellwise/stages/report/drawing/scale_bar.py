"""Scale bars: a round length, about a fifth of the width of an image."""

import math
from dataclasses import dataclass

_SHARE = 0.2


@dataclass(frozen=True, slots=True)
class ScaleBar:
    """A bar of `micrometres`, as long as `share` of the image's width, with its words."""

    micrometres: float
    share: float
    words: str


def scale_bar(micrometres_wide: float | None) -> ScaleBar | None:
    """The bar for an image of this width: 1, 2 or 5 times a power of ten that is nearest a fifth.

    Its share of the width lies between 0.12 and 0.32. None where the width is unknown.
    """
    if micrometres_wide is None or not math.isfinite(micrometres_wide) or micrometres_wide <= 0:
        return None
    wanted = _SHARE * micrometres_wide
    power = 10.0 ** math.floor(math.log10(wanted))
    steps = (power * step for step in (1, 2, 5, 10))
    length = min(steps, key=lambda step: abs(math.log(step / wanted)))
    return ScaleBar(length, length / micrometres_wide, _words(length))


def _words(micrometres: float) -> str:
    # The thousandth hides what a power of ten lacks in binary.
    for unit, size in (("mm", 1000.0), ("µm", 1.0)):
        if micrometres >= 0.999 * size:
            return f"{micrometres / size:.6g} {unit}"
    return f"{micrometres * 1000:.6g} nm"
