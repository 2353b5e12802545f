"""The public file of pixel statistics, held against what the pixels of a run say.

Its levels are of whole images of 8 bits; images that were made smaller keep their means, so means
are compared and nothing else. What is used is always what was measured here.
"""

from pathlib import Path

import polars as pl

from cellwise.domain.plain_words import counted
from cellwise.errors import FormatError, PreflightError

FILE = "pixel_stats.csv"
_KEY = ("id_code", "site", "channel")
_WHITE = 255
# In grey levels, and as a share of the level: rounding, and another way of making images smaller.
_LEVELS, _SHARE = 1.0, 0.02
# Some images may have been mended since; a file of other images differs nearly everywhere.
_FEW = 0.01


def check_public(path: Path, measured: pl.DataFrame) -> int:
    """Compare the file, if it is there, with the table of statistics; how many rows both have.

    Args:
        path: Of `pixel_stats.csv`: `id_code`, `site`, `channel` and `mean`, one row per image.
        measured: `site_id`, `channel` and `mean` in 0..1.

    Raises:
        FormatError: The file lacks a column, or holds no numbers.
        PreflightError: It speaks of other images: means differ in more than one of a hundred.
    """
    if not path.is_file():
        return 0
    try:
        table = pl.read_csv(path, columns=[*_KEY, "mean"], infer_schema=False)
        said = table.select(
            pl.concat_str("id_code", "site", separator="_").alias("site_id"),
            pl.format("w{}", "channel").alias("channel"),
            pl.col("mean").cast(pl.Float64).alias("said"),
        )
    except pl.exceptions.PolarsError as error:
        raise FormatError(
            f"{path.name} is no table of pixel statistics with id_code, site, channel and mean "
            f"({str(error).splitlines()[0]}). Mend it, or take it out of the folder."
        ) from error
    both = measured.with_columns(pl.col("mean") * _WHITE).join(
        said.unique(["site_id", "channel"], keep="first"), on=["site_id", "channel"]
    )
    apart = (pl.col("mean") - pl.col("said")).abs()
    odd = both.filter(apart > _LEVELS + _SHARE * pl.col("said")).sort("site_id", "channel")
    if len(odd) > _FEW * len(both):
        first = odd.row(0, named=True)
        raise PreflightError(
            f"{path.name} contradicts the images: {len(odd):,} of {counted(len(both), 'rows')} "
            f"give another mean level. {first['site_id']} {first['channel']}: the file says "
            f"{first['said']:.1f} of 255, its pixels {first['mean']:.1f}. Was it made of other "
            "images, or were these changed? Take the file out of the folder to go on without it: "
            "only what is measured is used."
        )
    return len(both)
