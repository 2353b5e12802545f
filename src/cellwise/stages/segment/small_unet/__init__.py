"""A small network that ships with cellwise: nuclei, and cells where a channel shows the body.

The image is brought to a fixed nuclear size by the same coarse pass as `watershed`, the
network's own measure corrects that size, and its maps of inside, border and distance become nuclei
and cells. Weights of your own come from `cellwise train-segmenter`. Sources: those named in
`parts/pixel_nets/small_unet`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field as Limits

from cellwise.contracts.segmenter import Segmenter
from cellwise.domain.records import Field, Masks
from cellwise.errors import BadOption, FormatError
from cellwise.stages.segment.small_unet.maps import (
    Maps,
    cells_around,
    drop_debris,
    enlarged_smoothly,
    measured_diameter,
    regions,
)
from cellwise.stages.segment.small_unet.planes import (
    PLANES,
    WORK_DIAMETER,
    body_level,
    network_planes,
    relative_level,
    resized,
    typical_diameter,
)
from cellwise.stages.segment.watershed import body_planes, check_channels, nucleus_index
from cellwise.stages.segment.watershed.cells import grow_cells
from cellwise.stages.segment.watershed.foreground import Labels, Plane
from cellwise.stages.segment.watershed.nuclei import coarse_diameter
from cellwise.store.run.masks import narrow

__all__ = ["build", "check_channels"]

Read = Callable[[str], tuple[Any, dict[str, npt.NDArray[Any]]]]
Predict = Callable[[npt.NDArray[np.float32]], Maps]

_OWN = "small_unet"
_NUCLEUS_MAPS, _CELL_MAPS = slice(0, 3), slice(3, 6)
# The coarse pass tells of the circle that fits into a nucleus, this share of one of equal area.
_INSCRIBED = 0.85
# It may be off by two; each pass of the network measures again, at most this often.
_LOOKS = 4
_AGREES = 0.9
# Enlarging further than this shows the network nothing new.
_MOST_ZOOM = 2.5
_NUCLEUS_WINDOW = 5
# Cells have nuclei to seed them; only those of the frame are told apart by their own hills.
_CELL_SPLIT = 0.8


def build(
    weights: str = "",
    split: Annotated[float, Limits(ge=0, le=1)] = 0.5,
    debris: Annotated[float, Limits(ge=0)] = 0.1,
    ring: Annotated[float, Limits(ge=0)] = 0.5,
    reach: Annotated[float, Limits(ge=0)] = 1.5,
    body: Sequence[str] | None = None,
    views: int = 8,
    device: Literal["cpu", "cuda"] | None = None,
    threads: Annotated[int, Limits(ge=1)] | None = None,
    read: Read | None = None,
) -> Segmenter:
    """Make the segmenter.

    Args:
        weights: A file or the name of weights made by `cellwise train-segmenter`; empty for those
            that ship with cellwise.
        split: Two peaks are two nuclei where the pass between them lies below this share of the
            lower peak: higher splits more.
        debris: What is smaller than this share of the image's median nuclear area is dropped.
        ring: How far a cell extends from its nucleus where no channel shows the body, in nuclear
            diameters.
        reach: The same where one does, for weights that know nuclei only.
        body: Roles or names of the channels that show the cell body; None as for `watershed`.
        views: How many of the eight ways to turn and mirror the image are averaged: 1, 2, 4, 8.
            Its size is measured in one; fewer are faster and a little worse in crowds.
        device: `cpu` or `cuda`; None takes that of the run (`--device`).
        threads: For the processor; None shares the cores between the run's workers.
        read: Fetches weights by name; the step passes it.

    Returns:
        A function from a field to its masks, ids 1..n, each nucleus inside its cell; a cell at the
        edge of the field may have no nucleus. It raises `InputError` with code `channel_missing`
        where the field has no nucleus channel.
    """
    if read is None:
        raise BadOption("segmenter small_unet: it is called by the step, which reads its weights.")
    if views not in (1, 2, 4, 8):
        raise BadOption(f"segmenter small_unet: views is 1, 2, 4 or 8, not {views}.")
    card, tensors = read(weights or _OWN)
    glance, predict = _predictors(
        card, tensors, weights or _OWN, device=device or "cpu", views=views, threads=threads
    )
    knows_cells = bool(card.facts.get("cells", False))

    def small_unet(field: Field) -> Masks:
        nucleus = nucleus_index(field)
        stains = body_planes(field, nucleus, body)
        shown = _shown(field.pixels[nucleus], stains, glance, split=split, debris=debris)
        if shown is None:
            empty = np.zeros(field.pixels.shape[1:], np.uint16)
            return Masks(empty, empty.copy())
        maps = shown.maps if views == 1 else predict(shown.planes)
        small = _nuclei(maps, split=split, debris=debris)
        shape = (field.pixels.shape[1], field.pixels.shape[2])
        nuclei = enlarged_smoothly(small, maps[_NUCLEUS_MAPS][0], shape)
        if knows_cells and shown.has_body:
            around = cells_around(small, maps[_CELL_MAPS], split=_CELL_SPLIT)
            cells = enlarged_smoothly(around, maps[_CELL_MAPS][0], shape)
            cells = np.where(nuclei > 0, nuclei, cells)
        else:
            cells = grow_cells(nuclei, shown.diameter, stains, reach=reach, ring=ring)
        return _numbered(cells, nuclei)

    return small_unet


@dataclass(frozen=True, slots=True)
class _Shown:
    """One field as the network is shown it, what it says in one view, and what was measured.

    Args:
        planes: See `network_planes`.
        maps: Of one view.
        diameter: Typical nuclear diameter at full size.
        has_body: Whether a plane shows the cell body.
    """

    planes: npt.NDArray[np.float32]
    maps: Maps
    diameter: float
    has_body: bool


def _shown(
    plane: Plane, stains: list[Plane], glance: Predict, *, split: float, debris: float
) -> _Shown | None:
    """The field at the size of the coarse pass, then at those that the network measures itself."""
    first = diameter = coarse_diameter(plane) / _INSCRIBED
    shown = None
    for _ in range(_LOOKS if first > 0 else 0):
        zoom = min(WORK_DIAMETER / diameter, _MOST_ZOOM)
        level = relative_level(resized(plane, zoom), WORK_DIAMETER)
        if level is None:
            break
        body = body_level([resized(stain, zoom) for stain in stains], WORK_DIAMETER)
        planes = network_planes(level, body)
        maps = glance(planes)
        nuclei = _nuclei(maps, split=split, debris=debris)
        if nuclei.max(initial=0) == 0:
            break
        before = diameter
        diameter = float(np.clip(measured_diameter(nuclei) / zoom, first / 2, first * 2))
        shown = _Shown(planes, maps, diameter, body is not None)
        if _AGREES < diameter / before < 1 / _AGREES:
            break
    return shown


def _nuclei(maps: Maps, *, split: float, debris: float) -> Labels:
    nuclei = regions(maps[_NUCLEUS_MAPS], split=split, window=_NUCLEUS_WINDOW)
    return drop_debris(nuclei, debris, typical_diameter(nuclei))


def _numbered(cells: Labels, nuclei: Labels) -> Masks:
    """Both as 1..n: at full size a region of a few pixels may be gone."""
    table = np.zeros(int(cells.max(initial=0)) + 1, np.int64)
    present = np.unique(cells[cells > 0])
    table[present] = np.arange(1, len(present) + 1)
    return Masks(narrow(table[cells]), narrow(table[nuclei]))


def _predictors(
    card: Any,
    tensors: dict[str, npt.NDArray[Any]],
    name: str,
    *,
    device: str,
    views: int,
    threads: int | None,
) -> tuple[Predict, Predict]:
    """With one view and with `views`."""
    from cellwise.parts.pixel_maps import load_net
    from cellwise.parts.pixel_nets.small_unet import make_predictor

    spec = dict(card.net)
    if spec.get("name") != _OWN or spec.get("planes", PLANES) != PLANES:
        raise FormatError(
            f"Weights {name!r} are of {spec.get('name')!r}, not of small_unet. "
            "Choose the segmenter of that name, or train with `cellwise train-segmenter`."
        )
    net = load_net(spec, tensors, device, source=f"Weights {name!r}")
    one, many = (
        make_predictor(net, device=device, views=count, threads=threads) for count in (1, views)
    )
    return one, many
