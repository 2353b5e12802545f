"""What people said of the cells of today, read anew when a save came."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import numpy as np
import numpy.typing as npt
import polars as pl

from cellwise.app.view.data.cells import Cells
from cellwise.app.view.data.kept import Kept
from cellwise.errors import FormatError
from cellwise.store.annotations.outlines import same_cell
from cellwise.store.annotations.saves import Saves
from cellwise.store.annotations.words import NO, YES
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.masks import key_of, mask_path, read_labels

Rows = npt.NDArray[np.int64]
_LABELS_KEPT = 12
_SCHEMA = pl.Schema(
    {
        "row": pl.Int64(),
        "class": pl.String(),
        "verdict": pl.String(),
        "who": pl.String(),
        "when": pl.String(),
        "drawn": pl.String(),
    }
)


@dataclass(frozen=True, slots=True)
class Said:
    """Verdicts on cells of today.

    Args:
        rows: `row` of the table of cells, `class`, `verdict`, `who`, `when` and `drawn`; of one
            person, cell and class the last.
        version: Tells this state from a later one.
        lost: Verdicts on cells that are none of today's.
        trouble: Why verdicts cannot be read; empty where they can.
    """

    rows: pl.DataFrame
    version: str
    lost: int = 0
    trouble: str = ""

    @property
    def people(self) -> list[str]:
        """Who judged, sorted."""
        return sorted(self.rows["who"].unique().to_list())

    def until(self, when: str) -> "Said":
        """What had been said at that time; all where it is empty."""
        if not when:
            return self
        return Said(self.rows.filter(pl.col("when") <= when), self.version, self.lost, self.trouble)

    def judged(self, who: str) -> Rows:
        """Rows of the cells that this person judged; `contradicted` where two people differ."""
        if who == "contradicted":
            return self._unique(self.contradicted)
        mine = self.rows if who == "anyone" else self.rows.filter(pl.col("who") == who)
        return self._unique(mine)

    def with_verdict(self, name: str, verdict: str) -> Rows:
        """Rows of the cells of which anyone said this of a class."""
        said = (pl.col("class") == name) & (pl.col("verdict") == verdict)
        return self._unique(self.rows.filter(said))

    @property
    def contradicted(self) -> pl.DataFrame:
        """`row` and `class` of which one person says yes and another no."""
        sure = self.rows.filter(pl.col("verdict").is_in([YES, NO]))
        one = sure.group_by("row", "class").agg(pl.col("verdict").n_unique().alias("voices"))
        return one.filter(pl.col("voices") > 1).select("row", "class").sort("row", "class")

    @staticmethod
    def _unique(rows: pl.DataFrame) -> Rows:
        return rows["row"].unique().sort().to_numpy().astype(np.int64)


class TodaysMasks:
    """Label images of today and their keys, each read once while it stays the same file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._keys: dict[tuple[str, str], str] = {}
        self._labels: Kept[npt.NDArray[np.integer]] = Kept(_LABELS_KEPT)
        self._same: dict[tuple[str, str, str, int], int] = {}

    def key(self, site: str) -> str | None:
        """The key of a field's masks; None where there are none.

        Raises:
            FormatError: The file is torn.
        """
        stamp = self._stamp(site)
        if not stamp:
            return None
        if (site, stamp) not in self._keys:
            self._keys[site, stamp] = key_of(self._read(site, stamp))
        return self._keys[site, stamp]

    def labels(self, site: str) -> npt.NDArray[np.integer] | None:
        """The label image of a field's cells; None where there is none."""
        stamp = self._stamp(site)
        return self._read(site, stamp) if stamp else None

    def same(self, site: str, former: tuple[str, int], outline: Sequence[int]) -> int:
        """The cell of today that has the outline of one of other masks; 0 for none."""
        stamp = self._stamp(site)
        if not stamp:
            return 0
        known = (site, stamp, *former)
        if known not in self._same:
            self._same[known] = same_cell(self._read(site, stamp), outline)
        return self._same[known]

    def _stamp(self, site: str) -> str:
        try:
            facts = mask_path(self._folder, site, "cells").stat()
        except OSError:
            return ""
        return f"{facts.st_ino:x}-{facts.st_size:x}-{facts.st_mtime_ns:x}"

    def _read(self, site: str, stamp: str) -> npt.NDArray[np.integer]:
        path = mask_path(self._folder, site, "cells")
        return self._labels.give((site, stamp), lambda: read_labels(path))


class SaidNow:
    """Verdicts of a run as they are now.

    Args:
        run: The run folder.
        cells: Its cells.
        before: Of an earlier state of the run, whose files are not read again.
    """

    def __init__(self, run: RunFolder, cells: Cells, before: "SaidNow | None" = None) -> None:
        self.masks: TodaysMasks = before.masks if before else TodaysMasks(run.masks)
        self.saves: Saves = before.saves if before else Saves(run)
        self._run, self._cells = run, cells
        self._lock = Lock()
        self._last: Said | None = None
        self._seen = ""

    def now(self) -> Said:
        """What holds now; saves that cannot be read are named in its `trouble`."""
        with self._lock:
            seen = self._look()
            if self._last is None or seen != self._seen:
                self._last, self._seen = self._made(seen), seen
            return self._last

    def _look(self) -> str:
        if not self._run.annotations.is_dir():
            return "none"
        words = "\n".join(self.saves.names())
        return hashlib.sha256(words.encode()).hexdigest()[:12]

    def _made(self, version: str) -> Said:
        none = pl.DataFrame(schema=_SCHEMA)
        if version == "none":
            return Said(none, version)
        try:
            rows = self.saves.holds()
            cells = self._of_today(rows)
        except (FormatError, OSError) as error:
            return Said(none, version, trouble=str(error))
        rows = rows.with_columns(pl.Series("row", cells, dtype=pl.Int64))
        there = rows.filter(pl.col("row") >= 0)
        # Of verdicts that came to one cell from several masks the last holds.
        last = there.filter(pl.col("when") == pl.col("when").max().over("row", "class", "who"))
        last = last.unique(subset=["row", "class", "who"], keep="first", maintain_order=True)
        return Said(last.select(list(_SCHEMA)), version, len(rows) - len(there))

    def _of_today(self, rows: pl.DataFrame) -> list[int]:
        """The row in the table of cells of each verdict, -1 for none."""
        one = ["site_id", "mask_key", "cell_id"]
        outlines = rows.unique(subset=one, maintain_order=True).select(*one, "outline")
        found: list[int] = []
        for site, key, cell, outline in outlines.iter_rows():
            today = self.masks.key(site)
            number = cell if key == today else self.masks.same(site, (key, cell), outline or [])
            found.append(self._place(site, number) if today and number else -1)
        index = outlines.select(one).with_columns(pl.Series("row", found, dtype=pl.Int64))
        joined = rows.select(one).join(index, on=one, how="left", maintain_order="left")
        return joined["row"].to_list()

    def _place(self, site: str, number: int) -> int:
        row = self._cells.row_of(site, number)
        return -1 if row is None else row
