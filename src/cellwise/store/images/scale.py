"""Stored numbers become values in 0..1, by number type and never by the image's own range.

A field is not stretched to its own maximum: brightness carries the biology. Only where the type
does not tell the range (floats above 1, signed and 32-bit numbers) is a range that covers it taken.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

_SCALES = (255.0, 4095.0, 65535.0)


def to_unit(pixels: npt.NDArray[Any]) -> tuple[npt.NDArray[np.float32], list[str]]:
    """Scale to 0..1 by number type; says which of `nan`, `negative`, `float_scaled` was met."""
    if pixels.dtype == np.uint8:
        return pixels.astype(np.float32) / np.float32(255), []
    if pixels.dtype == np.uint16:
        return pixels.astype(np.float32) / np.float32(65535), []
    if pixels.dtype == np.bool_:
        return pixels.astype(np.float32), []
    flags = []
    values = pixels.astype(np.float64)
    finite = np.isfinite(values)
    if not finite.all():
        flags.append("nan")
        values = np.where(finite, values, 0.0)
    if (values < 0).any():
        flags.append("negative")
        values = np.maximum(values, 0.0)
    top = float(values.max(initial=0.0))
    if top > 1:
        flags.append("float_scaled")
        values = values / next((scale for scale in _SCALES if top <= scale), top)
    return values.astype(np.float32), flags
