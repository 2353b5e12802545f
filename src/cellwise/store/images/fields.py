"""Pixels of fields: decoded whole or not at all, by Pillow, tifffile, zarr and bioio's readers.

OpenCV and imagecodecs are not used: both give half an array for a half JPEG without an error.
Within one file, `ChannelFile.plane` counts along the channel axis (`C`, else the pages of unstated
meaning, else the colours). A path may end in marks (`domain.places`): `#s=<i>` is the i-th field of
the file, `#t=<j>` its j-th time point, `#z=<k>` the k-th plane (from 0, in stored order) of the
stack that all other axes are; without it the stack is projected.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
import numpy.typing as npt
from PIL import ImageFile as PillowSettings

from cellwise.domain.headers import Header
from cellwise.domain.places import Place, place_of
from cellwise.domain.plain_words import counted
from cellwise.domain.records import ChannelFile, Field, Site
from cellwise.errors import InputError
from cellwise.store.images.colours import REMEDY, Hues, grey_of, hues_of
from cellwise.store.images.headers import (
    open_plain,
    open_tiff,
    read_header,
    reading,
    scenes_in,
)
from cellwise.store.images.kept import kept_or
from cellwise.store.images.scale import to_unit
from cellwise.store.images.scenes import scene_stack
from cellwise.store.images.structure import check_whole, kind_of
from cellwise.store.images.tiff_planes import tiff_stack

__all__ = [
    "Header",
    "read_field",
    "read_field_with_flags",
    "read_header",
    "read_hues",
    "read_pixels",
]

Pixels = npt.NDArray[Any]
Stack = Literal["max", "mid", "refuse"]


def read_field(site: Site, root: Path) -> Field:
    """Decode all channels of a site.

    Args:
        site: Its `files` say where the pixels lie; Z stacks were settled when the folder was read.
        root: The folder that the paths are relative to.

    Returns:
        Pixels float32 `[channel, y, x]` in 0..1 by the intensity scale of each channel, one for
        all sites of a run (`domain.intensities.decide`), see `to_unit`. NaN and infinities become
        0, what lies beyond the scale 0 or 1.

    Raises:
        InputError: `not_found`, `empty_file`, `truncated`, `unreadable`, `colour`, `size_mismatch`,
            `channel_missing`, `scale_mismatch`, `all_saturated`.
    """
    return read_field_with_flags(site, root)[0]


def read_field_with_flags(site: Site, root: Path) -> tuple[Field, dict[str, list[str]]]:
    """Decode a site as `read_field` does, and say what was changed.

    Returns:
        The field, and per channel name the flags among `nan`, `negative`, `clipped`
        (`float_scaled` in older runs).
    """
    return kept_or(_decoded, site, root)


def _decoded(site: Site, root: Path) -> tuple[Field, dict[str, list[str]]]:
    if not site.files:
        raise InputError(
            "The site has no channel.",
            code="channel_missing",
            remedy="Check the names of its files.",
            path=site.id,
        )
    planes: list[npt.NDArray[np.float32]] = []
    flags: dict[str, list[str]] = {}
    for entry in site.files:
        pixels = read_pixels(entry, root)
        name, path = entry.channel.name, entry.paths[0]
        plane, marks = to_unit(pixels, entry.scale, channel=name, path=path)
        if planes and plane.shape != planes[0].shape:
            raise _mismatch(site, entry, plane.shape, planes[0].shape)
        planes.append(plane)
        flags[entry.channel.name] = marks
    return Field(site.id, np.stack(planes), site.channels, site.pixel_size), flags


def read_pixels(entry: ChannelFile, root: Path, z: Stack = "max") -> Pixels:
    """Decode one channel as stored: a 2-D array of the file's own number type.

    Args:
        entry: Which files, and which plane of them; several files are one Z stack.
        root: The folder that the paths are relative to.
        z: What a stack becomes: its maximum, its middle plane, or an error.

    Raises:
        InputError: As `read_field`, and `z_stack` where `z` is `refuse`.
    """
    if z == "refuse" and len(entry.paths) > 1:
        raise _refused_stack(entry.paths[0], len(entry.paths))
    paths = (entry.paths[len(entry.paths) // 2],) if z == "mid" else entry.paths
    planes = (_read_plane(path, entry, root, z) for path in paths)
    return _brightest(planes, entry)


def _brightest(planes: Iterable[Pixels], entry: ChannelFile) -> Pixels:
    result: Pixels | None = None
    for plane in planes:
        if result is not None and result.shape != plane.shape:
            raise InputError(
                f"The planes of one stack differ in size: {result.shape} and {plane.shape}.",
                code="size_mismatch",
                remedy="Export the stack again.",
                path=entry.paths[0],
            )
        result = plane if result is None else np.fmax(result, plane)
    if result is None:
        raise InputError(
            f"Channel {entry.channel.name!r} has no file.",
            code="channel_missing",
            remedy="Check the names of its files.",
        )
    return result


def _read_plane(path: str, entry: ChannelFile, root: Path, z: Stack) -> Pixels:
    place = place_of(path)
    with _stored(root, place, entry.plane) as (pixels, colours):
        stack = grey_of(pixels, one_hue=entry.colour) if colours else pixels
        return _flatten(stack, z if place.z is None else place.z, place.file)


def read_hues(entry: ChannelFile, root: Path) -> Hues:
    """Whether the first file of a channel is grey, of one hue or of several.

    Raises:
        InputError: As `read_pixels`.
    """
    with _stored(root, place_of(entry.paths[0]), entry.plane) as (pixels, colours):
        return hues_of(pixels) if colours else "grey"


@contextmanager
def _stored(root: Path, place: Place, plane: int | None) -> Iterator[tuple[Pixels, bool]]:
    """`[plane, y, x]`, or `[plane, y, x, colour]` and True where these are colours."""
    with scenes_in(root / place.file) as scenes:
        if scenes is not None:
            yield scene_stack(scenes, place, plane)
            return
    with reading(root / place.file) as stream:
        yield _in_stream(stream, place, plane)


def _in_stream(stream: BinaryIO, place: Place, plane: int | None) -> tuple[Pixels, bool]:
    kind = kind_of(stream)
    check_whole(stream, kind)
    if kind == "tiff":
        with open_tiff(stream) as tiff:
            return tiff_stack(tiff, place, plane)
    pixels, colours = _plain_pixels(stream, kind, plane)
    if colours and plane is not None:
        pixels, colours = pixels[..., plane], False
    return pixels[None], colours


def _plain_pixels(stream: BinaryIO, kind: str, plane: int | None) -> tuple[Pixels, bool]:
    """Decode a PNG, JPEG, WebP or BMP; says whether colours come last.

    Transparency is dropped but where it is asked for as plane 3: there it is a channel.
    """
    # Another package may have asked Pillow to fill what is missing with grey.
    PillowSettings.LOAD_TRUNCATED_IMAGES = False
    image = open_plain(stream, kind)
    if kind == "png":
        _refuse_deep_colour(stream)
    mode = image.mode
    image.load()
    if mode == "1":
        return np.asarray(image).astype(np.uint8) * np.uint8(255), False
    if mode in ("L", "I;16", "I;16B", "I", "F"):
        return np.array(image), False
    if mode in ("LA", "La"):
        return np.array(image)[..., 0], False
    if mode == "RGBA" and plane is not None:
        return np.array(image)[..., plane], False
    if mode in ("P", "PA", "RGB", "RGBA", "RGBX"):
        return np.array(image.convert("RGB")), True
    raise InputError(f"The image is stored in colour mode {mode}.", code="colour", remedy=REMEDY)


def _refuse_deep_colour(stream: BinaryIO) -> None:
    """Pillow keeps only the high byte of 16-bit colours: a loss that nobody would see."""
    position = stream.tell()
    stream.seek(24)
    depth, colour = stream.read(2)
    stream.seek(position)
    if depth == 16 and colour != 0:
        raise InputError(
            "The image holds 16-bit colours, of which only 8 bits could be read.",
            code="colour",
            remedy="Save one 16-bit grey image per channel.",
        )


def _flatten(stack: Pixels, z: Stack | int, path: str) -> Pixels:
    if isinstance(z, int):
        if z >= len(stack):
            raise InputError(
                f"The stack has {counted(len(stack), 'planes')}, no plane {z}.",
                code="unreadable",
                remedy="Read the folder again.",
            )
        return np.array(stack[z])
    if len(stack) > 1 and z == "refuse":
        raise _refused_stack(path, len(stack))
    if len(stack) == 1 or z == "mid":
        return np.array(stack[len(stack) // 2])
    # NaN in one plane must not hide the other planes.
    return np.asarray(np.fmax.reduce(stack, axis=0))


def _mismatch(
    site: Site, entry: ChannelFile, found: tuple[int, ...], expected: tuple[int, ...]
) -> InputError:
    return InputError(
        f"Channel {entry.channel.name!r} is {found[0]} x {found[1]}, "
        f"channel {site.files[0].channel.name!r} is {expected[0]} x {expected[1]}.",
        code="size_mismatch",
        remedy="Export all channels of the field at one size.",
        path=entry.paths[0] if entry.paths else site.id,
    )


def _refused_stack(path: str, planes: int) -> InputError:
    return InputError(
        f"A stack of {counted(planes, 'planes')}, and stacks are refused.",
        code="z_stack",
        remedy="Say how to flatten it: --set read.stack=max or --set read.stack=mid.",
        path=path,
    )
