"""Images of fields and cells: one contrast per channel for the whole run, scale bars, planes.

Fields are decoded once and kept small; cells come from the run's crops.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import polars as pl

from cellwise.domain.channels import Channel
from cellwise.domain.crop_plan import CropPlan
from cellwise.domain.records import Field
from cellwise.kernels.crop import windows_of
from cellwise.parts.drawing.colours import first_shown, tints
from cellwise.parts.drawing.images import (
    Levels,
    blend,
    common_limits,
    data_link,
    encode,
    limits,
    planes_link,
    shrink,
    shrink_pixels,
    stretch,
)
from cellwise.stages.report.drawing.scale_bar import ScaleBar, scale_bar

SIDE = 640
"""Longer side of a field's image, in pixels."""
MOST_SWITCHED = 24
"""Runs of more channels have no switches: the page would be too large to send."""
_CELLS_SAMPLED = 200
_BOX = ("y0", "x0", "y1", "x1")


class Crops(Protocol):
    """Where single-cell images come from."""

    def crops(self, positions: npt.NDArray[np.int64]) -> npt.NDArray[np.float32] | None:
        """Single-cell images `[cell, channel, y, x]`, None where they were deleted."""

    @property
    def crop_channels(self) -> tuple[Channel, ...]:
        """Their channels."""


@dataclass(frozen=True, slots=True)
class Small:
    """A field as it is shown: `pixels[channel, y, x]` in 0..1, micrometres of its width."""

    pixels: npt.NDArray[np.float16]
    width: float | None


class FieldImages:
    """Images of fields, all channels in the order of the run's first field.

    Args:
        read: Gives a decoded field, None where its files are gone.
        channels: The channels of the run; one that a field lacks is dark there.
        sample: Sites whose pixels decide the contrast.
    """

    def __init__(
        self,
        read: Callable[[str], Field | None],
        channels: tuple[Channel, ...],
        sample: Sequence[str],
    ) -> None:
        self.channels = channels
        self._read, self._sample = read, tuple(sample)
        self._kept: dict[str, Small | None] = {}
        self._bounds: list[tuple[float, float]] = []

    @property
    def bounds(self) -> list[tuple[float, float]]:
        """Dark and bright of each channel, the same for every field of the run."""
        if not self._bounds:
            small = [field for site in self._sample if (field := self._small(site)) is not None]
            per_field = [limits(field.pixels.astype(np.float32)) for field in small]
            self._bounds = [
                common_limits([field[n] for field in per_field]) if per_field else (0.0, 1.0)
                for n in range(len(self.channels))
            ]
        return self._bounds

    def levels(self, site: str) -> Levels | None:
        """The field in the run's contrast, `[channel, y, x]` in 0..255; None where it is gone."""
        small = self._small(site)
        return None if small is None else stretch(small.pixels.astype(np.float32), self.bounds)

    def links(self, site: str, *, side: int = SIDE) -> dict[str, Any]:
        """`image`, `planes` (empty without switches) and `bar`; nothing where the field is gone."""
        levels, small = self.levels(site), self._kept.get(site)
        if levels is None or small is None:
            return {}
        return {
            **_links(levels, self.channels, side=side, quality=(82, 72)),
            "bar": scale_bar(small.width),
        }

    def _small(self, site: str) -> Small | None:
        if site not in self._kept:
            self._kept[site] = self._shrunk(self._read(site))
        return self._kept[site]

    def _shrunk(self, field: Field | None) -> Small | None:
        if field is None:
            return None
        shrunk = shrink_pixels(field.pixels, SIDE)
        places = {channel.key: n for n, channel in enumerate(field.channels)}
        pixels = np.zeros((len(self.channels), *shrunk.shape[1:]), np.float16)
        for n, channel in enumerate(self.channels):
            if channel.key in places:
                pixels[n] = shrunk[places[channel.key]]
        size = field.pixel_size
        return Small(pixels, None if size is None else size * field.pixels.shape[2])


class CellImages:
    """Images of single cells, all in one contrast.

    Args:
        images: Where they come from.
        positions: Rows of the cells table that may be shown.
        plan: How the cells were cut out.
        sizes: Micrometres per pixel by site; a site that is not there is of unknown scale.
    """

    def __init__(
        self,
        images: Crops,
        positions: npt.NDArray[np.int64],
        plan: CropPlan,
        sizes: Mapping[str, float],
    ) -> None:
        self.channels = images.crop_channels
        self.plan = plan
        self._images, self._sizes = images, sizes
        step = max(1, positions.size // _CELLS_SAMPLED)
        sample = images.crops(positions[::step]) if positions.size else None
        self.bounds = None if sample is None else limits(sample, low=2.0)

    def levels(self, positions: npt.NDArray[np.int64]) -> list[Levels] | None:
        """Each cell `[channel, y, x]` in 0..255; None where the images were deleted."""
        pixels = None if self.bounds is None else self._images.crops(positions)
        if pixels is None or self.bounds is None:
            return None
        return [stretch(cell, self.bounds) for cell in pixels]

    def window(
        self, row: Mapping[str, Any], frame: tuple[int, ...] | None = None
    ) -> tuple[float, float, float]:
        """Top, left and side of what was cut out, in pixels of the field.

        Args:
            row: Of the cells table.
            frame: Height and width of the field, for windows that were shifted inside it.
        """
        corners = (np.array([int(row[name])]) for name in _BOX)
        top, left, side = windows_of(*corners, plan=self.plan, frame=frame)[0]
        return float(top), float(left), float(side)

    def shown_twice(self, row: Mapping[str, Any]) -> bool:
        """Whether the crop of this cell shows it twice, side by side."""
        tall, wide = row["y1"] - row["y0"], row["x1"] - row["x0"]
        return self.plan.repeat and bool(2 * min(tall, wide) < max(tall, wide))

    def bar(self, row: Mapping[str, Any]) -> ScaleBar | None:
        """The scale bar for the cell of this row of the cells table."""
        size = self._sizes.get(row["site_id"])
        if size is None or any(row.get(name) is None for name in _BOX):
            return None
        return scale_bar(size * self.window(row)[2])

    def links(self, levels: Levels, *, side: int, planes: bool) -> dict[str, Any]:
        """`image` and `planes` of one cell; `planes` is empty where they are not wanted."""
        return _links(levels, self.channels, side=side, quality=(82, 70), planes=planes)


def switches(channels: Sequence[Channel]) -> list[dict[str, Any]]:
    """What the legend says of each channel: name, role, colour, whether it is shown at first."""
    shown = first_shown(channels)
    return [
        {
            "name": channel.name,
            "role": channel.role if channel.role and channel.role != channel.name else "",
            "colour": tint.name,
            "code": tint.code,
            "shown": n in shown,
        }
        for n, (channel, tint) in enumerate(zip(channels, tints(channels), strict=True))
    ]


def pixel_sizes(sites: pl.DataFrame | None) -> dict[str, float]:
    """Micrometres per pixel of the sites where they are known."""
    if sites is None or "pixel_size" not in sites.columns:
        return {}
    known = sites.filter(pl.col("pixel_size") > 0).select("site_id", "pixel_size")
    return dict(known.iter_rows())


def crop_plan(record: Mapping[str, Any]) -> CropPlan:
    """How the run's step `cells` cut cells out, from the run's record."""
    steps = (record.get("recipe") or {}).get("steps") or []
    said = next((step.get("options") or {} for step in steps if step.get("kind") == "cells"), {})
    return CropPlan(**{name: said[name] for name in CropPlan.__slots__ if name in said})


def _links(
    levels: Levels,
    channels: Sequence[Channel],
    *,
    side: int,
    quality: tuple[int, int],
    planes: bool = True,
) -> dict[str, Any]:
    shown, colours = first_shown(channels), tints(channels)
    image = blend(levels[shown], [colours[n].rgb for n in shown])
    switched = planes and 1 < len(channels) <= MOST_SWITCHED
    small = np.stack([shrink(plane, side) for plane in levels]) if switched else None
    return {
        "image": data_link(encode(shrink(image, side), quality=quality[0])),
        "planes": "" if small is None else planes_link(small, quality=quality[1]),
    }
