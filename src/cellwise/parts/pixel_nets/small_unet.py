"""A small U-Net for nuclei and cells: inside, border and distance of each, a million weights.

Pixels are first folded two by two into channels and unfolded at the end, so that nothing is
computed at full resolution: half the cost at the same outlines. Batch normalisation has fixed
statistics once trained, so what is said of a pixel depends on its surroundings alone and a field in
tiles gives what the whole field gives. Sources: Ronneberger et al. 2015 (arXiv 1505.04597) for the
U; Shi et al. 2016 (arXiv 1609.05158) for folding; the maps are those of the DSB 2018 winners
(Caicedo et al., Nat Methods 16, 1247, 2019) and of Naylor et al. 2019 (distance).
"""

from collections.abc import Callable
from itertools import pairwise
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field as Limits
from torch import Tensor, nn

from cellwise.parts.pixel_maps import predict

Planes = npt.NDArray[np.float32]
Predict = Callable[[Planes], Planes]
# Planes `[plane, y, x]` of a part of a field: of these rows and columns.
Show = Callable[[slice, slice], Planes]
PredictField = Callable[[Show, tuple[int, int]], npt.NDArray[np.uint16]]

# Sides of what the network is given are multiples of this many pixels.
STRIDE = 16
# A large field is seen in tiles of this side, each of which shows this much around what it answers:
# as far as the network looks, so that tiles give what the whole field would.
_TILE = 512
_AROUND = 96
# Of fields so large that their planes are made tile by tile: a smaller share is seen twice, and
# features of a tile still fit into pieces of memory that are used again, see `parts.memory`.
_LARGE_TILE = 1152


def build(
    planes: Annotated[int, Limits(ge=1)] = 3,
    maps: Annotated[int, Limits(ge=1)] = 6,
    width: Annotated[int, Limits(ge=4)] = 24,
) -> nn.Module:
    """Make the network: `[n, planes, y, x]` to logits `[n, maps, y, x]`, sides multiples of 16.

    Args:
        planes: What it reads.
        maps: What it tells.
        width: Channels at the finest level; 2, 5.3 and 6.7 times as many below.
    """
    return _SmallUnet(planes, maps, width)


def make_predictor(
    net: nn.Module, *, device: str = "cpu", views: int = 1, threads: int | None = None
) -> Predict:
    """A function from planes `[plane, y, x]` of any size to maps `[map, y, x]` in 0..1.

    Args:
        net: From `load_net`.
        device: Where it lies.
        views: How many of the eight ways to turn and mirror the planes are averaged.
        threads: For the processor; None leaves torch's own number.
    """
    answer = _answer(net, device=device, views=views, threads=threads)

    def maps_of(planes: Planes) -> Planes:
        height, width = planes.shape[1:]
        padded = _padded(planes)
        found: Planes = _in_tiles(
            answer,
            lambda rows, columns: padded[:, rows, columns],
            (padded.shape[1], padded.shape[2]),
            side=_TILE,
        )
        whole: Planes = found[:, :height, :width]
        return whole

    return maps_of


def make_field_predictor(
    net: nn.Module, *, device: str = "cpu", threads: int | None = None
) -> PredictField:
    """A function from a large field, whose planes are asked for tile by tile, to maps in 0..1.

    It answers `[map, y, x]` of one view as whole numbers, 65,535 for 1. The arguments are those of
    `make_predictor`.
    """
    answer = _answer(net, device=device, views=1, threads=threads)

    def whole(planes: Planes) -> npt.NDArray[np.uint16]:
        found = answer(planes)
        found *= 65535
        return np.rint(found, out=found).astype(np.uint16)

    def maps_of(show: Show, shape: tuple[int, int]) -> npt.NDArray[np.uint16]:
        def padded(rows: slice, columns: slice) -> Planes:
            return _padded(show(rows, columns))

        return _in_tiles(whole, padded, shape, side=_LARGE_TILE)

    return maps_of


def _answer(net: nn.Module, *, device: str, views: int, threads: int | None) -> Predict:
    net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def answer(planes: Planes) -> Planes:
        one = planes[None]
        found: Planes = predict(
            net, one, device=device, views=views, finish=torch.sigmoid, threads=threads
        )[0]
        return found

    return answer


def _in_tiles(
    answer: Callable[[Planes], npt.NDArray[Any]], show: Show, shape: tuple[int, int], *, side: int
) -> npt.NDArray[Any]:
    result: npt.NDArray[Any] | None = None
    for seen, kept in _tiles(*shape, side):
        found = answer(show(*seen))
        if result is None:
            result = np.empty((len(found), *shape), found.dtype)
        rows, columns = (
            slice(k.start - s.start, k.stop - s.start) for s, k in zip(seen, kept, strict=True)
        )
        result[:, kept[0], kept[1]] = found[:, rows, columns]
    assert result is not None
    return result


def _padded(planes: Planes) -> Planes:
    height, width = planes.shape[1:]
    extra = [(0, 0), (0, -height % STRIDE), (0, -width % STRIDE)]
    return np.pad(planes, extra, mode="symmetric" if min(height, width) >= STRIDE else "edge")


def _tiles(
    height: int, width: int, side: int
) -> list[tuple[tuple[slice, slice], tuple[slice, slice]]]:
    """`(rows, columns)` that are seen and those that are kept of it; the kept cover all once."""
    return [
        ((seen_y, seen_x), (kept_y, kept_x))
        for seen_y, kept_y in _spans(height, side)
        for seen_x, kept_x in _spans(width, side)
    ]


def _spans(length: int, side: int) -> list[tuple[slice, slice]]:
    if length <= side:
        return [(slice(0, length), slice(0, length))]
    step = side - 2 * _AROUND
    spans = []
    for start in range(0, length, step):
        stop = min(start + step, length)
        spans.append(
            (slice(max(start - _AROUND, 0), min(stop + _AROUND, length)), slice(start, stop))
        )
    return spans


class _SmallUnet(nn.Module):
    def __init__(self, planes: int, maps: int, width: int) -> None:
        super().__init__()
        # Weights cost least where the maps are small, so most of them lie there.
        widths = [width, 2 * width, 16 * width // 3, 20 * width // 3]
        befores = [4 * planes, *widths[:-1]]
        self.down = nn.ModuleList(_pair(b, a) for b, a in zip(befores, widths, strict=True))
        self.up = nn.ModuleList(
            nn.Conv2d(below, here, 1, bias=False) for here, below in pairwise(widths)
        )
        self.mend = nn.ModuleList(_layer(here, here) for here in widths[:-1])
        self.head = nn.Conv2d(width, 4 * maps, 1)

    def forward(self, planes: Tensor) -> Tensor:
        here = nn.functional.pixel_unshuffle(planes, 2)
        seen = []
        for level, pair in enumerate(self.down):
            here = pair(nn.functional.max_pool2d(here, 2) if level else here)
            seen.append(here)
        for level in range(len(self.up) - 1, -1, -1):
            wide = nn.functional.interpolate(self.up[level](here), scale_factor=2.0)
            here = self.mend[level](wide + seen[level])
        return nn.functional.pixel_shuffle(self.head(here), 2)


def _pair(before: int, after: int) -> nn.Sequential:
    return nn.Sequential(_layer(before, after), _layer(after, after))


def _layer(before: int, after: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, 3, padding=1, bias=False),
        nn.BatchNorm2d(after),
        nn.ReLU(inplace=True),
    )
