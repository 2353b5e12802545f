"""Label images of cells and nuclei, one pair of zlib TIFF files per site."""

import hashlib
import os
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile

from cellwise.domain.records import Masks
from cellwise.errors import FormatError
from cellwise.store.atomic import writing

# What the decoder raises on torn or foreign bytes.
_TORN = (ValueError, OSError, RuntimeError, struct.error, zlib.error, LookupError, TypeError)


def mask_path(folder: Path, site_id: str, what: str) -> Path:
    """The file of a site's `cells` or `nuclei`; the only way to a mask's path."""
    return folder / _file_name(site_id, what)


def _file_name(site_id: str, what: str) -> str:
    return f"{site_id}_{what}.tif"


def sites_with_masks(folder: Path) -> set[str]:
    """The sites both of whose label images are there; the folder is listed once."""
    try:
        with os.scandir(folder) as entries:
            names = {entry.name for entry in entries}
    except FileNotFoundError:
        return set()
    ending = _file_name("", "cells")
    sites = (name.removesuffix(ending) for name in names if name.endswith(ending))
    return {site for site in sites if _file_name(site, "nuclei") in names}


def write_masks(folder: Path, site_id: str, masks: Masks) -> None:
    """Write both label images; nuclei first, so that a cells file means that both are there."""
    for what, labels in (("nuclei", masks.nuclei), ("cells", masks.cells)):
        write_labels(mask_path(folder, site_id, what), labels)


def read_masks(folder: Path, site_id: str) -> Masks:
    """Read both label images of a site."""
    return Masks(
        read_labels(mask_path(folder, site_id, "cells")),
        read_labels(mask_path(folder, site_id, "nuclei")),
    )


def write_labels(path: Path, labels: npt.NDArray[Any]) -> None:
    """Write one label image, narrowed to uint16 where the numbers fit and else to uint32."""
    with writing(path) as partial:
        tifffile.imwrite(partial, narrow(labels), compression="zlib")


def read_labels(path: Path) -> npt.NDArray[Any]:
    """Read one label image.

    Raises:
        FormatError: The file is torn or no two-dimensional image of whole numbers.
    """
    try:
        labels = tifffile.imread(path)
    except _TORN as error:
        if not path.exists():
            raise
        raise FormatError(f"{path} cannot be read as a label image: {error}") from error
    if labels.ndim != 2 or labels.dtype.kind not in "ui":
        raise FormatError(f"{path}: a label image is 2-D and of whole numbers, not {labels.dtype}.")
    return np.asarray(labels)


def mask_key(folder: Path, site_id: str) -> str:
    """What tells the cells of a site from those of another segmentation.

    The first 16 letters of the SHA-256 of the label image of cells, as little-endian uint32.
    """
    return key_of(read_labels(mask_path(folder, site_id, "cells")))


def key_of(labels: npt.NDArray[Any]) -> str:
    """The same of a label image of cells that was read already."""
    return hashlib.sha256(np.ascontiguousarray(labels, "<u4").tobytes()).hexdigest()[:16]


def narrow(labels: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The same labels as uint16 where they fit, else as uint32.

    Ids need at least uint16: fields with more than 255 cells exist, and uint8 wraps silently.
    """
    top = int(labels.max(initial=0))
    return labels.astype(np.uint16 if top <= np.iinfo(np.uint16).max else np.uint32, copy=False)
