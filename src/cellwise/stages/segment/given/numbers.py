"""Whether the numbers of masks that were brought are those of whole cells, and of cells at all.

Label images that were resized with interpolation, or saved as JPEG, hold further numbers at the rim
of each cell, and every one of these would be a cell. Masks of cells and nuclei under each other's
names are as wrong, and look right.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

Labels = npt.NDArray[Any]

# So many such numbers or cells are no slips of the hand.
_LEAST_SLIVERS, _LEAST_WITHIN = 5, 3
# What the numbers of whole cells cover beside them, of all that is no background.
_LEAST_FILLED = 0.02
# How much larger than its cell a nucleus is that cannot be one.
_LARGER = 1.1


def blurred(labels: Labels, what: str) -> str:
    """Why the numbers are not those of cells; empty where they can be.

    More than half of them are slivers: no pixel of theirs lies among its like, and they touch
    others. Single specks on the background are none, and cells of a few pixels have no rims.

    Args:
        labels: Numbered cells `[y, x]`, 0 is background.
        what: `cells` or `nuclei`, for the sentence.
    """
    inside, beside = np.ones(labels.shape, bool), np.zeros(labels.shape, bool)
    for axis in (0, 1):
        low = tuple(slice(None, -1) if a == axis else slice(None) for a in (0, 1))
        high = tuple(slice(1, None) if a == axis else slice(None) for a in (0, 1))
        for here, there in ((low, high), (high, low)):
            other = labels[here] != labels[there]
            inside[here] &= ~other
            beside[here] |= other & (labels[there] > 0)
    spots = labels > 0
    names, own = np.unique(labels[spots], return_inverse=True)
    whole = np.bincount(own, inside[spots], len(names)) > 0
    touching = np.bincount(own, beside[spots], len(names)) > 0
    slivers = int((~whole & touching).sum())
    filled = np.bincount(own, minlength=len(names))[whole].sum()
    few = slivers < _LEAST_SLIVERS or 2 * slivers <= len(names)
    if few or filled < _LEAST_FILLED * len(own):
        return ""
    return (
        f"{slivers} of the {len(names)} numbers of the {what} mask are slivers between others, as "
        "resizing with interpolation and JPEG leave them at the rims of cells"
    )


def exchanged(cells: Labels, nuclei: Labels) -> str:
    """Why these cannot be cells and their nuclei; empty where they can.

    Args:
        cells: Numbered cells `[y, x]`, 0 is background.
        nuclei: Numbered nuclei, of their own numbers.
    """
    both = (cells > 0) & (nuclei > 0)
    if not both.any():
        return ""
    pairs, shared = np.unique(np.stack([cells[both], nuclei[both]]), axis=1, return_counts=True)
    area, size = (_areas(labels, own) for labels, own in ((cells, pairs[0]), (nuclei, pairs[1])))
    within = (2 * shared > area) & (size > _LARGER * area)
    count, of = len(np.unique(pairs[0][within])), len(np.unique(cells[cells > 0]))
    if count < _LEAST_WITHIN or 2 * count <= of:
        return ""
    return (
        f"{count} of the {of} cells lie within a nucleus that is larger than they are: the masks "
        "of cells and nuclei seem to be exchanged"
    )


def _areas(labels: Labels, numbers: npt.NDArray[Any]) -> npt.NDArray[Any]:
    names, counts = np.unique(labels, return_counts=True)
    return counts[np.searchsorted(names, numbers)]
