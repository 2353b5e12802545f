"""The prepared form `hpa-512` on the disk: images of four channels, masks of cells, one table.

Source: the HPA 2021 system AllDataAreExt & Galixir (9th), whose step `S2_data_process` writes it.
Their masks are uint8, where numbers above 255 begin anew; here they are uint16, or uint32 where
they do not fit.
"""

import csv
import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from cellwise.store.atomic import write_bytes, write_text, writing
from cellwise.store.run.masks import narrow

TABLE = "train_all.csv"
# What the file's red, green, blue and transparency hold, by the challenge's names of channels.
ORDER = ("blue", "green", "red", "yellow")
# The source of a field by `is_ext`.
SOURCES = ("challenge", "public")
_COLUMNS = ("ID", "Label", "is_ext", "n_label", "fold", "image_size")


def image_path(folder: Path, part: str, site_id: str) -> Path:
    """Where the image of a field lies; `part` is `train` or `test`."""
    return folder / part / f"{site_id}.png"


def mask_path(folder: Path, part: str, site_id: str) -> Path:
    """Where the mask of a field lies."""
    return folder / f"{part}_cell_mask" / f"{site_id}.npz"


def write_image(path: Path, pixels: npt.NDArray[np.uint8], *, side: int) -> None:
    """Write the channels of a field, made `side` wide by bilinear interpolation.

    Args:
        path: From `image_path`.
        pixels: `[channel, y, x]` in the order of `ORDER`.
        side: Pixels in a side.
    """
    from PIL import Image

    size = (side, side)
    small = [cv2.resize(plane, size, interpolation=cv2.INTER_LINEAR) for plane in pixels]
    image = io.BytesIO()
    Image.fromarray(np.stack(small, axis=-1)).save(image, "PNG")
    write_bytes(path, image.getvalue())


def write_mask(path: Path, cells: npt.NDArray[Any], *, side: int) -> None:
    """Write the label image of cells, made `side` wide by taking the nearest pixel."""
    rows = (np.arange(side) * cells.shape[0]) // side
    columns = (np.arange(side) * cells.shape[1]) // side
    with writing(path) as partial:
        np.savez_compressed(partial, arr_0=narrow(cells[np.ix_(rows, columns)]))


def write_table(folder: Path, rows: Iterable[tuple[str, str, int, int, int, int]]) -> None:
    """Write `train_all.csv`: ID, label, 1 if public, count of labels, fold, original side."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    writer.writerows(rows)
    write_text(folder / TABLE, text.getvalue())
