"""Colours of classes over dark images: the same on the page and in the report.

`palette.js` of the page holds the same ones. Light colours, as images are dark; the first eight
differ in lightness where their hues come near for people who do not tell red from green.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

PALETTE = (
    "#56b4e9", "#ffb000", "#00d09e", "#ff7ab8", "#f0e442", "#b79cff",
    "#ff6a3d", "#9be7ff", "#c8d96f", "#e8c39e", "#ff9e9e", "#7fa8ff",
)  # fmt: skip
"""As many as can be told apart."""
OTHER = "#c9ccd1"
"""Cells of all other classes, and of none."""


def coloured_classes(classes: Sequence[str], best: npt.NDArray[np.integer]) -> list[str]:
    """The classes that have a colour of their own: all, or the likeliest of most cells.

    Args:
        classes: Names, in the order of the run's class list.
        best: Place of the likeliest class of each cell, negative where there is none.
    """
    if len(classes) <= len(PALETTE):
        return list(classes)
    counts = np.bincount(best[best >= 0], minlength=len(classes))
    order = np.argsort(-counts, kind="stable")[: len(PALETTE)]
    return [classes[code] for code in order]
