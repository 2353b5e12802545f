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


def read_label_rows(path: Path, top: int, bottom: int) -> npt.NDArray[Any]:
    """The rows `top` to `bottom` (half-open, within the image) of one label image.

    Of the strips of a file only those with these rows are decoded: a cell of a large field costs
    a thousandth of the field.

    Raises:
        FormatError: As `read_labels`, or there are no such rows.
    """
    try:
        with tifffile.TiffFile(path) as file:
            page = file.pages.first
            tall, wide = page.shape[:2] if page.ndim == 2 else (0, 0)
            strip = 0 if page.is_tiled or len(file.pages) > 1 else page.rowsperstrip
            if 0 <= top < bottom <= tall and strip:
                rows = np.zeros((bottom - top, wide), page.dtype)
                for number in range(top // strip, -(-bottom // strip)):
                    part = _strip(page, number)
                    start = number * strip
                    first, last = max(start, top), min(start + len(part), bottom)
                    rows[first - top : last - top] = part[first - start : last - start]
                return rows
    except _TORN as error:
        if not path.exists():
            raise
        raise FormatError(f"{path} cannot be read as a label image: {error}") from error
    labels = read_labels(path)
    if not 0 <= top < bottom <= len(labels):
        raise FormatError(f"{path} has {len(labels)} rows; asked for {top} to {bottom}.")
    return labels[top:bottom]


def _strip(page: Any, number: int) -> npt.NDArray[Any]:
    """One strip `[y, x]` of a page."""
    handle = page.parent.filehandle
    handle.seek(page.dataoffsets[number])
    content = handle.read(page.databytecounts[number])
    decoded, _, shape = page.decode(content, number)
    if decoded is None:
        return np.zeros(shape[1:3], page.dtype)
    return np.asarray(decoded).reshape(shape)[0, :, :, 0]


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
