"""`RUN/annotations/`: one file per save that is never changed, and one table of what holds now.

`annotations.parquet` is made anew of all saves with each save. Whoever reads takes the saves
themselves, so that two people who save at once lose nothing.
"""

import hashlib
from pathlib import Path

import polars as pl

from cellwise.domain.tables import ANNOTATIONS
from cellwise.errors import FormatError
from cellwise.store.annotations.words import RANDOM, UNSURE, VERDICTS
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.tables import empty_frame, read_table, write_table

_SAVE = "save-"
_ONE = ["site_id", "mask_key", "cell_id", "class", "who"]


def save(run: RunFolder, rows: pl.DataFrame, *, name: str = "") -> Path:
    """Add verdicts to a run's, as one file that appears whole or not at all.

    Args:
        run: The run folder.
        rows: The columns of the table of annotations; who judged and when are said by the caller.
        name: What the save is called; the hash of its rows where empty. A save of a name that is
            there already is not made again.

    Raises:
        FormatError: A verdict is none of yes, no and unsure, or a column is missing.
    """
    wrong = rows.filter(~pl.col("verdict").is_in(VERDICTS) | pl.col("verdict").is_null())
    if len(wrong):
        raise FormatError(
            f"A verdict is one of {', '.join(VERDICTS)}, not {wrong['verdict'][0]!r} (cell "
            f"{wrong['cell_id'][0]} of {wrong['site_id'][0]})."
        )
    name = name or hashlib.sha256(rows.write_json().encode()).hexdigest()[:16]
    path = save_path(run, name)
    if not path.exists():
        write_table(path, ANNOTATIONS, rows)
    write_table(run.annotations / "annotations.parquet", ANNOTATIONS, annotations(run))
    return path


def save_path(run: RunFolder, name: str) -> Path:
    """The file of one save."""
    return run.annotations / f"{_SAVE}{name}.parquet"


def annotations(run: RunFolder) -> pl.DataFrame:
    """What holds now: of one person, cell and class the last verdict.

    A person who said two things at one time is unsure. A cell that any save drew at random stays
    drawn at random.

    Raises:
        FormatError: A save is torn or of another kind.
    """
    paths = sorted(run.annotations.glob(f"{_SAVE}*.parquet"))
    saves = [read_table(path, ANNOTATIONS) for path in paths]
    return latest(pl.concat([empty_frame(ANNOTATIONS), *saves]))


def last_words(rows: pl.DataFrame) -> pl.DataFrame:
    """Of one person, cell and class what was said last; several rows where they are of one time."""
    return rows.filter(pl.col("when") == pl.col("when").max().over(_ONE))


def latest(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows of several saves as one, see `annotations`."""
    drawn = pl.when((pl.col("drawn") == RANDOM).any()).then(pl.lit(RANDOM))
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
    return one.select(list(ANNOTATIONS.columns)).sort(ANNOTATIONS.sort)
