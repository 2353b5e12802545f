"""InstanSeg (extra `instanseg`): cells and nuclei from any number of stains, aware of pixel size.

The network is given all stains and finds nuclei and cells in one pass; each nucleus belongs to the
cell that covers more than half of it. Weights that know one kind only give it as cells and nuclei
alike. Nothing is fetched: see `weights`.

Source: Goldsborough et al., arXiv 2408.15954 and 2411.16419 (InstanSeg; any number of channels).
"""

import os
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field as Limits

from cellwise.contracts.segmenter import Segmenter
from cellwise.domain.records import Field, Masks
from cellwise.errors import InputError
from cellwise.stages.segment._libraries import (
    at_16_bit,
    find_weights,
    loaded,
    package_folder,
    paired,
    require_package,
    whole_numbers,
)

_OWN = "fluorescence_nuclei_and_cells"
_FETCH = f"python -c \"from instanseg import InstanSeg; InstanSeg('{_OWN}')\""
# The package takes larger fields tile by tile too.
_MOST_AT_ONCE = 3 * 1500 * 1500


def build(
    weights: str = "",
    pixel_size: Annotated[float, Limits(gt=0, le=50)] | None = None,
    channels: Sequence[str] | None = None,
    mask_threshold: Annotated[float, Limits(ge=0, le=1)] | None = None,
    seed_threshold: Annotated[float, Limits(ge=0, le=1)] | None = None,
    min_size: Annotated[int, Limits(ge=0)] | None = None,
    tile: Annotated[int, Limits(ge=128)] = 512,
    device: Literal["cpu", "cuda"] | None = None,
) -> Segmenter:
    """Make the segmenter.

    Args:
        weights: A TorchScript file `instanseg.pt`; empty takes the package's fluorescence weights
            where it has fetched them before (`INSTANSEG_BIOIMAGEIO_PATH`, else its own folder).
        pixel_size: Micrometres per pixel; None takes what the file says.
        channels: Roles or names of the stains it is given; None takes all but brightfield.
        mask_threshold: How sure a pixel has to belong to a cell; None leaves the weights' own.
        seed_threshold: How sure a cell's seed has to be; None leaves the weights' own.
        min_size: Smaller cells, in pixels of the network, are dropped; None as above.
        tile: Side of the tiles in which fields above 6.75 million pixels are taken.
        device: `cpu` or `cuda`; None takes that of the run (`--device`).

    Returns:
        A function from a field to its masks. It raises `InputError` with code `pixel_size` where
        none is known, or `channel_missing`.
    """
    require_package("instanseg", "instanseg")
    path = weights_file(weights)
    limits = {
        "mask_threshold": mask_threshold,
        "seed_threshold": seed_threshold,
        "min_size": min_size,
    }
    chosen = {name: value for name, value in limits.items() if value is not None}

    def instanseg(field: Field) -> Masks:
        planes = at_16_bit(field.pixels[_places(field, channels)])
        options = {
            **chosen,
            "pixel_size": _pixel_size(field, pixel_size),
            "return_image_tensor": False,
        }
        model = _model(path, path.stat().st_mtime_ns, device or "cpu")
        if planes[0].size <= _MOST_AT_ONCE:
            answer = model.eval_small_image(planes, **options)
        else:
            answer = model.eval_medium_image(planes, tile_size=tile, **options)
        found = _label_images(answer)
        images = [whole_numbers(field, labels, by="instanseg") for labels in found]
        # Nuclei stand before cells.
        return Masks(images[0], images[0]) if len(images) == 1 else paired(images[1], images[0])

    return instanseg


def weights_file(weights: str = "") -> Path:
    """The file that is read for this option.

    Raises:
        UsageError: There is none.
    """
    return find_weights(weights, _kept(), extra="instanseg", fetch=_FETCH)


def _kept() -> list[Path]:
    """The package's own weights, the newest version first."""
    said = os.environ.get("INSTANSEG_BIOIMAGEIO_PATH")
    home = (Path(said) if said else package_folder("instanseg") / "bioimageio_models") / _OWN
    versions = sorted(home.glob("*/instanseg.pt"), reverse=True)
    return [*versions, home / "instanseg.pt"]


def _places(field: Field, channels: Sequence[str] | None) -> list[int]:
    if channels is None:
        places = [k for k, c in enumerate(field.channels) if c.role != "brightfield"]
        return places or [0]
    found = [field.index(name) for name in channels]
    for name, place in zip(channels, found, strict=True):
        if place is None:
            names = ", ".join(channel.name for channel in field.channels)
            raise InputError(
                f"{field.site_id}: no channel {name!r} (found: {names}).",
                code="channel_missing",
                remedy=f"Name it with --set read.roles.<name>={name}, or change segment.channels.",
                path=field.site_id,
            )
    return [place for place in found if place is not None]


def _pixel_size(field: Field, said: float | None) -> float:
    found = said or field.pixel_size
    if found is None:
        raise InputError(
            f"{field.site_id}: InstanSeg needs the size of a pixel, and the file does not say it.",
            code="pixel_size",
            remedy="Say it in micrometres: --set segment.pixel_size=0.325",
            path=field.site_id,
        )
    return found


def _label_images(answer: Any) -> npt.NDArray[Any]:
    """`[kind, y, x]` from the package's tensor `[1, kind, y, x]` on any device."""
    plain = answer.cpu().numpy() if hasattr(answer, "cpu") else answer
    found: npt.NDArray[Any] = np.rint(np.asarray(plain)).astype(np.int64)
    height, width = found.shape[-2:]
    return found.reshape(-1, height, width)


@lru_cache(maxsize=1)
def _model(path: Path, changed: int, device: str) -> Any:
    """The loaded network, kept from batch to batch; `changed` tells a new file."""

    def load(library: Any) -> Any:
        # A name would be fetched; a network that is already there is taken as it is.
        network = library.torch.jit.load(str(path), map_location=device)
        return library.InstanSeg(network, device=device, image_reader="skimage.io", verbosity=0)

    return loaded("instanseg.inference_class", path, load)
