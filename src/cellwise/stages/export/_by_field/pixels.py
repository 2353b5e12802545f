"""The stored numbers of a field, and how its channels are shown at first."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from cellwise.contracts.exporter import RunTables
from cellwise.domain.intensities import Scale
from cellwise.domain.records import Site
from cellwise.errors import InputError
from cellwise.parts.drawing.colours import first_shown, tints
from cellwise.parts.drawing.images import common_limits, limits
from cellwise.stages.export._by_field.ngff import Pixels, ShownChannel
from cellwise.store.images.fields import read_pixels
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.sites import read_sites, run_channels

# Enough fields for one contrast, and few enough to be read twice.
_SAMPLED = 12


def stored_pixels(site: Site, root: Path, shape: tuple[int, ...] | None = None) -> Pixels:
    """`[channel, y, x]`: the numbers as the files hold them, in a type that takes all channels.

    Args:
        site: The field.
        root: Its image folder.
        shape: Height and width that it has to have.

    Raises:
        InputError: As `store.images.fields.read_pixels`, or `size_mismatch`.
    """
    planes = [read_pixels(entry, root) for entry in site.files]
    sizes = {plane.shape for plane in planes} | ({shape} if shape is not None else set())
    if len(sizes) > 1:
        raise InputError(
            f"Its channels and masks are of several sizes: {sorted(map(str, sizes))}.",
            code="size_mismatch",
            remedy="Put back the images that the run was made of.",
            path=site.id,
        )
    return np.stack(planes).astype(np.result_type(*planes), copy=False)


def shown_channels(run: RunTables, root: Path) -> dict[str, ShownChannel]:
    """How each channel of a run is shown, by its name: one contrast for all fields.

    Contrast is that of a dozen fields spread over the run; fields that cannot be read are passed
    over, as they are named where they are written.
    """
    folder = RunFolder(run.path)
    channels = run_channels(folder)
    sites = [site for site in read_sites(run.sites) if site.channels == channels]
    found: list[list[tuple[float, float]]] = []
    for site in sites[:: max(1, len(sites) // _SAMPLED)]:
        try:
            pixels = stored_pixels(site, root)
        except InputError:
            continue
        found.append(limits(pixels.astype(np.float32)))
    colours, active = tints(channels), first_shown(channels)
    result = {}
    for place, channel in enumerate(channels):
        dark, bright = common_limits([one[place] for one in found]) if found else (0.0, 1.0)
        scale = next((site.files[place].scale for site in sites), None)
        least, most = _range(scale, bright)
        result[channel.name] = ShownChannel(
            channel.name, colours[place].code, least, most, dark, bright, place in active
        )
    return result


def shown_as(site: Site, known: dict[str, ShownChannel], pixels: Pixels) -> Sequence[ShownChannel]:
    """How the channels of one field are shown; one that others do not have is grey."""
    return [
        known.get(channel.name) or _unknown(channel.name, plane)
        for channel, plane in zip(site.channels, pixels, strict=True)
    ]


def _unknown(name: str, plane: npt.NDArray[np.generic]) -> ShownChannel:
    ((dark, bright),) = limits(plane[None].astype(np.float32))
    return ShownChannel(name, "#ffffff", *_range(None, bright), dark, bright, active=False)


def _range(scale: Scale | None, bright: float) -> tuple[float, float]:
    return (0.0, bright) if scale is None else (float(scale.zero), float(scale.one))
