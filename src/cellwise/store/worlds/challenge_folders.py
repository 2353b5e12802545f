"""Writes a world in the folder layout of the Kaggle HPA single-cell challenge 2021.

`train.csv` (`ID,Label,Sample`; labels are indices joined by `|`), `train/` and `test/` with
`{ID}_{red|green|blue|yellow}.png`, and `sample_submission.csv` with the placeholder of the
challenge: class 0 with the mask of an empty image.
"""

import csv
import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cellwise.store.atomic import write_bytes, write_text

COLOURS = ("red", "green", "blue", "yellow")
PLACEHOLDER = "0 1 eNoLCAgIMAEABJkBdQ=="
# Fixed, so that the same pixels are the same bytes. Noise gains nothing from a higher level.
_LEVEL = 1


def write_hpa_field(folder: Path, part: str, site_id: str, pixels: npt.NDArray[Any]) -> None:
    """Write the four images of a field.

    Args:
        folder: The world folder.
        part: `train` or `test`.
        site_id: The field's ID.
        pixels: uint8 or uint16 `[channel, y, x]` in the order of `COLOURS`.
    """
    from PIL import Image

    for colour, plane in zip(COLOURS, pixels, strict=True):
        image = io.BytesIO()
        Image.fromarray(np.ascontiguousarray(plane)).save(image, "PNG", compress_level=_LEVEL)
        write_bytes(folder / part / f"{site_id}_{colour}.png", image.getvalue())


def write_hpa_train(folder: Path, fields: Iterable[tuple[str, tuple[int, ...], str]]) -> None:
    """Write `train.csv`, sorted by ID.

    Args:
        folder: The world folder.
        fields: ID, label indices and sample of each field.
    """
    rows = [(site_id, "|".join(map(str, labels)), sample) for site_id, labels, sample in fields]
    _write(folder / "train.csv", ("ID", "Label", "Sample"), rows)


def write_hpa_submission(folder: Path, site_ids: Iterable[str], *, size: int) -> None:
    """Write `sample_submission.csv` for the fields of the test part, all of one size."""
    rows = [(site_id, str(size), str(size), PLACEHOLDER) for site_id in site_ids]
    header = ("ID", "ImageWidth", "ImageHeight", "PredictionString")
    _write(folder / "sample_submission.csv", header, rows)


def _write(path: Path, header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(sorted(rows))
    write_text(path, text.getvalue())
