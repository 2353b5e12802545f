"""Images and label images as OME-Zarr (NGFF 0.5): pyramids in Zarr 3, with what viewers need.

Source: Moore et al., Histochem Cell Biol 160, 223 (2023); NGFF 0.5 at ngff.openmicroscopy.org.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[Any]
VERSION = "0.5"
# Side of a piece, and the longer side from which on a smaller copy is made.
_PIECE = 1024
_SMALL = 256


@dataclass(frozen=True, slots=True)
class ShownChannel:
    """How a viewer shows a channel at first.

    Args:
        name: What it is called.
        colour: `#rrggbb`.
        least: The stored number of black, and `most` that of full intensity.
        most: See `least`.
        dark: Stored number that is shown black, and `bright` the one that is shown full.
        bright: See `dark`.
        active: Whether it is shown at first.
    """

    name: str
    colour: str
    least: float
    most: float
    dark: float
    bright: float
    active: bool


def write_image(
    folder: Path, pixels: Pixels, channels: Sequence[ShownChannel], pixel_size: float | None
) -> None:
    """Write an image `[channel, y, x]` as a group of its own.

    Args:
        folder: The group; made.
        pixels: Of any number type; kept as they are, smaller copies are means.
        channels: One for each plane.
        pixel_size: Micrometres per pixel; where it is unknown the axes state no unit.
    """
    levels = halves(pixels, mean=True)
    said = {
        "multiscales": [_multiscale(folder.name, "cyx", len(levels), pixel_size)],
        "omero": {
            "channels": [_omero(channel) for channel in channels],
            "rdefs": {"model": "color"},
        },
    }
    group(folder, said)
    write_levels(folder, "cyx", levels)


def write_labels(
    folder: Path,
    named: Mapping[str, Pixels],
    properties: Mapping[int, Mapping[str, Any]],
    colours: Mapping[int, tuple[int, int, int]],
    pixel_size: float | None,
) -> None:
    """Write label images `[y, x]` into the group `labels` of an image.

    Args:
        folder: The image they belong to.
        named: Label images by name.
        properties: What is known of a label, by its number.
        colours: Red, green and blue of a label; none where viewers are to choose.
        pixel_size: Micrometres per pixel.
    """
    group(folder / "labels", {"labels": list(named)})
    for name, labels in named.items():
        levels = halves(labels, mean=False)
        there = [number for number in np.unique(labels).tolist() if number]
        about: dict[str, Any] = {
            "source": {"image": "../../"},
            "properties": [{"label-value": n, **properties.get(n, {})} for n in there],
        }
        if colours:
            about["colors"] = [
                {"label-value": n, "rgba": [*colours[n], 255]} for n in there if n in colours
            ]
        said = {
            "multiscales": [_multiscale(name, "yx", len(levels), pixel_size)],
            # A list without entries is against the rules.
            "image-label": {key: value for key, value in about.items() if value},
        }
        group(folder / "labels" / name, said)
        write_levels(folder / "labels" / name, "yx", levels)


def group(folder: Path, said: Mapping[str, Any], further: Mapping[str, Any] | None = None) -> None:
    """Make a group that says this of itself, under `ome`; and `further` beside it."""
    import zarr

    attributes = {"ome": {"version": VERSION, **said}, **(further or {})}
    zarr.open_group(folder, mode="a", zarr_format=3).attrs.update(attributes)


def halves(pixels: Pixels, *, mean: bool) -> list[Pixels]:
    """The pixels `[..., y, x]` and copies of half the size, down to one that is seen at a glance.

    Args:
        pixels: An image `[channel, y, x]` or labels `[y, x]`.
        mean: Copies are means of two by two pixels; else the upper left one of them.
    """
    levels = [pixels]
    while max(levels[-1].shape[-2:]) > _SMALL:
        levels.append(_halved(levels[-1]) if mean else levels[-1][..., ::2, ::2])
    return levels


def write_levels(folder: Path, axes: str, levels: Sequence[Pixels], prefix: str = "") -> None:
    """Write the pixels and their smaller copies as arrays `<prefix>0`, `<prefix>1`, ..."""
    import zarr

    for number, level in enumerate(levels):
        lengths = level.shape[-2:]
        pieces = tuple(max(1, min(_PIECE, length)) for length in lengths)
        array = zarr.create_array(
            folder / f"{prefix}{number}",
            shape=level.shape,
            dtype=level.dtype,
            chunks=(*(1 for _ in level.shape[:-2]), *pieces),
            dimension_names=tuple(axes),
            zarr_format=3,
        )
        array[...] = level


def _multiscale(name: str, axes: str, levels: int, pixel_size: float | None) -> dict[str, Any]:
    unit = {} if pixel_size is None else {"unit": "micrometer"}
    space = [{"name": axis, "type": "space", **unit} for axis in "yx"]
    channel = [{"name": "c", "type": "channel"}] if "c" in axes else []
    return {
        "name": name,
        "axes": channel + space,
        "datasets": [
            {
                "path": str(level),
                "coordinateTransformations": _place(axes, level, pixel_size or 1.0),
            }
            for level in range(levels)
        ],
    }


def _place(axes: str, level: int, pixel_size: float) -> list[dict[str, Any]]:
    """Where a copy lies: the middle of its first pixel is that of all pixels it is made of."""
    factor = 2.0**level
    first = [1.0] * (len(axes) - 2)
    scale = {"type": "scale", "scale": [*first, pixel_size * factor, pixel_size * factor]}
    if not level:
        return [scale]
    shift = pixel_size * (factor - 1) / 2
    return [scale, {"type": "translation", "translation": [0.0] * len(first) + [shift, shift]}]


def _omero(channel: ShownChannel) -> dict[str, Any]:
    return {
        "label": channel.name,
        "color": channel.colour.removeprefix("#").upper(),
        "active": channel.active,
        "coefficient": 1,
        "family": "linear",
        "inverted": False,
        "window": {
            "min": channel.least,
            "max": channel.most,
            "start": channel.dark,
            "end": channel.bright,
        },
    }


def _halved(pixels: Pixels) -> Pixels:
    """Means of two by two pixels; of an odd side the last pixel stands for two."""
    tall, wide = pixels.shape[1] % 2, pixels.shape[2] % 2
    even = np.pad(pixels, ((0, 0), (0, tall), (0, wide)), mode="edge") if tall or wide else pixels
    count, height, width = even.shape
    means = even.reshape(count, height // 2, 2, width // 2, 2).mean(axis=(2, 4))
    whole = pixels.dtype.kind in "ui"
    halved: Pixels = np.asarray(np.rint(means) if whole else means).astype(pixels.dtype)
    return halved
