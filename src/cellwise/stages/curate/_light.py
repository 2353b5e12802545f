"""Fields that are dim or out of focus beside the others of the run."""

import numpy as np
import numpy.typing as npt
import polars as pl

# By so many typical deviations below the median, and by half at least.
_DEVIATIONS = 4.0
_LEAST = np.log(2.0)
# From a median absolute deviation to the deviation of a normal distribution.
_TO_DEVIATION = 1.4826
_LEAST_FIELDS = 8
_LANDMARK = "nucleus"


def flags_of(pixels: pl.DataFrame, files: pl.DataFrame, ids: list[str]) -> list[list[str]]:
    """`dim` and `out_of_focus` of each site, judged by its nuclei where the run has such a channel.

    A field is dim where the mean over its darkest pixel is far below that of the run's fields, out
    of focus where the variance of its Laplacian (over that of the image) is: below the median by a
    half and by four typical deviations of the logarithm. Of fewer than eight fields none is.

    Args:
        pixels: Rows of the table of pixels.
        files: `site_id`, `channel` and `role`.
        ids: The sites, in order.
    """
    roles = files.select("site_id", "channel", "role")
    rows = pixels.join(roles, on=["site_id", "channel"], how="left")
    if (rows["role"] == _LANDMARK).any():
        rows = rows.filter(pl.col("role") == _LANDMARK)
    found = rows.group_by("site_id").agg(
        (pl.col("mean") - pl.col("minimum")).mean().alias("level"), pl.col("focus").mean()
    )
    table = pl.DataFrame({"site_id": ids}).join(
        found, on="site_id", how="left", maintain_order="left"
    )
    dim, soft = (_far_below(table[name].to_numpy()) for name in ("level", "focus"))
    return [
        [name for name, here in (("dim", dim[k]), ("out_of_focus", soft[k])) if here]
        for k in range(len(ids))
    ]


def _far_below(values: npt.NDArray[np.floating]) -> npt.NDArray[np.bool_]:
    known = np.isfinite(values) & (values >= 0)
    if known.sum() < _LEAST_FIELDS:
        return np.zeros(len(values), bool)
    logs = np.log(np.maximum(values, 1e-12, where=known, out=np.ones(len(values))))
    middle = np.median(logs[known])
    spread = _TO_DEVIATION * np.median(np.abs(logs[known] - middle))
    below: npt.NDArray[np.bool_] = known & (logs < middle - max(_LEAST, _DEVIATIONS * spread))
    return below
