"""Many cells in one image: a screen of the gallery costs one request."""

from functools import cached_property

import numpy as np
import numpy.typing as npt

from cellwise.app.view.data.kept import Kept
from cellwise.app.view.data.opened import Opened
from cellwise.app.view.data.question import Rows
from cellwise.app.view.drawing.bands import blended
from cellwise.app.view.drawing.tinting import Bounds, Shown, asked_channels
from cellwise.errors import FormatError
from cellwise.parts.drawing.images import Levels, Pixels, encode, limits
from cellwise.store.run.crops import CropStore

ACROSS = 16
"""Cells in a row of a sheet."""
_CELLS_SAMPLED = 200
_BYTES_KEPT = 48e6
# Every number of the type, to look its brightness up: faster than calculating with each pixel.
_ALL = np.clip(np.nan_to_num(np.arange(1 << 16, dtype=np.uint16).view(np.float16)), 0, 1).astype(
    np.float32
)


class Sheets:
    """Sheets of the cells of one run, in one contrast.

    Args:
        opened: The run.
    """

    def __init__(self, opened: Opened) -> None:
        self._opened = opened
        self._kept: Kept[bytes] = Kept(_BYTES_KEPT, len)

    @cached_property
    def bounds(self) -> Bounds | None:
        """Dark and bright of each channel, from a sample of cells; None without images."""
        store = self._opened.store
        if store is None:
            return None
        step = max(1, len(store) // _CELLS_SAMPLED)
        found = [_one(store, place) for place in range(0, len(store), step)]
        readable = [cell for cell in found if cell is not None]
        return limits(np.concatenate(readable), low=2.0) if readable else None

    def side(self, wanted: int) -> int:
        """The side of a cell on a sheet: the least whole part of its image of at least `wanted`."""
        store = self._opened.store
        size = store.size if store is not None else 1
        return size // max(1, size // max(1, wanted))

    def shown(self, channels: str | None) -> list[Shown]:
        """The channels an address asks for, see `asked_channels`."""
        return asked_channels(channels, self._opened.crop_channels, self.bounds or ())

    def sheet(self, rows: Rows, shown: list[Shown], wanted: int) -> bytes | None:
        """A JPEG of these cells, `ACROSS` in a row; None where there are no images.

        Args:
            rows: The cells, in order.
            shown: The channels that are drawn.
            wanted: The side that a cell is to be shown in, in pixels; see `side`.
        """
        if self._opened.store is None or self.bounds is None or not len(rows):
            return None
        key = (rows.tobytes(), repr(shown), wanted)
        try:
            return self._kept.give(key, lambda: encode(self._drawn(rows, shown, wanted)))
        except (FormatError, OSError):
            # Deleted or damaged since the page was opened.
            return None

    def one(self, rows: Rows, shown: list[Shown], wanted: int) -> bytes | None:
        """A JPEG of a single cell; None where there is no image."""
        store = self._opened.store
        if store is None or self.bounds is None:
            return None
        try:
            return encode(self._drawn(rows, shown, wanted, across=1), quality=90)
        except (FormatError, OSError):
            return None

    def _drawn(self, rows: Rows, shown: list[Shown], wanted: int, across: int = ACROSS) -> Levels:
        store = self._opened.store
        assert store is not None
        side = self.side(wanted)
        pixels = store.stored(rows)
        levels = np.stack(
            [_levels(pixels[:, one.place], one, side) for one in shown]
            or [np.zeros((len(rows), side, side), np.uint8)]
        )
        down = -(-len(rows) // across)
        sheet = np.zeros((len(levels), down * across, side, side), np.uint8)
        sheet[:, : len(rows)] = levels
        flat = (
            sheet.reshape(-1, down, across, side, side)
            .transpose(0, 1, 3, 2, 4)
            .reshape(-1, down * side, across * side)
        )
        size = (flat.shape[1], flat.shape[2])
        return blended(lambda part: flat[:, part], size, [one.rgb for one in shown])


def _one(store: CropStore, place: int) -> Pixels | None:
    """One cell `[1, channel, y, x]`, None where its file is gone or damaged."""
    try:
        return store.read(np.array([place]))
    except (FormatError, OSError):
        return None


def _levels(pixels: npt.NDArray[np.float16], one: Shown, side: int) -> Levels:
    """`pixels[cell, y, x]` as 0..255 of this side: looked up number by number, then averaged."""
    share = (_ALL - np.float32(one.dark)) / np.float32(one.bright - one.dark)
    table = (np.clip(share, 0, 1) * 255 + np.float32(0.5)).astype(np.uint8)
    levels = table[np.ascontiguousarray(pixels).view(np.uint16)]
    step = pixels.shape[-1] // side
    if step == 1:
        return np.asarray(levels)
    levels = levels[:, : side * step, : side * step]
    total = np.zeros((len(levels), side, side), np.uint16)
    for y in range(step):
        for x in range(step):
            total += levels[:, y::step, x::step]
    return np.asarray(total // (step * step), np.uint8)
