"""Stored numbers become values in 0..1 by the intensity scale of their channel.

A field is not stretched to its own maximum: brightness carries the biology.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from cellwise.domain.intensities import Levels, Scale, kind_of, misfit, plain
from cellwise.errors import InputError

_SCALES = (255.0, 4095.0, 65535.0)
# Cameras of 10, 12, 14 and 16 bits saturate at these numbers.
_CAMERA_TOPS = (1023.0, 4095.0, 16383.0, 65535.0)
_ALL = 0.999


def to_unit(
    pixels: npt.NDArray[Any], scale: Scale | None = None, *, channel: str = "", path: str = ""
) -> tuple[npt.NDArray[np.float32], list[str]]:
    """Scale to 0..1.

    Args:
        pixels: The stored numbers.
        scale: Which of them is 0.0 and which 1.0; None, in runs made before scales were kept,
            takes 8-bit over 255, unsigned 16-bit over 65535, and other numbers as they are up to
            1, else over the smallest of 255, 4095, 65535 that covers the image.
        channel: Its name, for messages.
        path: The file, for messages.

    Returns:
        Values, and which of `nan`, `negative`, `clipped` was met (without a scale `float_scaled`):
        NaN and infinities become 0, what lies outside becomes 0 or 1.

    Raises:
        InputError: `scale_mismatch` where the image does not fit the scale: other numbers, more
            than a thousandth of the pixels above it (a hundredth, if by less than 5 %), or most of
            the signal below it; `all_saturated` where it shows nothing but the top of the range.
    """
    if scale is None:
        return _one_by_one(pixels)
    try:
        return _to_scale(pixels, scale, channel)
    except InputError as error:
        error.path = path
        raise


def _to_scale(
    pixels: npt.NDArray[Any], scale: Scale, channel: str
) -> tuple[npt.NDArray[np.float32], list[str]]:
    if pixels.dtype == np.bool_:
        pixels = pixels.astype(np.uint8) * np.uint8(255)
    if not scale.takes(pixels.dtype.name):
        raise _does_not_fit(f"stored as {pixels.dtype.name}, the scale is {scale}", channel)
    if scale.is_of_type(pixels.dtype.name):
        _refuse_saturated(pixels, 0.0, scale, channel)
        return pixels.astype(np.float32) / np.float32(scale.one), []
    flags = []
    values = above(pixels, scale.zero)
    finite = np.isfinite(values)
    if not finite.all():
        flags.append("nan")
        values = np.where(finite, values, values.dtype.type(0))
    width = scale.one - scale.zero
    low, high = float(values.min(initial=0)), float(values.max(initial=0))
    far_up = scale.zero < 0 and float(values.min(initial=np.inf)) >= width / 2
    if low < 0 or high > width or far_up or _may_be_unit(values, width):
        reason = misfit(levels_of(pixels, scale.zero), scale)
        if reason:
            raise _does_not_fit(reason, channel)
    _refuse_saturated(values, scale.zero, scale, channel)
    if low < 0:
        flags.append("negative")
    if high > width:
        flags.append("clipped")
    return (np.clip(values, 0, width) / values.dtype.type(width)).astype(np.float32), flags


def levels_of(pixels: npt.NDArray[Any], zero: float = 0.0) -> Levels:
    """What an image holds, above the stored number `zero`."""
    kind = kind_of(pixels.dtype.name)
    values = above(pixels, zero).ravel()
    values = values[np.isfinite(values)]
    if not values.size:
        return Levels(kind, *(0.0,) * 7, whole=True)
    few = max(values.size // 1000, min(4, values.size // 100))
    percent = max(values.size // 100, few)
    twentieth = max(values.size // 20, percent)
    last = values.size - 1
    ranked = np.partition(values, sorted({few, last - twentieth, last - percent, last - few}))
    low, high = float(values.min()), float(values.max())
    lacking = -float(np.minimum(values, 0).sum(dtype=np.float64)) if low < 0 else 0.0
    beyond = float(np.maximum(values, 0).sum(dtype=np.float64)) if low < 0 else 1.0
    return Levels(
        kind,
        low=low,
        high=high,
        bottom=float(ranked[few]),
        top=float(ranked[last - few]),
        top_percent=float(ranked[last - percent]),
        top_twentieth=float(ranked[last - twentieth]),
        below=lacking / beyond if beyond > 0 else float("inf"),
        whole=kind != "float" or bool((values == np.rint(values)).all()),
    )


def _may_be_unit(values: npt.NDArray[Any], width: float) -> bool:
    """Whether these may be numbers of 0..1 in a channel of counts."""
    return width >= 255 and int(np.count_nonzero(values > 2)) <= values.size / 100


def above(pixels: npt.NDArray[Any], zero: float) -> npt.NDArray[Any]:
    """The numbers above `zero`, as floats that hold them exactly where floats can."""
    small = pixels.dtype.itemsize <= 2 or pixels.dtype == np.float32
    values = pixels.astype(np.float32 if small else np.float64)
    return np.subtract(values, zero, dtype=values.dtype) if zero else values


def _refuse_saturated(values: npt.NDArray[Any], zero: float, scale: Scale, channel: str) -> None:
    """Values count from `zero`."""
    top = float(values.max(initial=0)) + zero
    camera = scale.one == _CAMERA_TOPS[-1] and top in _CAMERA_TOPS
    if not values.size or (top < scale.one and not camera):
        return
    limit = min(top, scale.one)
    if np.count_nonzero(values >= values.dtype.type(limit - zero)) >= _ALL * values.size:
        raise InputError(
            f"{_of(channel)}all pixels are saturated, at {plain(limit)}.",
            code="all_saturated",
            remedy="Leave the field out, or take it again with less exposure.",
        )


def _does_not_fit(reason: str, channel: str) -> InputError:
    return InputError(
        f"{_of(channel)}{reason}.",
        code="scale_mismatch",
        remedy="Export it as the other images of the channel are, or say what becomes 0.0 and 1.0 "
        f"in all of them: --set read.scale.{channel or 'CHANNEL'}=LOW..HIGH.",
    )


def _of(channel: str) -> str:
    return f"Channel {channel!r}: " if channel else "The image: "


def _one_by_one(pixels: npt.NDArray[Any]) -> tuple[npt.NDArray[np.float32], list[str]]:
    """As images were scaled before channels had a scale: older runs go on as they began."""
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
