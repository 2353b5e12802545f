"""`RUN/annotations/`: one file per save that is never changed, and one table of what holds now.

`annotations.parquet` is made anew of all saves with each save. Whoever reads takes the saves
themselves, so that two people who save at once lose nothing.
"""

import hashlib
from pathlib import Path
from threading import Lock

import polars as pl

from cellwise.domain.tables import ANNOTATIONS
from cellwise.errors import FormatError
from cellwise.store.annotations.words import RANDOM, UNSURE, VERDICTS, WITHDRAWN
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.tables import empty_frame, read_table, write_table

_SAVE = "save-"
MERGED = "annotations.parquet"
"""The table of what holds."""
# Who saves last has the table right; of many at once one need not go on for all.
_TURNS = 20
_ONE = ["site_id", "mask_key", "cell_id", "class", "who"]


def save(
    run: RunFolder,
    rows: pl.DataFrame,
    *,
    name: str = "",
    saves: "Saves | None" = None,
    merged: bool = True,
) -> Path:
    """Add verdicts to a run's, as one file that appears whole or not at all.

    Args:
        run: The run folder.
        rows: The columns of the table of annotations; who judged and when are said by the caller.
        name: What the save is called; the hash of its rows where empty. A save of a name that is
            there already is not made again.
        saves: What was read of the run's saves before; read anew if not given.
        merged: Whether the table of what holds is written too; else whoever saves does it later.

    Raises:
        FormatError: A verdict is none of yes, no and unsure, or a column is missing.
    """
    known = [*VERDICTS, WITHDRAWN]
    wrong = rows.filter(~pl.col("verdict").is_in(known) | pl.col("verdict").is_null())
    if len(wrong):
        raise FormatError(
            f"A verdict is one of {', '.join(VERDICTS)}, not {wrong['verdict'][0]!r} (cell "
            f"{wrong['cell_id'][0]} of {wrong['site_id'][0]})."
        )
    name = name or hashlib.sha256(rows.write_json().encode()).hexdigest()[:16]
    path = save_path(run, name)
    if not path.exists():
        write_table(path, ANNOTATIONS, rows)
    if merged:
        merge(run, saves)
    return path


def merge(run: RunFolder, saves: "Saves | None" = None) -> None:
    """Write the table of what holds now; see `save`.

    It is written again where saves came meanwhile: whoever of several people writes it last has
    looked at the saves of all.

    Raises:
        FormatError: A save is torn or of another kind.
        StorageError: The disk is full or cannot be written.
    """
    saves = saves or Saves(run)
    for _ in range(_TURNS):
        before = saves.names()
        write_table(run.annotations / MERGED, ANNOTATIONS, saves.holds())
        if saves.names() == before:
            return


def save_path(run: RunFolder, name: str) -> Path:
    """The file of one save."""
    return run.annotations / f"{_SAVE}{name}.parquet"


def saves_in(folder: Path) -> list[str]:
    """The names of the files of saves in a folder of annotations, sorted."""
    return sorted(path.name for path in folder.glob(f"{_SAVE}*.parquet"))


def annotations(run: RunFolder) -> pl.DataFrame:
    """What holds now: of one person, cell and class the last verdict.

    A person who said two things at one time is unsure. A cell that any save drew at random stays
    drawn at random.

    Raises:
        FormatError: A save is torn or of another kind.
    """
    return Saves(run).holds().sort(ANNOTATIONS.sort)


def judged_cells(run: RunFolder) -> int:
    """How many cells people have judged in this run, all classes together.

    Raises:
        FormatError: A save is torn or written by a newer cellwise.
    """
    return annotations(run).select("site_id", "mask_key", "cell_id").n_unique()


class Saves:
    """The saves of a run. They never change, so each is read once.

    Args:
        run: The run folder.
    """

    def __init__(self, run: RunFolder) -> None:
        self._run = run
        self._lock = Lock()
        self._seen: set[str] = set()
        self._rows = empty_frame(ANNOTATIONS)
        self._holds = empty_frame(ANNOTATIONS)

    def names(self) -> list[str]:
        """The names of the files that are there, sorted."""
        return saves_in(self._run.annotations)

    def rows(self) -> pl.DataFrame:
        """All rows of all saves, withdrawn ones among them.

        Raises:
            FormatError: A save is torn or of another kind.
        """
        with self._lock:
            self._read()
            return self._rows

    def holds(self) -> pl.DataFrame:
        """What holds now, in no order; see `annotations`.

        Raises:
            FormatError: A save is torn or of another kind.
        """
        with self._lock:
            self._read()
            return self._holds

    def _read(self) -> None:
        names = self.names()
        if not self._seen <= set(names):
            # A save was taken away: what it said holds no more.
            self._seen, self._rows = set(), empty_frame(ANNOTATIONS)
            self._holds = self._rows
        new = [name for name in names if name not in self._seen]
        if not new:
            return
        rows = pl.concat([read_table(self._run.annotations / name, ANNOTATIONS) for name in new])
        said = rows.select(_ONE).unique()
        every = pl.concat([self._rows, rows])
        # Only of what these saves speak of another word may hold now.
        changed = latest(every.join(said, on=_ONE, how="semi"))
        self._holds = pl.concat([self._holds.join(said, on=_ONE, how="anti"), changed])
        self._rows, self._seen = every, set(names)


def last_words(rows: pl.DataFrame) -> pl.DataFrame:
    """Of one person, cell and class what was said last; several rows where they are of one time."""
    return rows.filter(pl.col("when") == pl.col("when").max().over(_ONE))


def latest(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows of several saves as one, see `annotations`; what was withdrawn is not there."""
    gone = pl.col("when").filter(pl.col("verdict") == WITHDRAWN).max()
    holding = (pl.col("when") > gone).fill_null(value=True)
    drawn = pl.when(((pl.col("drawn") == RANDOM) & holding).any()).then(pl.lit(RANDOM))
    last = pl.col("when") == pl.col("when").max()
    verdict = pl.col("verdict").filter(last)
    one = rows.group_by(_ONE, maintain_order=True).agg(
        pl.when(verdict.n_unique() == 1)
        .then(verdict.first())
        .otherwise(pl.lit(UNSURE))
        .alias("verdict"),
        drawn.otherwise(pl.col("drawn").filter(last).first()).alias("drawn"),
        *(
            pl.col(name).filter(last).first()
            for name in ("outline", "x", "y", "when", "model_said")
        ),
    )
    holds = one.filter(pl.col("verdict") != WITHDRAWN)
    return holds.select(list(ANNOTATIONS.columns)).sort(ANNOTATIONS.sort)
