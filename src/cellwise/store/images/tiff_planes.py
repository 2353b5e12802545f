"""Planes of a TIFF: of one of its fields, of one channel, of one time point or of all."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile

from cellwise.domain.places import Place
from cellwise.domain.plain_words import counted
from cellwise.errors import InputError
from cellwise.store.images.broken_off import refuse_broken_off
from cellwise.store.images.tiff_images import PALETTE, TiffImage, contents_of

Pixels = npt.NDArray[Any]

# TIFF tag PhotometricInterpretation: the largest number is black; red, green and blue.
_WHITE_IS_ZERO = 0
_RGB = 2


def tiff_stack(tiff: tifffile.TiffFile, place: Place, plane: int | None) -> tuple[Pixels, bool]:
    """The planes of one channel; the others are not decoded where they lie on pages of their own.

    Args:
        tiff: An open TIFF.
        place: Which field, and which time point of it.
        plane: Index along the channel axis; without one, along the colours; None where the file
            is one channel.

    Returns:
        `[plane, y, x]`, or `[plane, y, x, colour]` and True where the pixels are colours.

    Raises:
        InputError: `unreadable`, `channel_missing`, `colour` for colours that are not red, green
            and blue, `planes_missing`.
    """
    image = _field(tiff, place)
    if plane is None and image.lengths.get("C", 1) > 1:
        raise InputError(
            f"The file holds {image.lengths['C']} channels where one is expected.",
            code="unreadable",
            remedy="Read the folder with --layout multichannel.",
        )
    chosen = _chosen(image, place, plane)
    axes = [axis for axis in image.axes if axis not in chosen]
    pages = _pages_of(image, chosen)
    pixels = (
        np.stack([page.asarray() for page in pages]).reshape(-1, *image.size)
        if pages is not None
        else _taken(image, chosen)
    )
    if pixels.dtype.kind not in "uifb":
        raise InputError(
            f"The pixels are of type {pixels.dtype}.",
            code="unreadable",
            remedy="Save the image as 8-bit, 16-bit or float.",
        )
    if image.dtype == "int16" and pixels.dtype == np.uint16:
        pixels = (pixels ^ np.uint16(1 << 15)).view(np.int16)
    if int(image.pages[0].keyframe.photometric) == PALETTE:
        pixels, axes = _through_palette(image, pixels), [*axes, "S"]
    if pages is None:
        order = [axes.index(axis) for axis in "YXS" if axis in axes]
        pixels = np.moveaxis(pixels, order, range(-len(order), 0))
    if "S" in axes:
        return _colours(image, pixels.reshape(-1, *image.size, pixels.shape[-1]))
    stack = pixels.reshape(-1, *image.size)
    refuse_broken_off(image, stack)
    return _black_is_zero(image, stack), False


def _black_is_zero(image: TiffImage, pixels: Pixels) -> Pixels:
    """The numbers with black below white, where the file says that it stores them turned round.

    Raises:
        InputError: `unreadable` for fractions, of which nothing says which is black.
    """
    if int(image.pages[0].keyframe.photometric) != _WHITE_IS_ZERO:
        return pixels
    if pixels.dtype.kind == "f":
        raise InputError(
            "The file stores fractions of which the largest is black (WhiteIsZero), and does not "
            "say how large that is.",
            code="unreadable",
            remedy="Save the image again, with black as zero (BlackIsZero).",
        )
    # Of whole numbers, signed ones too, the largest becomes the smallest.
    return np.asarray(~pixels)


def _field(tiff: tifffile.TiffFile, place: Place) -> TiffImage:
    fields = contents_of(tiff).fields
    if place.series >= len(fields):
        raise InputError(
            f"The file holds {counted(len(fields), 'fields')}, none with number "
            f"{place.series + 1}.",
            code="unreadable",
            remedy="Read the folder again.",
        )
    return fields[place.series]


def _chosen(image: TiffImage, place: Place, plane: int | None) -> dict[str, int]:
    """The index that is taken along axes: C, else pages of unstated meaning, else colours; T."""
    chosen: dict[str, int] = {}
    if plane is not None:
        axis = next((letter for letter in "CQIS" if letter in image.axes), None)
        if axis is None or plane >= image.lengths[axis]:
            raise InputError(
                f"The file has no channel number {plane + 1} (axes {image.axes}, {image.shape}).",
                code="channel_missing",
                remedy="Every file of a folder needs the same channels.",
            )
        chosen[axis] = plane
    if place.time is not None and "T" in image.axes:
        if place.time >= image.lengths["T"]:
            raise InputError(
                f"The file has no time point number {place.time + 1} of {image.lengths['T']}.",
                code="unreadable",
                remedy="Read the folder again.",
            )
        chosen["T"] = place.time
    return chosen


def _pages_of(image: TiffImage, chosen: dict[str, int]) -> list[Any] | None:
    """The pages that hold what was chosen; None where planes are not pages."""
    lead = image.shape[:-2]
    if not image.axes.endswith("YX") or "S" in image.axes:
        return None
    if len(image.pages) != math.prod(lead):
        return None
    numbers = np.arange(len(image.pages)).reshape(lead)
    for axis in sorted(chosen, key=image.axes.index, reverse=True):
        numbers = np.take(numbers, chosen[axis], axis=image.axes.index(axis))
    return [image.pages[int(number)] for number in np.ravel(numbers)]


def _taken(image: TiffImage, chosen: dict[str, int]) -> Pixels:
    pixels = image.decode()
    for axis in sorted(chosen, key=image.axes.index, reverse=True):
        pixels = np.take(pixels, chosen[axis], axis=image.axes.index(axis))
    return pixels


def _through_palette(image: TiffImage, pixels: Pixels) -> Pixels:
    """Colours for the numbers of a palette image, which are places in a table and no intensities.

    Raises:
        InputError: `colour` where the file has no such table.
    """
    table = image.pages[0].keyframe.colormap
    if table is None or pixels.dtype.kind != "u" or int(pixels.max(initial=0)) >= table.shape[1]:
        raise InputError(
            "The numbers of the image are places in a table of colours that the file lacks.",
            code="colour",
            remedy="Save one grey image per channel.",
        )
    # The table is of 16 bits whatever the image is.
    colours = (table >> 8).astype(np.uint8) if pixels.dtype == np.uint8 else table
    return np.asarray(np.moveaxis(colours[:, pixels], 0, -1))


def _colours(image: TiffImage, pixels: Pixels) -> tuple[Pixels, bool]:
    photometric = int(image.pages[0].keyframe.photometric)
    if not image.colour:
        # One grey sample, and transparency beside it.
        return _black_is_zero(image, pixels[..., 0]), False
    if photometric not in (_RGB, PALETTE) or pixels.shape[-1] < 3:
        raise InputError(
            "The colours are not stored as red, green and blue.",
            code="colour",
            remedy="Save one grey image per channel.",
        )
    return pixels[..., :3], True
