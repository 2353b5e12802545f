"""Images whose end was never copied: the file has its full length, and zeros in place of numbers.

Programs that reserve the whole file first (copying tools, cloud folders, microscopes that stop)
leave such files, and nothing in them says so.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from cellwise.domain.plain_words import counted
from cellwise.store.images.structure import truncated
from cellwise.store.images.tiff_images import TiffImage

_UNCOMPRESSED = 1


def refuse_broken_off(image: TiffImage, stack: npt.NDArray[Any]) -> None:
    """Refuse an uncompressed image that is zero from within a row to its end, and nowhere else.

    A black border begins with a row, and masked images are zero in other places too.

    Args:
        image: What the file says of it.
        stack: Its numbers as stored, `[plane, y, x]`.

    Raises:
        InputError: `truncated`.
    """
    frame = image.pages[0].keyframe
    if int(frame.compression) != _UNCOMPRESSED or frame.is_tiled:
        return
    for plane in stack:
        if plane.size and not plane[-1].any():
            _refuse(plane)


def _refuse(plane: npt.NDArray[Any]) -> None:
    flat = plane.ravel()
    filled = int(np.flatnonzero(flat)[-1]) + 1 if flat.any() else 0
    height, width = plane.shape
    if filled % width and flat[:filled].all():
        raise truncated(
            f"from row {filled // width + 1} of {counted(height, 'rows')} on all numbers are zero, "
            "and none is before, as where a copy was broken off"
        )
