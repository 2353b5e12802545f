"""Fields of files that hold scenes: what they say of themselves, and the planes of one channel.

The same rules as for TIFF. Fields are as the largest in number type, channels and colours; an
image unlike it is odd. Every axis is accounted for: time, channels and depth by their letters, and
an axis of any other meaning is refused.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from cellwise.domain.headers import Header
from cellwise.domain.places import Place
from cellwise.domain.plain_words import counted
from cellwise.errors import InputError
from cellwise.store.images.pixel_sizes import plausible
from cellwise.store.images.zarr_pieces import NO_GAPS, Gaps

Pixels = npt.NDArray[Any]

_KNOWN = "TCZYXS"
_AGAIN = "Read the folder again."


@dataclass(frozen=True, slots=True)
class Scene:
    """One image of a file.

    Args:
        axes: Axis letters in stored order; `S` are colours.
        shape: Length of each axis.
        dtype: Numpy name of the stored numbers.
        take: Decodes the part with these indices along axes; the axes left keep their order.
        channel_names: Names of the channels, empty where not stated.
        pixel_size: Micrometres per pixel across, None where not stated.
        pixel_height: The same down.
        gaps: Pieces of it that are not stored.
    """

    axes: str
    shape: tuple[int, ...]
    dtype: str
    take: Callable[[Mapping[str, int]], Pixels]
    channel_names: tuple[str, ...] = ()
    pixel_size: float | None = None
    pixel_height: float | None = None
    gaps: Gaps = NO_GAPS

    @property
    def lengths(self) -> dict[str, int]:
        """Length by axis letter."""
        return dict(zip(self.axes, self.shape, strict=True))


def scenes_header(scenes: Sequence[Scene]) -> Header:
    """The header of the first field, with those of further ones in `series`.

    Raises:
        InputError: `unreadable` for no image, or an axis that is none of time, channel, depth,
            height, width and colour.
    """
    fields, odd = _sorted_out(scenes)
    first, *further = map(_header, fields)
    return replace(first, series=tuple(further), odd=odd)


def scene_stack(scenes: Sequence[Scene], place: Place, plane: int | None) -> tuple[Pixels, bool]:
    """The planes of one channel of one field.

    Returns:
        `[plane, y, x]`, or `[plane, y, x, colour]` and True where the pixels are colours.

    Raises:
        InputError: `unreadable`, `channel_missing`.
    """
    fields, _ = _sorted_out(scenes)
    if place.series >= len(fields):
        raise InputError(
            f"The file holds {counted(len(fields), 'fields')}, none with number "
            f"{place.series + 1}.",
            code="unreadable",
            remedy=_AGAIN,
        )
    scene = fields[place.series]
    chosen = _chosen(scene, place, plane)
    axes = [axis for axis in scene.axes if axis not in chosen]
    pixels = np.asarray(scene.take(chosen))
    expected = tuple(scene.lengths[axis] for axis in axes)
    if pixels.shape != expected or pixels.dtype.name != scene.dtype:
        raise InputError(
            f"The file states {expected} of {scene.dtype} and holds {pixels.shape} of "
            f"{pixels.dtype.name}.",
            code="unreadable",
            remedy="Export it as OME-TIFF.",
        )
    order = [axes.index(axis) for axis in "YXS" if axis in axes]
    pixels = np.moveaxis(pixels, order, range(-len(order), 0))
    stack = pixels.reshape(-1, *pixels.shape[-len(order) :])
    if "S" not in axes:
        return stack, False
    return (stack[..., :3], True) if stack.shape[-1] >= 3 else (stack[..., 0], False)


def _sorted_out(scenes: Sequence[Scene]) -> tuple[list[Scene], tuple[str, ...]]:
    """The fields in stored order, and what is unlike the largest, in words."""
    if not scenes:
        raise InputError("The file holds no image.", code="unreadable", remedy="Export it again.")
    for scene in scenes:
        _refuse_axes(scene)
    main = max(scenes, key=lambda scene: scene.lengths["Y"] * scene.lengths["X"])
    fields = [scene for scene in scenes if _kind(scene) == _kind(main)]
    odd = [scene for scene in scenes if _kind(scene) != _kind(main)]
    return fields, tuple(map(_words, odd))


def _kind(scene: Scene) -> tuple[Any, ...]:
    return scene.dtype, scene.lengths.get("C", 1), scene.lengths.get("S", 1)


def _words(scene: Scene) -> str:
    lengths = scene.lengths
    many = math.prod(n for axis, n in lengths.items() if axis not in "YXS")
    planes = f"{counted(many, 'planes')} of " if many > 1 else ""
    colours = "colours, " if lengths.get("S", 1) > 1 else ""
    return f"an image ({planes}{lengths['Y']} x {lengths['X']}, {colours}{scene.dtype})"


def _refuse_axes(scene: Scene) -> None:
    strange = [axis for axis, length in scene.lengths.items() if axis not in _KNOWN and length > 1]
    if strange or not {"Y", "X"} <= set(scene.axes) or len(set(scene.axes)) < len(scene.axes):
        mosaic = "M is a mosaic of tiles: join them first. " if "M" in strange else ""
        raise InputError(
            f"The image has axes {scene.axes} of lengths {', '.join(map(str, scene.shape))}; only "
            "T, C, Z, Y, X and colours can be read.",
            code="unreadable",
            remedy=f"{mosaic}Export it as OME-TIFF with these axes.",
        )
    if np.dtype(scene.dtype).kind not in "uifb":
        raise InputError(
            f"The pixels are of type {scene.dtype}.",
            code="unreadable",
            remedy="Save the image as 8-bit, 16-bit or float.",
        )


def _header(scene: Scene) -> Header:
    lengths = scene.lengths
    channels = lengths.get("C", 1)
    return Header(
        height=lengths["Y"],
        width=lengths["X"],
        dtype=scene.dtype,
        channels=channels,
        axes=scene.axes,
        shape=scene.shape,
        channel_names=scene.channel_names if len(scene.channel_names) == channels else (),
        pixel_size=plausible(scene.pixel_size),
        pixel_height=plausible(scene.pixel_height),
        lost=scene.gaps.lost,
        black=scene.gaps.black,
        z=lengths.get("Z", 1),
        t=lengths.get("T", 1),
        colour=lengths.get("S", 1) >= 3,
        transparent=lengths.get("S", 1) in (2, 4),
    )


def _chosen(scene: Scene, place: Place, plane: int | None) -> dict[str, int]:
    """The index along channels (else colours), along time, and along axes of length 1."""
    lengths = scene.lengths
    chosen = {axis: 0 for axis in scene.axes if axis not in _KNOWN}
    if plane is not None:
        axis = next((letter for letter in "CS" if lengths.get(letter, 1) > 1), "C")
        if plane >= lengths.get(axis, 1):
            raise InputError(
                f"The file has no channel number {plane + 1} (axes {scene.axes}, {scene.shape}).",
                code="channel_missing",
                remedy="Every file of a folder needs the same channels.",
            )
        if axis in lengths:
            chosen[axis] = plane
    elif lengths.get("C", 1) > 1:
        raise InputError(
            f"The file holds {lengths['C']} channels where one is expected.",
            code="unreadable",
            remedy="Read the folder with --layout multichannel.",
        )
    if place.time is not None and "T" in lengths:
        if place.time >= lengths["T"]:
            raise InputError(
                f"The file has no time point number {place.time + 1} of {lengths['T']}.",
                code="unreadable",
                remedy=_AGAIN,
            )
        chosen["T"] = place.time
    return chosen
