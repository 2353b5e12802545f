"""What decoding shows about each channel: a fingerprint, levels, sharpness, and warnings.

Source of the sharpness figure: variance of the Laplacian (Pech-Pacheco et al. 2000).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np

from cellwise.domain.records import Field
from cellwise.stages.segment.watershed.foreground import Plane, find_foreground
from cellwise.store.images.fingerprint import plane_digest

# Cameras of 10, 12 and 14 bits fill a 16-bit file only up to these levels.
_FULL = tuple(np.float32(level / 65535) for level in (1023, 4095, 16383, 65535))
_MANY = 0.005


def pixel_facts(
    field: Field, changed: Mapping[str, Sequence[str]] | None = None
) -> list[dict[str, Any]]:
    """One row of the table `pixels` per channel; `changed` holds flags of the reader by channel.

    `saturated` is the share of pixels at the top level of an 8, 10, 12, 14 or 16-bit camera.
    `focus` is the variance of the Laplacian over that of the image, both after slight smoothing:
    higher is sharper, whatever gain and offset. Flags: those of the reader, then `constant`,
    `dark` (nothing stands out from the noise), `saturated` (over 0.5 % of the pixels).
    """
    return [
        {
            "site_id": field.site_id,
            "channel": channel.name,
            "sha256": plane_digest(plane),
            **_levels(plane, (changed or {}).get(channel.name, ())),
        }
        for channel, plane in zip(field.channels, field.pixels, strict=True)
    ]


def _levels(plane: Plane, marks: Sequence[str]) -> dict[str, Any]:
    flags = list(marks)
    low, high = float(plane.min()), float(plane.max())
    full = np.float32(high) in _FULL
    saturated = float(np.mean(plane == high)) if full and high > low else 0.0
    if not high > low:
        flags.append("constant")
    elif find_foreground(plane[::2, ::2], smooth=1.0) is None:
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
