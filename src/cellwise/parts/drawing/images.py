"""Pixels to images: contrast, colour composites, and their bytes for a page.

How channels are mixed: an image is as bright as the brightest channel shown there, in the hue of
all. Added up as they are, three or more stains leave the range of a screen and turn white; here
nothing leaves the range, and where hues cancel out the image becomes grey, never white.
"""

import base64
import io
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image

from cellwise.domain.channels import Channel
from cellwise.parts.drawing.colours import first_shown, tints

Pixels = npt.NDArray[np.float32]
Levels = npt.NDArray[np.uint8]
Limits = Sequence[tuple[float, float]]

# From this greyness of a mix (least part over greatest) on it is drawn darker, up to this share
# where hues cancel out altogether. No colour of a stain is as pale. `channels.js` has both numbers.
PALE, HEADROOM = 0.6, 0.5
# Of a field: percentiles of its pixels; then over fields, so that neither an empty field nor one
# of debris decides for all.
LOW, HIGH = 1.0, 99.7
MIDDLE_FIELD, BRIGHT_FIELD = 50.0, 90.0
_SAMPLE = 200_000


def limits(pixels: Pixels, *, low: float = LOW, high: float = HIGH) -> list[tuple[float, float]]:
    """Darkest and brightest shown value per channel of `pixels[..., channel, y, x]`.

    Background that a crop policy set to exactly 0 is left out, so that masked crops do not look
    brighter than whole fields.
    """
    found = []
    for channel in range(pixels.shape[-3]):
        values = pixels[..., channel, :, :]
        values = values.reshape(-1)[:: max(1, values.size // (4 * _SAMPLE))]
        seen = values[(values > 0) & np.isfinite(values)]
        if seen.size == 0:
            found.append((0.0, 1.0))
            continue
        dark, bright = np.percentile(seen[:: max(1, seen.size // _SAMPLE)], (low, high))
        found.append((float(dark), float(max(bright, dark + 1e-4))))
    return found


def common_limits(fields: Limits) -> tuple[float, float]:
    """One contrast for a channel of many fields, from the contrast of each.

    Dark is the median over fields, bright the 90th percentile: a tenth of the fields may be
    saturated or full of debris, or half of them empty, and the others stay as bright as they are.
    """
    dark = float(np.percentile([low for low, _ in fields], MIDDLE_FIELD))
    bright = float(np.percentile([high for _, high in fields], BRIGHT_FIELD))
    return dark, max(bright, dark + 1e-4)


def stretch(pixels: Pixels, bounds: Limits) -> Levels:
    """`pixels[channel, y, x]` between dark and bright as 0..255; what is not finite is dark."""
    levels = np.empty(pixels.shape, np.uint8)
    for plane, level, (dark, bright) in zip(pixels, levels, bounds, strict=True):
        share = (np.nan_to_num(plane) - np.float32(dark)) / np.float32(bright - dark)
        level[...] = np.clip(share, 0, 1) * 255 + np.float32(0.5)
    return levels


def blend(levels: Levels, colours: Sequence[tuple[float, float, float]]) -> Levels:
    """Tinted channels mixed: `[channel, y, x]` in 0..255 to `[y, x, rgb]`.

    The hue is that of all, each by the square of its level, so that the stronger of two stains is
    seen and their mud is not. The brightness is that of the brightest tinted channel, less up to
    `HEADROOM` where the mix is greyer than its parts.
    """
    if not colours:
        return np.zeros((*levels.shape[1:], 3), np.uint8)
    count = len(colours)
    flat = levels.reshape(count, -1).astype(np.float32)
    table = np.asarray(colours, np.float32).reshape(count, 3)
    weights = flat * flat
    added = table.T @ weights
    most = np.maximum(added.max(axis=0), np.float32(1e-6))
    brightest = (flat * table.max(axis=1)[:, None]).max(axis=0)
    # Only bright field is grey by itself, and is not to be darker than its colour.
    own = _paleness(table.min(axis=1) / table.max(axis=1)) @ weights
    own /= np.maximum(weights.sum(axis=0), np.float32(1e-6))
    greyer = np.maximum(_paleness(added.min(axis=0) / most) - own, 0)
    mixed = added * (brightest / most * (1 - np.float32(HEADROOM) * greyer))
    return np.asarray(mixed + np.float32(0.5), np.uint8).T.reshape(*levels.shape[1:], 3)


def _paleness(greyness: Pixels) -> Pixels:
    return np.asarray(np.maximum((greyness - np.float32(PALE)) / np.float32(1 - PALE), 0))


def composite(
    pixels: Pixels,
    channels: Sequence[Channel],
    bounds: Limits,
    *,
    shown: Sequence[int] | None = None,
) -> Levels:
    """`pixels[channel, y, x]` as a colour image `[y, x, rgb]` of the channels at places `shown`.

    Without `shown` those of `first_shown`, at most four.
    """
    places = list(first_shown(channels) if shown is None else shown)
    colours = tints(channels)
    levels = stretch(pixels[places], [bounds[place] for place in places])
    return blend(levels, [colours[place].rgb for place in places])


def shrink(image: Levels, side: int) -> Levels:
    """The image reduced so that its longer side is at most `side` pixels."""
    tall, wide = image.shape[:2]
    if max(tall, wide) <= side:
        return image
    size = _size(tall, wide, side)
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BOX))


def shrink_pixels(pixels: Pixels, side: int) -> Pixels:
    """`pixels[channel, y, x]` reduced as `shrink` does; each result is the mean of its area."""
    tall, wide = pixels.shape[1:]
    if max(tall, wide) <= side:
        return pixels
    size = _size(tall, wide, side)
    planes = [Image.fromarray(np.nan_to_num(plane)) for plane in pixels]
    return np.stack([np.asarray(plane.resize(size, Image.Resampling.BOX)) for plane in planes])


def _size(tall: int, wide: int, side: int) -> tuple[int, int]:
    factor = side / max(tall, wide)
    return max(1, round(wide * factor)), max(1, round(tall * factor))


def encode(image: Levels, *, kind: str = "JPEG", quality: int = 82) -> bytes:
    """The bytes of an image file, `[y, x]` grey or `[y, x, rgb]`; `kind` is JPEG or PNG."""
    buffer = io.BytesIO()
    # Colour at full resolution: thin structures in saturated colours would blur else.
    Image.fromarray(image).save(buffer, kind, quality=quality, subsampling=0)
    return buffer.getvalue()


def data_link(content: bytes, kind: str = "jpeg") -> str:
    """The bytes as an address that a page can show without asking anyone."""
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


def planes_link(levels: Levels, *, quality: int = 72) -> str:
    """The channels `[channel, y, x]` one below the other in one grey image, for `page.js`."""
    stacked = levels.reshape(-1, levels.shape[2])
    return data_link(encode(stacked, quality=quality))
