"""Masks without an orientation mark for images that have one: do they lie as the image is stored?

Pixels are read as they are stored. A mask that was drawn on the image as programs show it lies
turned against these.
"""

import numpy as np

from cellwise.domain.records import Field
from cellwise.stages.segment.given.plausible import FITS, Labels, strength

__all__ = ["lies_turned", "unturned"]

# From what is shown to what is stored, by the number of TIFF and EXIF.
_BACK = {
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.T,
    6: lambda a: np.rot90(a, 1),
    7: lambda a: a[::-1, ::-1].T,
    8: lambda a: np.rot90(a, -1),
}


def unturned(labels: Labels, orientation: int) -> Labels:
    """A mask of the image as it is shown, as the image is stored.

    Args:
        labels: Numbered cells `[y, x]`.
        orientation: 1 to 8, as in the TIFF tag Orientation; 1 is as stored.
    """
    return np.asarray(_BACK.get(orientation, lambda a: a)(labels))


def lies_turned(field: Field, labels: Labels, orientation: int, what: str) -> str:
    """Why a mask is not known to lie as its image is stored; empty where it does.

    Args:
        field: The field, as it is stored.
        labels: Numbered cells `[y, x]` of the field's size.
        orientation: The mark of the image, 2 to 8.
        what: `cells` or `nuclei`, for the sentence.
    """
    back = unturned(labels, orientation)
    if not labels.any() or (back.shape == labels.shape and np.array_equal(back > 0, labels > 0)):
        return ""
    stored = strength(field, labels)
    shown = strength(field, back) if back.shape == labels.shape else 0.0
    if stored >= FITS and stored > shown:
        return ""
    said = (
        f"the image asks to be shown turned (orientation {orientation}), the {what} mask does not"
    )
    if shown >= FITS and shown > stored:
        return f"{said}, and the mask fits the image as it is shown and not as it is stored"
    return f"{said}, and nothing in the image tells which of the two the mask was drawn on"
