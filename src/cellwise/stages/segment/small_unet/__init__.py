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
from cellwise.parts.memory import give_back_freed_memory
from cellwise.stages.segment.small_unet import large as large_fields
from cellwise.stages.segment.small_unet.look import (
    CELL_MAPS,
    NUCLEUS_MAPS,
    Predict,
    look_at,
    nuclei_in,
)
from cellwise.stages.segment.small_unet.maps import cells_around, enlarged_smoothly
from cellwise.stages.segment.small_unet.planes import PLANES
from cellwise.stages.segment.spec import LARGE
from cellwise.stages.segment.watershed import body_planes, check_channels, nucleus_index
from cellwise.stages.segment.watershed.cells import grow_cells
from cellwise.stages.segment.watershed.foreground import Labels, Plane
from cellwise.stages.segment.watershed.regions import areas
from cellwise.store.run.masks import narrow

__all__ = ["build", "check_channels"]

Read = Callable[[str], tuple[Any, dict[str, npt.NDArray[Any]]]]

_OWN = "small_unet"
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
    large: Annotated[int, Limits(ge=0)] = 0,
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
            Its size is measured in one; fewer are faster and a little worse in crowds. A large
            field is seen in one view.
        device: `cpu` or `cuda`; None takes that of the run (`--device`).
        threads: For the processor; None shares the cores between the run's workers.
        large: A field of more pixels than this is large: see `large.py` for what is spared there. 0
            for 8,388,608 (some 2,900 by 2,900).
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
    network = _Network(
        card, tensors, weights or _OWN, device=device or "cpu", views=views, threads=threads
    )
    rules = _Rules(split, debris, reach=reach, ring=ring)

    def small_unet(field: Field) -> Masks:
        nucleus = nucleus_index(field)
        stains = body_planes(field, nucleus, body)
        way = _large if field.pixels[0].size > (large or LARGE) else _small
        found = way(field.pixels[nucleus], stains, network, rules)
        if found is None:
            empty = np.zeros(field.pixels.shape[1:], np.uint16)
            return Masks(empty, empty.copy())
        return _numbered(*found)

    return small_unet


@dataclass(frozen=True, slots=True)
class _Rules:
    """The options of `build` that say how nuclei and cells are made of maps."""

    split: float
    debris: float
    reach: float
    ring: float


class _Network:
    """The network as it is asked.

    Args:
        card: Of the weights.
        tensors: The weights.
        name: What messages call them.
        device: Where it lies.
        views: Of `predict`.
        threads: Of the processor.

    `glance` answers planes in one view and `predict` in all, `predict_field` a large field;
    `knows_cells` is whether it was taught cells.
    """

    def __init__(
        self,
        card: Any,
        tensors: dict[str, npt.NDArray[Any]],
        name: str,
        *,
        device: str,
        views: int,
        threads: int | None,
    ) -> None:
        from cellwise.parts.pixel_maps import load_net
        from cellwise.parts.pixel_nets.small_unet import make_field_predictor, make_predictor

        spec = dict(card.net)
        if spec.get("name") != _OWN or spec.get("planes", PLANES) != PLANES:
            raise FormatError(
                f"Weights {name!r} are of {spec.get('name')!r}, not of small_unet. Choose the "
                "segmenter of that name, or train with `cellwise train-segmenter`."
            )
        net = load_net(spec, tensors, device, source=f"Weights {name!r}")
        self.views = views
        self.knows_cells = bool(card.facts.get("cells", False))
        self.glance: Predict = make_predictor(net, device=device, views=1, threads=threads)
        self.predict: Predict = make_predictor(net, device=device, views=views, threads=threads)
        self.predict_field = make_field_predictor(net, device=device, threads=threads)


def _small(
    plane: Plane, stains: list[Plane], network: _Network, rules: _Rules
) -> tuple[Labels, Labels] | None:
    """Cells and nuclei of a field that is seen whole; None where there are none."""
    shown = look_at(plane, stains, network.glance, split=rules.split, debris=rules.debris)
    if shown is None:
        return None
    maps = shown.maps if network.views == 1 else network.predict(shown.planes)
    small = nuclei_in(maps, split=rules.split, debris=rules.debris)
    nuclei = enlarged_smoothly(small, maps[NUCLEUS_MAPS][0], _shape(plane))
    if network.knows_cells and shown.has_body:
        around = cells_around(small, maps[CELL_MAPS], split=_CELL_SPLIT)
        cells = enlarged_smoothly(around, maps[CELL_MAPS][0], _shape(plane))
        return np.where(nuclei > 0, nuclei, cells), nuclei
    return grow_cells(nuclei, shown.diameter, stains, reach=rules.reach, ring=rules.ring), nuclei


def _large(
    plane: Plane, stains: list[Plane], network: _Network, rules: _Rules
) -> tuple[Labels, Labels] | None:
    """The same of a field that is seen in tiles."""
    split, debris = rules.split, rules.debris
    sample = large_fields.take_sample(plane, stains, network.glance, split=split, debris=debris)
    if sample is None:
        return None
    shown = large_fields.Shown(sample, plane, stains)
    maps = network.predict_field(shown, shown.shape)
    del shown
    give_back_freed_memory()
    small = large_fields.find_nuclei(maps, split=split, debris=debris)
    nuclei = enlarged_smoothly(small, maps[NUCLEUS_MAPS][0], _shape(plane))
    if network.knows_cells and sample.has_body:
        around = large_fields.find_cells(small, maps, split=_CELL_SPLIT)
        cells = enlarged_smoothly(around, maps[CELL_MAPS][0], _shape(plane))
        return np.where(nuclei > 0, nuclei, cells), nuclei
    return grow_cells(nuclei, sample.diameter, stains, reach=rules.reach, ring=rules.ring), nuclei


def _shape(plane: Plane) -> tuple[int, int]:
    height, width = plane.shape
    return height, width


def _numbered(cells: Labels, nuclei: Labels) -> Masks:
    """Both as 1..n: at full size a region of a few pixels may be gone."""
    present = areas(cells, 1) > 0
    present[0] = False
    table = np.where(present, np.cumsum(present), 0).astype(np.int32)
    return Masks(narrow(table[cells]), narrow(table[nuclei]))
