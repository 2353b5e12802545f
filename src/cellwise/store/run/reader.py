"""The tables of a run as steps want them: sites, files, folds, units, labels, and clean scores.

Only the columns that are asked for are read: a million cells and 400,000 files are ordinary.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from cellwise.domain.tables import CELLS, CURATION, FOLDS, SITES
from cellwise.domain.units import units_table
from cellwise.store.run.folder import RunFolder, read_json
from cellwise.store.run.scores import read_scores
from cellwise.store.run.sites import PREFIX
from cellwise.store.run.tables import column_names, empty_frame, read_table

_OF_SITE = ("site_id", "raw_id", "part", "labels", "status", "pixel_size")
_SIZE = ("height", "width")
_OF_FILE = (
    "site_id", "channel", "role", "paths", "plane", "colour", "size", "mtime_ns", *_SIZE, "dtype",
)  # fmt: skip
# How the reason begins that `curate` gives for a field that another one stands for.
SHOWS_THE_SAME = "shows the same as"
_SCORED = ("unit", "site_id", "cell_id", "fold", "score")


@dataclass(frozen=True, slots=True)
class RunReader:
    """Reads the tables of one run; nothing is kept between two calls."""

    run: RunFolder

    def sites(self) -> pl.DataFrame:
        """One row per site, sorted by `site_id`: what all its channels share.

        `site_id`, `raw_id`, `part`, `labels` (null without), `status`, `pixel_size`, `height` and
        `width` (the first known), and `Metadata_*`.

        Raises:
            FormatError: The table is torn or newer than this cellwise.
        """
        metadata = self._metadata()
        frame = read_table(self.run.sites, SITES, columns=[*_OF_SITE, *_SIZE, *metadata])
        return frame.group_by("site_id", maintain_order=True).agg(
            pl.col(*_OF_SITE[1:]).first(),
            pl.col(*_SIZE).drop_nulls().first(),
            *(pl.col(name).first() for name in metadata),
        ).sort("site_id")  # fmt: skip

    def labelled_sites(self) -> pl.DataFrame:
        """Those of `sites()` that may be learned from: usable, with a label, of no test part."""
        usable = (pl.col("status") == "ok") & (pl.col("part") != "test")
        return self.sites().filter(usable & (pl.col("labels").list.len() > 0))

    def files(self) -> pl.DataFrame:
        """One row per site and channel, sorted: where the pixels lie, and what headers say.

        Raises:
            FormatError: The table is torn or newer than this cellwise.
        """
        return read_table(self.run.sites, SITES, columns=_OF_FILE)

    def folds(self) -> pl.DataFrame:
        """`site_id`, `fold` and `group` of each site; no rows where there are no folds.

        Raises:
            FormatError: The table is torn or newer than this cellwise.
        """
        if not self.run.folds.is_file():
            return empty_frame(FOLDS)
        return read_table(self.run.folds, FOLDS)

    def curation(self) -> pl.DataFrame:
        """Which sites teach, and why others do not; no rows where the recipe does not ask.

        A table that another recipe left in the folder counts as none.

        Raises:
            FormatError: The table is torn or newer than this cellwise.
        """
        recipe = read_json(self.run.record).get("recipe") if self.run.record.is_file() else None
        kinds = {step.get("kind") for step in (recipe or {}).get("steps") or []}
        if not self.run.curation.is_file() or (kinds and "curate" not in kinds):
            return empty_frame(CURATION)
        return read_table(self.run.curation, CURATION)

    def copies(self) -> frozenset[str]:
        """Labelled sites that show the same as another one, which stands for them in figures.

        That is the one that teaches, else the first by name, see the step `curate`; none where the
        recipe does not ask.

        Raises:
            FormatError: A table is torn or newer than this cellwise.
        """
        same = self.curation().filter(pl.col("same_as").is_not_null())
        if same.is_empty():
            return frozenset()
        again = pl.col("reason").str.starts_with(SHOWS_THE_SAME)
        ranked = same.join(self.labelled_sites(), on="site_id", how="semi").sort(
            again, ~pl.col("teaches"), "site_id"
        )
        kept = ranked.unique("same_as", keep="first", maintain_order=True)
        return frozenset(ranked.join(kept, on="site_id", how="anti")["site_id"].to_list())

    def units(self) -> pl.DataFrame:
        """The units of the run, from cells (where there are any yet) to experiments.

        See `domain.units.units_table`.

        Raises:
            FormatError: A table is torn or newer than this cellwise.
        """
        cells = None
        if self.run.cells.is_file():
            cells = read_table(self.run.cells, CELLS, columns=["site_id", "cell_id"])
        names = ["site_id", *self._metadata()]
        sites = read_table(self.run.sites, SITES, columns=names)
        return units_table(sites.unique("site_id", keep="first", maintain_order=True), cells)

    def scores(self, name: str, classes: Sequence[str]) -> pl.DataFrame:
        """Rows of a score step: `unit`, `site_id`, `cell_id`, `fold`, `score`, `out_of_fold`.

        `cell_id` is null in rows of sites. `out_of_fold` says whether the row was scored by the
        model that left the site's fold out; a site without a fold is never out of fold.

        Args:
            name: The score step.
            classes: The classes that the scores must be over, in order.

        Raises:
            FormatError: Scores over other classes, or a table that is torn or newer.
        """
        rows = read_scores(self.run.scores(name), columns=_SCORED, classes=classes)
        folds = self.folds().select("site_id", left_out="fold")
        joined = rows.join(folds, on="site_id", how="left", maintain_order="left")
        clean = (pl.col("fold") == pl.col("left_out")).fill_null(value=False)
        return joined.with_columns(out_of_fold=clean).drop("left_out")

    def out_of_fold(self, name: str, classes: Sequence[str]) -> pl.DataFrame:
        """Those rows of `scores` that are out of fold, without the column that says so.

        Raises:
            FormatError: As `scores`.
        """
        return self.scores(name, classes).filter("out_of_fold").drop("out_of_fold")

    def _metadata(self) -> list[str]:
        return [n for n in column_names(self.run.sites, SITES) if n.startswith(PREFIX)]


def labels_matrix(labels: pl.Series, classes: Sequence[str]) -> npt.NDArray[np.bool_]:
    """`[row, class]`: whether the row's list of labels names the class; False without a list.

    Labels that are none of the classes (such as Negative among the positive classes) are left out.
    """
    result = np.zeros((len(labels), len(classes)), dtype=bool)
    place = pl.DataFrame(
        {"label": list(classes), "class": range(len(classes))},
        schema={"label": pl.String, "class": pl.Int64},
    )
    shown = labels.cast(pl.List(pl.String)).to_frame("label").with_row_index("row")
    found = shown.explode("label").join(place, on="label", how="inner")
    result[found["row"].to_numpy(), found["class"].to_numpy()] = True
    return result
