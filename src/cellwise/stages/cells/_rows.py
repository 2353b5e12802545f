"""Rows of the cell table for one field, and the columns they have in every field of a run."""

from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from cellwise.domain.channels import Channel
from cellwise.domain.records import Field, Masks
from cellwise.domain.tables import CELLS
from cellwise.errors import InputError
from cellwise.kernels.boxes import Boxes
from cellwise.stages.cells import measure, quality
from cellwise.store.run.tables import empty_frame

_BACKGROUND = 1.0
_LARGEST_ID = np.iinfo(np.int32).max


def cell_rows(field: Field, masks: Masks, boxes: Boxes) -> pl.DataFrame:
    """All columns of the cell table but those about crops, one row per box.

    Raises:
        InputError: Masks and pixels differ in size, or cell numbers need more than 31 bits.
    """
    if masks.cells.shape != field.pixels.shape[1:]:
        raise InputError(
            f"masks {masks.cells.shape} and images {field.pixels.shape[1:]} differ in size",
            code="size_mismatch",
            remedy="Give masks of the same height and width as the images.",
            path=field.site_id,
        )
    if len(boxes) and int(boxes.ids[-1]) > _LARGEST_ID:
        raise InputError(
            f"cell numbers go beyond {_LARGEST_ID}",
            code="mask_ids",
            remedy="Number the cells of each mask from 1.",
            path=field.site_id,
        )
    level = measure.background_level(field.pixels, _BACKGROUND)
    flags = quality.build()(field, masks, boxes, level)
    measured = measure.build(background=_BACKGROUND)(field, masks, boxes, level)
    return _geometry(field.site_id, boxes, flags).hstack(measured)


def frame_of_none(channels: tuple[Channel, ...], *, crops: bool) -> pl.DataFrame:
    """No rows, but all columns that a run with these channels has."""
    names = measure.measurement_names([channel.name for channel in channels])
    extra: dict[str, Any] = dict.fromkeys(names, pl.Float32)
    if crops:
        extra |= {"shard": pl.String, "row": pl.Int32}
    return empty_frame(CELLS).hstack(pl.DataFrame(schema=extra))


def _geometry(site_id: str, boxes: Boxes, flags: list[list[str]]) -> pl.DataFrame:
    columns: dict[str, npt.NDArray[Any]] = {
        "cell_id": boxes.ids.astype(np.int32),
        "y0": boxes.y0.astype(np.int32),
        "x0": boxes.x0.astype(np.int32),
        "y1": boxes.y1.astype(np.int32),
        "x1": boxes.x1.astype(np.int32),
        "x": boxes.x.astype(np.float32),
        "y": boxes.y.astype(np.float32),
        "area": boxes.area.astype(np.int32),
        "border": boxes.touches_border,
    }
    return pl.DataFrame(columns).select(
        pl.lit(site_id).alias("site_id"),
        pl.all(),
        pl.Series("flags", flags, dtype=pl.List(pl.String)),
    )
