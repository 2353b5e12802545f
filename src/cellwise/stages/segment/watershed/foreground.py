"""Where nuclei are and how large: both from the image itself, without a size or threshold given.

Levels are measured above a slowly varying background, and the first cut is Otsu's threshold of
their logarithm, so that dim nuclei beside bright ones are found. Sources: Otsu 1979; noise as in
Immerkaer 1996; the idea of a scale from inscribed circles is that of granulometries
(Matheron 1975).
"""

from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np
import numpy.typing as npt

Plane = npt.NDArray[np.float32]
Mask = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int32]
Background = Literal["local", "even"]

# Below this share of the range a level counts as dark whatever the noise: 8-bit images with an
# empty background have no measurable noise at all.
_DARKEST = 0.02
_NOISE_LEVELS = 6.0
# A background that varies by more than this share of the image is an object.
_NO_GROUND = 0.6
# Cores are brighter than this share of the mean around them, taken over this width in diameters.
_LOCAL = 0.87
_REGION = 0.4


@dataclass(frozen=True, slots=True)
class Foreground:
    """What the coarse pass over one channel showed, at the resolution it was given in.

    Args:
        level: Smoothed signal above the local background.
        mask: 255 where the signal stands out, else 0.
        floor: The level below which signal cannot be told from noise.
    """

    level: Plane
    mask: Mask
    floor: float


def find_foreground(
    plane: Plane, *, smooth: float, background: Background = "local"
) -> Foreground | None:
    """Separate signal from background; None where nothing stands out.

    Args:
        plane: One channel, any range.
        smooth: Width (sigma) in pixels of the Gaussian that noise is averaged with.
        background: `local` follows uneven light and needs gaps between objects every third of the
            frame; `even` is one level, for stains that may cover nearly everything.
    """
    span = float(plane.max()) - float(plane.min())
    if not span > 0:
        return None
    soft = cv2.GaussianBlur((plane - plane.min()) / span, (0, 0), smooth)
    level = np.maximum(soft - (_background(soft) if background == "local" else _lowest(soft)), 0)
    top = float(np.percentile(level[::2, ::2], 99.8))
    noise = _noise(plane) / span / (2 * np.sqrt(np.pi) * smooth)
    floor = max(_NOISE_LEVELS * noise, _DARKEST * top)
    if top <= floor:
        return None
    cut = max(_log_otsu(level, floor), floor)
    return Foreground(level, np.where(level > cut, np.uint8(255), np.uint8(0)), floor)


def inscribed_diameter(mask: Mask) -> float:
    """Typical diameter in pixels of the blobs in a mask, 0 where it is empty.

    The largest circle inside a blob hardly grows when several nuclei touch, and specks weigh by
    their area, so this is the area-weighted median over blobs of that circle's diameter.
    """
    diameters, sizes = inscribed_circles(mask)
    return weighted_median(diameters, sizes) if len(sizes) else 0.0


def inscribed_circles(mask: Mask) -> tuple[Plane, npt.NDArray[np.int32]]:
    """Diameter of the largest circle inside each blob of a mask, and the area of the blob."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=4)
    if count < 2:
        return np.zeros(0, np.float32), np.zeros(0, np.int32)
    inside = mask > 0
    radius = largest(labels[inside], depth_inside(mask)[inside], count)[1:]
    return 2 * radius, stats[1:, cv2.CC_STAT_AREA]


def depth_inside(mask: Mask) -> Plane:
    """Distance to the background; where there is none at all, the longer side of the image."""
    depth: Plane = cv2.distanceTransform(mask, cv2.DIST_L2, 5)
    return np.minimum(depth, np.float32(max(mask.shape)))


def locally_bright(level: Plane, mask: Mask, diameter: float) -> Mask:
    """The part of a mask that is not much darker than the mask around it.

    Gaps between crowded nuclei are lit by their neighbours and pass any threshold of the whole
    image; they are dark beside those neighbours.
    """
    width = _REGION * diameter
    inside = (mask > 0).astype(np.float32)
    weight = cv2.GaussianBlur(inside, (0, 0), width)
    mean = cv2.GaussianBlur(level * inside, (0, 0), width) / np.maximum(weight, np.float32(1e-6))
    bright: Mask = np.where((mask > 0) & (level > _LOCAL * mean), np.uint8(255), np.uint8(0))
    return bright


def weighted_median(values: npt.NDArray[Any], weights: npt.NDArray[Any]) -> float:
    """The value that half of the weight lies below."""
    order = np.argsort(values, kind="stable")
    heaped = np.cumsum(weights[order], dtype=np.float64)
    return float(values[order][np.searchsorted(heaped, heaped[-1] / 2)])


def largest(labels: npt.NDArray[Any], values: npt.NDArray[Any], count: int) -> Plane:
    """The largest of `values` per label 0..count-1, 0 for a label that does not occur."""
    result = np.zeros(count, np.float32)
    np.maximum.at(result, labels, values)
    return result


def _background(soft: Plane) -> Plane:
    """The light that lies under everything: an opening by a third of the frame, smoothed."""
    height, width = soft.shape
    small = (min(64, width), min(64, height))
    coarse = cv2.resize(soft, small, interpolation=cv2.INTER_AREA)
    kernel = np.ones((max(small[1] // 3, 1) | 1, max(small[0] // 3, 1) | 1), np.uint8)
    # At the bright end of a slope an opening falls short, so the slope goes first.
    slope = _plane_through(_opened(coarse, kernel))
    level = coarse - slope
    ground = _opened(level, kernel)
    if np.ptp(ground) > _NO_GROUND * np.ptp(level):
        # Something wider than the opening stands on it: one level for all is the better guess.
        ground = np.full_like(ground, ground.min())
        slope = np.full_like(slope, slope.mean())
    opened = ground + slope
    flat = cv2.GaussianBlur(opened, (0, 0), 4.0, borderType=cv2.BORDER_REPLICATE)
    result: Plane = cv2.resize(flat, (width, height), interpolation=cv2.INTER_LINEAR)
    return result


def _opened(coarse: Plane, kernel: Mask) -> Plane:
    return np.asarray(
        cv2.morphologyEx(coarse, cv2.MORPH_OPEN, kernel, borderType=cv2.BORDER_REPLICATE)
    )


def _plane_through(coarse: Plane) -> Plane:
    """The tilted plane that fits best."""
    y, x = (axis - axis.mean() for axis in np.indices(coarse.shape, np.float64))
    tilt_y, tilt_x = ((coarse * axis).sum() / max((axis**2).sum(), 1.0) for axis in (y, x))
    return np.asarray(coarse.mean() + tilt_y * y + tilt_x * x, np.float32)


def _lowest(soft: Plane) -> np.float32:
    return np.float32(np.percentile(soft[::2, ::2], 0.5))


def _noise(plane: Plane) -> float:
    kernel = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
    rough = cv2.filter2D(plane, cv2.CV_32F, kernel)
    # The median and not the mean: edges of nuclei are no noise.
    return float(np.median(np.abs(rough[::2, ::2]))) / 0.6745 / 6.0


def _log_otsu(level: Plane, offset: float) -> float:
    log = np.log(level + offset)
    low, high = float(log.min()), float(log.max())
    if not high > low:
        return float(level.max())
    steps = ((log - low) * (255 / (high - low))).astype(np.uint8)
    step, _ = cv2.threshold(steps, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    return float(np.exp(low + (step + 1) * (high - low) / 255) - offset)
