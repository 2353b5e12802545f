"""Images stored as colours: what is grey in them.

A grey image saved as RGB has three equal colours. A channel shown in a colour of its own (public
HPA images, exports of viewers) has one hue: each pixel is that hue, brighter or darker, and the
brightest of the three colours is the signal. All else is a image of several channels.
"""

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from cellwise.errors import InputError

Pixels = npt.NDArray[Any]
Hues = Literal["grey", "one", "several"]

REMEDY = (
    "Take red, green and blue as three channels with --set read.colours=split, or save one grey "
    "image per channel."
)
# Below this share of the brightest pixel, colours are noise of a lossy format.
_BRIGHT = 0.25
# How far a bright pixel's colours may lie from the one hue, as a share of its brightness, and any
# pixel's as a share of the brightest; the share of pixels that may lie further off. JPEGs of public
# HPA have 0.2 % and 0.8 %.
_OFF = 0.45
_DIM = 0.12
_MOST_OFF = 0.01
# An image is refused while others of its channel have one hue only where it is clearly unlike them.
_SURELY = 5.0


def hues_of(colours: Pixels, *, most: float = _MOST_OFF) -> Hues:
    """Whether `[..., colour]` is grey, has one hue, or several.

    Args:
        colours: Red, green and blue.
        most: The share of pixels that may lie off the one hue.
    """
    if (colours[..., 1:3] == colours[..., :1]).all():
        return "grey"
    pixels = colours[..., :3].reshape(-1, 3).astype(np.float32)
    brightness = pixels.max(axis=1, keepdims=True)
    bright = brightness[:, 0] > _BRIGHT * brightness.max()
    hue = pixels[bright].sum(axis=0)
    off = np.abs(pixels - brightness * (hue / hue.max())).max(axis=1, keepdims=True)
    far = (off > _OFF * brightness)[bright].mean(), (off > _DIM * brightness.max()).mean()
    return "one" if max(far) <= most else "several"


def grey_of(colours: Pixels, *, one_hue: bool) -> Pixels:
    """Grey `[...]` of colours `[..., colour]`.

    Args:
        colours: Red, green and blue.
        one_hue: Whether a channel shown in a colour of its own is expected; else only grey is.

    Raises:
        InputError: `colour`.
    """
    if one_hue and hues_of(colours, most=_SURELY * _MOST_OFF) != "several":
        return np.asarray(colours[..., :3].max(axis=-1))
    if not one_hue and hues_of(colours) == "grey":
        return np.array(colours[..., 0])
    raise InputError(
        f"The image has {'several colours where one' if one_hue else 'colours where grey'} is "
        "expected.",
        code="colour",
        remedy=REMEDY,
    )
