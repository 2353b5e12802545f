"""Pixels to images: colour composites, outlines, and their bytes for a page.

Colours by role: nucleus blue, protein green, microtubule red, endoplasmic reticulum yellow, other
stains magenta, cyan, orange. Contrast is stretched between percentiles, as viewers of the field do.
"""

import base64
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from cellwise.domain.channels import Channel

Pixels = npt.NDArray[np.float32]
Limits = Sequence[tuple[float, float]]

_BY_ROLE = {
    "nucleus": (0.25, 0.42, 1.0),
    "protein": (0.1, 1.0, 0.25),
    "microtubule": (1.0, 0.2, 0.15),
    "er": (1.0, 0.85, 0.1),
    "brightfield": (0.6, 0.6, 0.6),
}
_OTHERS = ((1.0, 0.2, 0.9), (0.1, 0.85, 0.95), (1.0, 0.55, 0.1))
_GREY = (1.0, 1.0, 1.0)


def tints(channels: Sequence[Channel]) -> list[tuple[float, float, float]]:
    """One colour per channel; a lone channel is grey."""
    if len(channels) == 1:
        return [_GREY]
    spare = 0
    chosen = []
    for channel in channels:
        if channel.role in _BY_ROLE:
            chosen.append(_BY_ROLE[channel.role])
        else:
            chosen.append(_OTHERS[spare % len(_OTHERS)])
            spare += 1
    return chosen


def limits(pixels: Pixels, *, low: float = 1.0, high: float = 99.7) -> list[tuple[float, float]]:
    """Darkest and brightest shown value per channel of `pixels[..., channel, y, x]`.

    Background that a crop policy set to exactly 0 is left out, so that masked crops do not look
    brighter than whole fields.
    """
    found = []
    for channel in range(pixels.shape[-3]):
        values = pixels[..., channel, :, :]
        seen = values[(values > 0) & np.isfinite(values)]
        if seen.size == 0:
            found.append((0.0, 1.0))
            continue
        dark, bright = np.percentile(seen[:: max(1, seen.size // 200_000)], (low, high))
        found.append((float(dark), float(max(bright, dark + 1e-4))))
    return found


def composite(pixels: Pixels, channels: Sequence[Channel], bounds: Limits) -> npt.NDArray[np.uint8]:
    """`pixels[channel, y, x]` as a colour image `[y, x, rgb]`: tinted channels, added up."""
    colour = np.zeros((*pixels.shape[1:], 3), np.float32)
    for plane, tint, (dark, bright) in zip(pixels, tints(channels), bounds, strict=True):
        shown = np.clip((np.nan_to_num(plane) - dark) / (bright - dark), 0, 1)
        colour += shown[..., None] * np.asarray(tint, np.float32)
    return np.asarray(np.clip(colour, 0, 1) * 255 + 0.5, np.uint8)


def edges(labels: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Pixels of each region that touch another region or the background."""
    framed = np.pad(labels, 1, mode="edge")
    centre = framed[1:-1, 1:-1]
    differs = np.zeros(labels.shape, bool)
    for shifted in (framed[:-2, 1:-1], framed[2:, 1:-1], framed[1:-1, :-2], framed[1:-1, 2:]):
        differs |= shifted != centre
    return differs & (centre > 0)


def shrink(image: npt.NDArray[np.uint8], side: int) -> npt.NDArray[np.uint8]:
    """The image reduced so that its longer side is at most `side` pixels."""
    tall, wide = image.shape[:2]
    if max(tall, wide) <= side:
        return image
    factor = side / max(tall, wide)
    size = (max(1, round(wide * factor)), max(1, round(tall * factor)))
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BOX))


def shrink_labels(labels: npt.NDArray[Any], side: int) -> npt.NDArray[Any]:
    """The label image sampled to the size that `shrink` gives; numbers are never mixed."""
    tall, wide = labels.shape
    if max(tall, wide) <= side:
        return labels
    factor = side / max(tall, wide)
    rows = (np.arange(max(1, round(tall * factor))) + 0.5) * (tall / max(1, round(tall * factor)))
    columns = (np.arange(max(1, round(wide * factor))) + 0.5) * (
        wide / max(1, round(wide * factor))
    )
    return labels[np.ix_(rows.astype(int), columns.astype(int))]


def outlines(cells: npt.NDArray[Any], nuclei: npt.NDArray[Any]) -> bytes:
    """A transparent PNG with cells in white and nuclei in cyan, to lie over an image."""
    drawn = np.zeros(cells.shape, np.uint8)
    drawn[edges(cells)] = 1
    drawn[edges(nuclei)] = 2
    return palette_png(drawn, ("#ffffff", "#5ae6ff"))


def palette_png(numbers: npt.NDArray[np.uint8], colours: Sequence[str]) -> bytes:
    """A PNG of few colours: number 1 is the first of `colours` (`#rrggbb`), 0 is transparent."""
    image = Image.fromarray(numbers, mode=None).convert("P")
    image.putpalette([0, 0, 0, *(b for colour in colours for b in bytes.fromhex(colour[1:]))])
    buffer = io.BytesIO()
    image.save(buffer, "PNG", transparency=0, optimize=True)
    return buffer.getvalue()


def encode(image: npt.NDArray[np.uint8], *, kind: str = "WEBP", quality: int = 80) -> bytes:
    """The bytes of an image file; `kind` is WEBP, JPEG or PNG."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, kind, quality=quality)
    return buffer.getvalue()


def data_link(content: bytes, kind: str = "webp") -> str:
    """The bytes as an address that a page can show without asking anyone."""
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
