"""Which colour a class is drawn in: the same in every file that a run is written to.

The hues of one list lie as far apart as their number allows: each step is the golden ratio of the
circle. The class of cells that show nothing is grey.
"""

import colorsys
from collections.abc import Sequence

_GOLDEN = 0.618033988749895
_FIRST = 0.1
# Neighbours in the list differ in lightness too, for people who do not tell all hues apart.
_LEVELS = ((0.8, 1.0), (0.35, 0.95), (1.0, 0.55))
NO_CLASS = (160, 160, 160)
"""Cells of no class, and of the negative one."""


def class_colours(
    classes: Sequence[str], negative: str | None = None
) -> dict[str, tuple[int, int, int]]:
    """Red, green and blue in 0..255 of each class; a colour depends on the place in the list.

    Args:
        classes: Names, in the order of the run's class list.
        negative: The class of cells that show none of the others.
    """
    return {
        name: NO_CLASS if name == negative else _colour(place) for place, name in enumerate(classes)
    }


def _colour(place: int) -> tuple[int, int, int]:
    saturation, value = _LEVELS[place % len(_LEVELS)]
    red, green, blue = colorsys.hsv_to_rgb((_FIRST + place * _GOLDEN) % 1, saturation, value)
    return round(255 * red), round(255 * green), round(255 * blue)
