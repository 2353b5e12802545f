"""What decoding shows about each channel: a fingerprint, levels, sharpness, and warnings.

Source of the sharpness figure: variance of the Laplacian (Pech-Pacheco et al. 2000).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from cellwise.domain.records import Field
from cellwise.store.images.fingerprint import plane_digest

Plane = npt.NDArray[np.float32]

# Cameras of 10, 12 and 14 bits fill a 16-bit file only up to these levels.
_FULL = tuple(np.float32(level / 65535) for level in (1023, 4095, 16383, 65535))
_MANY = 0.005


def pixel_facts(
    field: Field,
    changed: Mapping[str, Sequence[str]] | None = None,
    is_dark: Callable[[Plane], bool] | None = None,
) -> list[dict[str, Any]]:
    """One row of the table `pixels` per channel; `changed` holds flags of the reader by channel.

    `saturated` is the share of pixels at the top level of an 8, 10, 12, 14 or 16-bit camera.
    `focus` is the variance of the Laplacian over that of the image, both after slight smoothing:
    higher is sharper, whatever gain and offset. Flags: those of the reader, then `constant`,
    `dark` (where `is_dark` says so: nothing stands out from the noise), `saturated` (over 0.5 % of
    the pixels).
    """
    return [
        {
            "site_id": field.site_id,
            "channel": channel.name,
            "sha256": plane_digest(plane),
            **_levels(plane, (changed or {}).get(channel.name, ()), is_dark),
        }
        for channel, plane in zip(field.channels, field.pixels, strict=True)
    ]


def _levels(
    plane: Plane, marks: Sequence[str], is_dark: Callable[[Plane], bool] | None
) -> dict[str, Any]:
    flags = list(marks)
    low, high = float(plane.min()), float(plane.max())
    full = np.float32(high) in _FULL
    saturated = float(np.mean(plane == high)) if full and high > low else 0.0
    if not high > low:
        flags.append("constant")
    elif is_dark is not None and is_dark(plane):
        flags.append("dark")
    if saturated > _MANY:
        flags.append("saturated")
    return {
        "minimum": low,
        "maximum": high,
        "mean": float(plane.mean(dtype=np.float64)),
        "saturated": saturated,
        "focus": _focus(plane),
        "flags": flags,
    }


def _focus(plane: Plane) -> float:
    soft = cv2.GaussianBlur(plane, (0, 0), 1.0)
    spread = float(soft.var(dtype=np.float64))
    if not spread > 0:
        return 0.0
    rough = cv2.Laplacian(soft, cv2.CV_32F)
    return float(rough.var(dtype=np.float64)) / spread
