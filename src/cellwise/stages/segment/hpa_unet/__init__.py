"""The two networks of HPA-Cell-Segmentation, with its rules from maps to cells.

One network sees the nucleus channel, the other microtubules, ER and nucleus; both know background,
border and interior. The weights are not shipped: convert the published files once with `cellwise
models convert`. Source: CellProfiling/HPA-Cell-Segmentation; eight views as in the faster variants
of the challenge's participants.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field as Limits

from cellwise.contracts.segmenter import Segmenter
from cellwise.domain.records import Field, Masks
from cellwise.errors import BadOption, FormatError, InputError
from cellwise.stages.segment.hpa_unet.cell_rules import label_maps
from cellwise.stages.segment.hpa_unet.planes import Window, choose, shrunk, stretched, windows
from cellwise.store.network_weights import NetworkCard

Read = Callable[[str], tuple[NetworkCard, dict[str, npt.NDArray[Any]]]]
Maps = npt.NDArray[np.uint8]
Predict = Callable[[npt.NDArray[np.float32]], Maps]

# Micrometres per pixel of the fields that the networks learned from.
_PIXEL_SIZE = 0.08
# And their side in pixels.
_SIDE = 2048
# Enlarging further shows the networks nothing new, and a size in nanometres fills the memory.
_MOST_ZOOM = 2.0
# A nucleus of 15 micrometres is four pixels wide then.
_LEAST_ZOOM = 0.02
# By which the two networks are told apart.
_FIRST_ROLE = {"nuclei": "nucleus", "cells": "microtubule"}


def build(
    nuclei: str = "dpn_unet_nuclei",
    cells: str = "dpn_unet_cell",
    scale: Annotated[float, Limits(gt=0, le=1)] = 0.25,
    pixel_size: Annotated[float, Limits(gt=0)] | None = None,
    er_from: str = "",
    margin: Annotated[int, Limits(ge=0, le=512)] = 32,
    views: Literal[1, 8] = 1,
    *,
    stretch: bool = False,
    batch: Annotated[int, Limits(ge=1)] = 8,
    device: Literal["cpu", "cuda"] | None = None,
    threads: Annotated[int, Limits(ge=1)] | None = None,
    read: Read | None = None,
) -> Segmenter:
    """Make the segmenter.

    Args:
        nuclei: File or name of the converted nucleus network.
        cells: File or name of the converted cell network.
        scale: Share of full size that the networks see, for fields of 0.08 µm per pixel.
        pixel_size: Micrometres per pixel; None takes what the file says, else 0.08.
        er_from: Channel (role or name) that is taken where none shows the endoplasmic reticulum;
            `none` takes an empty one; empty sets such fields aside.
        margin: Reflected pixels around the field, at the networks' size.
        views: 8 also segments the field turned and mirrored and averages the maps.
        stretch: Bring each channel's darkest and brightest thousandth to 0 and 1 first, for fields
            that use a small part of their range.
        batch: Fields that go through a GPU together.
        device: `cpu` or `cuda`; None takes that of the run (`--device`).
        threads: For the processor; None shares the cores between the run's workers.
        read: Fetches weights by name; the step passes it.

    Returns:
        A function from a field to its masks, with `many` for several. `InputError` with code
        `channel_missing` where a field lacks a channel.
    """
    if read is None:
        raise BadOption("segmenter hpa_unet: it is called by the step, which reads its weights.")

    def network(name: str, option: str) -> "_Network":
        card, tensors = read(name)
        check_card(card, name, option)
        return _load(card, tensors, name, device=device or "cpu", views=views, threads=threads)

    settings = _Settings(scale, pixel_size, er_from, margin, stretch)
    return _HpaUnet(network(nuclei, "nuclei"), network(cells, "cells"), settings, batch)


def check_card(card: NetworkCard, name: str, option: str) -> None:
    """Refuse weights that this segmenter cannot use, or that belong to its other network.

    Args:
        card: What the weights say of themselves.
        name: What the user calls them.
        option: `nuclei` or `cells`.

    Raises:
        FormatError: They are of another kind, or of the other network.
    """
    role = _FIRST_ROLE[option]
    if card.channels and card.channels[0] != role:
        raise FormatError(
            f"Weights {name!r} are {card.name!r}, whose first channel is {card.channels[0]!r}, "
            f"not {role!r}: segment.{option} names the wrong network."
        )
    _shown(card, name)


def check_channels(field: Field, options: Mapping[str, Any]) -> None:
    """Refuse channels that lack one which both networks read; the field's pixels do not matter.

    Raises:
        InputError: As the segmenter itself would.
    """
    choose(field, list(_FIRST_ROLE.values()), str(options.get("er_from") or ""))


@dataclass(frozen=True, slots=True)
class _Settings:
    """How a field is brought before the networks; see the options of `build`."""

    scale: float
    pixel_size: float | None
    er_from: str
    margin: int
    stretch: bool

    def factor(self, field: Field) -> float:
        """Size at the networks over full size.

        Raises:
            InputError: `pixel_size`: the pixels are said to be too coarse for the networks, or so
                fine that nothing would be left.
        """
        size = self.pixel_size or field.pixel_size or _PIXEL_SIZE
        factor = self.scale * size / _PIXEL_SIZE
        if factor < _LEAST_ZOOM:
            raise InputError(
                f"{field.site_id}: with pixels of {size:g} µm the field would be reduced "
                f"{1 / factor:.0f} times, and no nucleus of it could be seen.",
                code="pixel_size",
                remedy="If that is not its size, give segment.pixel_size in micrometres.",
                path=field.site_id,
            )
        if factor > _MOST_ZOOM:
            raise InputError(
                f"{field.site_id}: with pixels of {size:g} µm the field would be enlarged "
                f"{factor:.1f} times; more than {_MOST_ZOOM:g} shows the networks nothing new.",
                code="pixel_size",
                remedy="If that is not its size, give segment.pixel_size in micrometres.",
                path=field.site_id,
            )
        return factor

    def standard_side(self, field: Field) -> float | None:
        """Side of a field of the challenge at the networks' size; None where sizes are unknown."""
        known = self.pixel_size or field.pixel_size
        return _SIDE * self.scale if known else None


@dataclass(frozen=True, slots=True)
class _Network:
    """A loaded network; `planes` are the roles it reads (None: zeros), in order."""

    planes: tuple[str | None, ...]
    mean: npt.NDArray[np.float32]
    deviation: npt.NDArray[np.float32]
    predict: Predict

    def windows(self, field: Field, settings: _Settings) -> list[Window]:
        """The field as this network reads it."""
        places = choose(field, self.planes, settings.er_from)
        factor, small = settings.factor(field), {}
        for place in set(places) - {None}:
            plane = field.pixels[place]
            small[place] = shrunk(stretched(plane) if settings.stretch else plane, factor)
        empty = np.zeros_like(next(iter(small.values())))
        planes = np.stack([empty if place is None else small[place] for place in places])
        return windows((planes - self.mean) / self.deviation, settings.margin)


@dataclass(frozen=True, slots=True)
class _HpaUnet:
    nuclei: _Network
    cells: _Network
    settings: _Settings
    batch: int

    def __call__(self, field: Field) -> Masks:
        (found,) = self.many([field])
        if isinstance(found, InputError):
            raise found
        return found

    def many(self, fields: Sequence[Field]) -> list[Masks | InputError]:
        """The masks of each field, or why it has none; fields of one size share a batch."""
        found: dict[int, Masks | InputError] = {}
        shown: dict[int, tuple[list[Window], list[Window]]] = {}
        for number, field in enumerate(fields):
            try:
                shown[number] = (
                    self.nuclei.windows(field, self.settings),
                    self.cells.windows(field, self.settings),
                )
            except InputError as error:
                found[number] = error
        nuclei = self._maps(self.nuclei, {number: both[0] for number, both in shown.items()})
        cells = self._maps(self.cells, {number: both[1] for number, both in shown.items()})
        for number in shown:
            height, width = fields[number].pixels.shape[1:]
            labelled = label_maps(
                nuclei.pop(number),
                cells.pop(number),
                (height, width),
                side=self.settings.standard_side(fields[number]),
            )
            found[number] = labelled.masks
        return [found[number] for number in range(len(fields))]

    def _maps(self, network: _Network, shown: dict[int, list[Window]]) -> dict[int, Maps]:
        """Each field's maps `[map, y, x]`, put together from its windows."""
        alike: dict[tuple[int, ...], list[tuple[int, Window]]] = defaultdict(list)
        whole: dict[int, Maps] = {}
        for number, pieces in shown.items():
            last = pieces[-1]
            whole[number] = np.zeros((3, last.rows.stop, last.columns.stop), np.uint8)
            for piece in pieces:
                alike[piece.planes.shape].append((number, piece))
        for group in alike.values():
            for start in range(0, len(group), self.batch):
                batch = group[start : start + self.batch]
                maps = network.predict(np.stack([piece.planes for _, piece in batch]))
                for (number, piece), one in zip(batch, maps, strict=True):
                    whole[number][:, piece.rows, piece.columns] = piece.core(one)
        return whole


def _load(
    card: NetworkCard,
    tensors: dict[str, npt.NDArray[Any]],
    name: str,
    *,
    device: str,
    views: int,
    threads: int | None,
) -> _Network:
    from cellwise.parts.pixel_maps import load_net, predict, to_bytes

    planes, mean, deviation = _shown(card, name)
    net = load_net(card.net, tensors, device, source=f"Weights {name!r}")

    def answer(shown: npt.NDArray[np.float32]) -> Maps:
        return to_bytes(predict(net, shown, device=device, views=views, threads=threads))

    return _Network(planes, mean, deviation, answer)


def _shown(
    card: NetworkCard, name: str
) -> tuple[tuple[str | None, ...], npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Roles of the planes that a network reads, and what each is normalised with."""
    try:
        planes = tuple(card.facts["planes"])
        mean, deviation = (
            np.array(card.facts[key], np.float32).reshape(len(planes), 1, 1)
            for key in ("mean", "std")
        )
    except (KeyError, TypeError, ValueError) as error:
        raise FormatError(
            f"Weights {name!r} are those of {card.net.get('name')!r}, which hpa_unet cannot use: "
            f"their card does not say how to show it a field ({error!r}). Convert the published "
            "files with `cellwise models convert`."
        ) from error
    return planes, mean, deviation
