"""Plain measurements per cell: areas, shapes, mean intensities, and the nuclear to ring ratio.

Column names follow CellProfiler (`Cells_AreaShape_Area`, `Nuclei_Intensity_Mean_<channel>`), with
the channel's name as the run's channel list writes it. Source of the ratio: translocation assays
such as BBBC013, Ljosa et al., Nat Methods 9, 637 (2012).
"""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from cellwise.domain.records import Field, Masks
from cellwise.errors import BadOption
from cellwise.kernels.boxes import Boxes, find_boxes
from cellwise.kernels.rings import draw_rings, measure_intensities
from cellwise.kernels.shape import measure_shapes

Measure = Callable[..., pl.DataFrame]
Numbers = npt.NDArray[np.float64]

# A quarter of a grey level of 8 bits: a signal below it cannot be told from none.
LEAST_SIGNAL = 1e-3
_SHAPES = (
    "Cells_AreaShape_Area",
    "Nuclei_AreaShape_Area",
    "Cells_AreaShape_Eccentricity",
    "Cells_AreaShape_Solidity",
    "Nuclei_AreaShape_Solidity",
)
_PER_CHANNEL = (
    "Cells_Intensity_Mean",
    "Nuclei_Intensity_Mean",
    "Ring_Intensity_Mean",
    "Cells_NuclearRingRatio",
)


def measurement_names(channel_names: Sequence[str]) -> list[str]:
    """The columns that `measure` makes for these channels, in order."""
    return [*_SHAPES, *(f"{name}_{channel}" for channel in channel_names for name in _PER_CHANNEL)]


def build(near: float = 0.1, far: float = 0.5, background: float = 1.0) -> Measure:
    """Make the measuring function: one float32 row per box, null where there is nothing to measure.

    Intensities are means of the field's 0..1 pixels. The ratio is that of the means of nucleus and
    ring above the field's background; it is null where a cell has no nucleus, no ring, or a ring no
    brighter than background; a nucleus no brighter counts with the least signal, so that the
    logarithm of the ratio always exists.

    The function takes the field's `background_level` as a fourth argument where it is known.

    Args:
        near: The ring begins this many nucleus radii outside the nucleus (at least 1 pixel).
        far: It ends at this many radii (at least 2 pixels further), inside the same cell.
        background: The percentile of the field's pixels taken as background level.
    """
    if not 0 <= near < far:
        raise BadOption(f"A ring goes from near to far, 0 <= near < far, not {near} to {far}.")
    if not 0 <= background <= 50:
        raise BadOption(f"The background percentile is 0 to 50, not {background}.")

    def measure(
        field: Field, masks: Masks, boxes: Boxes, level: Numbers | None = None
    ) -> pl.DataFrame:
        nuclei = find_boxes(masks.nuclei)
        rings = draw_rings(masks.cells, masks.nuclei, boxes=nuclei, near=near, far=far)
        cell_mean, nucleus_mean, ring_mean = (
            measure_intensities(field.pixels, labels, boxes.ids).mean
            for labels in (masks.cells, masks.nuclei, rings)
        )
        level = background_level(field.pixels, background) if level is None else level
        ratio = nuclear_ring_ratio(nucleus_mean, ring_mean, level)
        columns = _shape_columns(masks, boxes, nuclei)
        for c, channel in enumerate(field.channels):
            values = (cell_mean, nucleus_mean, ring_mean, ratio)
            columns |= {
                f"{name}_{channel.name}": value[:, c]
                for name, value in zip(_PER_CHANNEL, values, strict=True)
            }
        frame = pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.Float64))
        return frame.fill_nan(None).cast(pl.Float32)

    return measure


def background_level(pixels: npt.NDArray[np.float32], percentile: float) -> Numbers:
    """This percentile of each channel's finite pixels, `[channel]`; 0 where there are none.

    Taken over the whole field, not between the cells: in a full layer there is nothing between.
    """
    levels = np.zeros(len(pixels), np.float64)
    for c, channel in enumerate(pixels):
        finite = channel[np.isfinite(channel)]
        if finite.size:
            levels[c] = np.percentile(finite, percentile)
    return levels


def nuclear_ring_ratio(nucleus: Numbers, ring: Numbers, level: Numbers) -> Numbers:
    """(nucleus - level) / (ring - level) as `[cell, channel]`; NaN where it cannot be told."""
    inner, outer = nucleus - level, ring - level
    inner = np.where(inner < LEAST_SIGNAL, LEAST_SIGNAL, inner)
    outer = np.where(outer < LEAST_SIGNAL, np.nan, outer)
    return np.asarray(np.where(np.isnan(nucleus), np.nan, inner / outer))


def _shape_columns(masks: Masks, boxes: Boxes, nuclei: Boxes) -> dict[str, Numbers]:
    cells, inner = measure_shapes(masks.cells, boxes), measure_shapes(masks.nuclei, nuclei)
    values = (
        boxes.area.astype(np.float64),
        _spread(nuclei.area.astype(np.float64), nuclei.ids, boxes.ids),
        cells.eccentricity,
        cells.solidity,
        _spread(inner.solidity, nuclei.ids, boxes.ids),
    )
    return dict(zip(_SHAPES, values, strict=True))


def _spread(values: Numbers, ids: npt.NDArray[np.int64], wanted: npt.NDArray[np.int64]) -> Numbers:
    """Values of `ids` in the order of `wanted`; NaN for those without."""
    result = np.full(len(wanted), np.nan)
    known, at_wanted, at_ids = np.intersect1d(wanted, ids, assume_unique=True, return_indices=True)
    if len(known):
        result[at_wanted] = values[at_ids]
    return result
