"""The images in a TIFF: which are fields, which are copies, labels or thumbnails of them.

tifffile gives series of pages. One image per page, all of one size and type and without stated
axes (as programs leave them that append page by page), are one image of pages. Images as large
as, or unlike in size only to, the largest are fields of their own (the Images of an OME-TIFF); what
is named label, macro or thumbnail, or is the same at a lower resolution, is left and named; any
other image is odd.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile

from cellwise.domain.plain_words import by_number, counted
from cellwise.errors import InputError

_ASIDE = re.compile(r"label|macro|thumb|overview|preview|\bmap\b", re.IGNORECASE)
# Families of TIFF without stated axes.
_PLAIN = ("shaped", "generic", "uniform")
# A copy of lower resolution is at least so much smaller, in both directions alike.
_SMALLER = 1.9
_ALIKE = 0.05
_MOST_CHANNELS = 16
# TIFF tags: samples that are colours or a palette, and the kinds of samples beside them.
PALETTE = 3
_COLOURS = (2, PALETTE, 5, 6, 8)
_TRANSPARENCY = (1, 2)


@dataclass(frozen=True, slots=True)
class TiffImage:
    """One image: an array of pages.

    Args:
        axes: Axis letters in stored order, as in tifffile; samples that are channels are `C`.
        shape: Length of each axis.
        dtype: Numpy name of the numbers; `int16` also where ImageJ stored these 32,768 higher.
        pages: Its pages in stored order; fewer than planes where one page holds them all.
        name: What the file calls it.
        number: Place among the images of the file, in stored order.
        kind: The family of TIFF, as in tifffile.
        colour: Whether its samples are colours.
        spare: How many samples of each pixel are transparency.
        series: The series of tifffile it is, None where it is made of several.
    """

    axes: str
    shape: tuple[int, ...]
    dtype: str
    pages: tuple[Any, ...]
    name: str
    number: int
    kind: str
    colour: bool
    spare: int
    series: Any = None

    @property
    def lengths(self) -> dict[str, int]:
        """Length by axis letter."""
        return dict(zip(self.axes, self.shape, strict=True))

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return self.lengths["Y"], self.lengths["X"]

    def decode(self) -> npt.NDArray[Any]:
        """All pixels, in the order of `axes`."""
        if self.series is not None:
            return np.asarray(self.series.asarray())
        return np.stack([page.asarray() for page in self.pages]).reshape(self.shape)


@dataclass(frozen=True, slots=True)
class Contents:
    """What a TIFF holds: its fields in stored order, what is left unread, and what is odd."""

    fields: tuple[TiffImage, ...]
    left: tuple[str, ...]
    odd: tuple[str, ...]


def contents_of(tiff: tifffile.TiffFile) -> Contents:
    """Sort the images of an open TIFF.

    Raises:
        InputError: `unreadable` where it holds no image, `planes_missing` where it states planes
            that it does not hold (they would be read as zeros).
    """
    signed = _is_signed(tiff)
    found = [_image(series, number, signed=signed) for number, series in enumerate(tiff.series)]
    left = [text for series in tiff.series if (text := _copies(series))]
    images = _joined([image for image in found if {"Y", "X"} <= set(image.axes)])
    if not images:
        axes = ", ".join(image.axes for image in found) or "none"
        raise InputError(f"The image has axes {axes}.", code="unreadable", remedy="Save it as YX.")
    named = [p for p in images if not _ASIDE.search(p.name)] or images
    main = max(named, key=lambda image: (math.prod(image.size), -image.number))
    fields, odd = [], []
    for image in images:
        if image is main or (image in named and _is_field(image, main)):
            fields.append(image)
        elif image not in named or _is_copy(image, main):
            left.append(_words(image))
        else:
            odd.append(_words(image))
    left += _homeless(tiff, images)
    for image in fields:
        _refuse_gaps(image)
    return Contents(tuple(fields), tuple(left), tuple(odd))


def _is_signed(tiff: tifffile.TiffFile) -> bool:
    """Whether ImageJ stored signed numbers: as unsigned ones, 32,768 higher, with that said."""
    said: dict[str, Any] = (tiff.imagej_metadata or {}) if tiff.is_imagej else {}
    return tuple(said.get(name) for name in ("cf", "c0", "c1")) == (0, -(1 << 15), 1)


def _image(series: Any, number: int, *, signed: bool) -> TiffImage:
    page = series.keyframe
    extra = tuple(page.extrasamples or ())
    spare = sum(int(kind) in _TRANSPARENCY for kind in extra)
    colour = int(page.photometric) in _COLOURS
    axes, shape = str(series.axes), tuple(int(length) for length in series.shape)
    samples = shape[axes.index("S")] if "S" in axes else 1
    if colour and int(page.photometric) != PALETTE:
        # A fourth sample of unstated meaning is no colour either.
        spare = max(spare, samples - 3)
    elif "S" in axes and samples - spare > 1 and "C" not in axes:
        axes = axes.replace("S", "C")
    if not colour and _channels_last(str(series.kind), axes, shape):
        axes = "YXC"
    return TiffImage(
        axes,
        shape,
        "int16" if signed and series.dtype == np.uint16 else str(series.dtype),
        tuple(series.pages),
        str(series.name or ""),
        number,
        str(series.kind),
        colour,
        spare,
        series,
    )


def _channels_last(kind: str, axes: str, shape: tuple[int, ...]) -> bool:
    """Whether an array `[y, x, channel]` was written as it stands: hundreds of pages of few pixels.

    So do `imwrite` and `imsave` of Python with two channels, or with more than four.
    """
    if kind not in _PLAIN or len(axes) != 3 or not axes.endswith("YX"):
        return False
    height, width, channels = shape
    return channels <= _MOST_CHANNELS and min(height, width) >= max(32, 4 * channels)


def _joined(images: list[TiffImage]) -> list[TiffImage]:
    """Single planes that were appended one by one become one image of pages."""
    if len(images) < 2:
        return images
    first = images[0]
    plain = all(
        p.kind in _PLAIN
        and len(p.pages) == math.prod(p.shape) // math.prod(p.size) == 1
        and not p.colour
        and not _ASIDE.search(p.name)
        and (p.size, p.dtype) == (first.size, first.dtype)
        for p in images
    )
    if not plain:
        return images
    pages = tuple(page for image in images for page in image.pages)
    shape = (len(pages), *first.size)
    return [replace(first, axes="QYX", shape=shape, pages=pages, series=None)]


def _is_field(image: TiffImage, main: TiffImage) -> bool:
    if _kind_of_pixels(image) != _kind_of_pixels(main):
        return False
    return image.kind == "ome" or image.size == main.size or not _is_copy(image, main)


def _kind_of_pixels(image: TiffImage) -> tuple[Any, ...]:
    lengths = image.lengths
    return image.dtype, image.colour, lengths.get("C", 1), lengths.get("S", 1)


def _is_copy(image: TiffImage, main: TiffImage) -> bool:
    """Whether it is as `main` at a lower resolution."""
    if image.dtype != main.dtype or image.colour != main.colour:
        return False
    factors = [big / small for big, small in zip(main.size, image.size, strict=True)]
    return min(factors) >= _SMALLER and max(factors) <= (1 + _ALIKE) * min(factors)


def _copies(series: Any) -> str:
    levels = len(getattr(series, "levels", ())) - 1
    return f"{levels} smaller {'copies' if levels > 1 else 'copy'}" if levels > 0 else ""


def _words(image: TiffImage) -> str:
    height, width = image.size
    name = f"{image.name!r}, " if image.name else ""
    many = math.prod(image.shape) // (height * width * image.lengths.get("S", 1))
    colours = "colours, " if image.colour else ""
    planes = f"{counted(many, 'planes')} of " if many > 1 else ""
    return f"an image ({name}{planes}{height} x {width}, {colours}{image.dtype})"


def _homeless(tiff: tifffile.TiffFile, images: Sequence[TiffImage]) -> list[str]:
    """Pages that no image holds, such as those beyond the number that a program announced."""
    used = {
        page.index
        for image in images
        for page in image.pages
        if page is not None and isinstance(page.index, int)
    }
    for series in tiff.series:
        for level in getattr(series, "levels", ()):
            used |= {page.index for page in level.pages if page is not None}
    spare = [page for page in range(len(tiff.pages)) if page not in used]
    virtual = any(len(p.pages) < _planes(p) for p in images)
    if not spare or virtual:
        return []
    return [f"{len(spare)} page{'s' if len(spare) > 1 else ''} that belong to no image"]


def _planes(image: TiffImage) -> int:
    return math.prod(n for axis, n in image.lengths.items() if axis not in "YXSC")


def _refuse_gaps(image: TiffImage) -> None:
    gaps = sum(page is None for page in image.pages)
    if gaps:
        raise InputError(
            f"The file states {counted(len(image.pages), 'planes')}, of which {gaps} "
            f"{by_number(gaps, 'is', 'are')} not in it.",
            code="planes_missing",
            remedy="Export it again, all planes of the field in one file.",
        )
