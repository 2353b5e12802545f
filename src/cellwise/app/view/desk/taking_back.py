"""Taking verdicts back: what held before a save holds again, also where several are taken back."""

from dataclasses import dataclass

import polars as pl

from cellwise.domain.tables import ANNOTATIONS
from cellwise.store.annotations.saves import save_path
from cellwise.store.annotations.words import WITHDRAWN
from cellwise.store.run.folder import RunFolder

_ONE = ["site_id", "mask_key", "cell_id", "class", "who"]
# As many as a page takes back.
_KEPT = 400


@dataclass(frozen=True)
class _Pair:
    """A save that takes another one back: together they are as if they had not been."""

    name: str
    other: str
    rows: pl.DataFrame


class TakenBack:
    """What was taken back since this server began.

    Words that a taking back set again are no new ones: whoever takes back two saves on one cell
    takes back both. What was taken back before the server began counts as said since.
    """

    def __init__(self) -> None:
        self._pairs: list[_Pair] = []

    def rows(
        self, run: RunFolder, saves: pl.DataFrame, made: pl.DataFrame, names: tuple[str, str],
        when: str,
    ) -> tuple[pl.DataFrame, int]:  # fmt: skip
        """Rows that take a save back, and how many of its rows stay; see `taken_back`.

        Args:
            run: The run folder.
            saves: All rows of all saves.
            made: The rows of the save.
            names: What the taking back is called, and the save.
            when: The time of taking back.
        """
        for pair in self._past(run, names[1]):
            saves = saves.join(pair.rows, on=pair.rows.columns, how="anti")
        back, kept = taken_back(saves, made, when)
        columns = [*_ONE, "when"]
        pair = _Pair(*names, pl.concat([made.select(columns), back.select(columns)]))
        self._pairs = [*self._pairs, pair][-_KEPT:]
        return back, kept

    def _past(self, run: RunFolder, meant: str) -> list[_Pair]:
        """Pairs that are in the run and leave out the save that is meant; each save is of one."""
        gone = {meant}
        found = []
        for pair in reversed(self._pairs):
            if pair.name in gone or pair.other in gone:
                continue
            # Nothing is written of a taking back that was refused, or that changed nothing.
            if save_path(run, f"desk-{pair.name}").exists():
                gone |= {pair.name, pair.other}
                found.append(pair)
        return found


def taken_back(saves: pl.DataFrame, made: pl.DataFrame, when: str) -> tuple[pl.DataFrame, int]:
    """Rows that set verdicts back to what they were before a save, and how many cannot be.

    What the person has said since of the same cell and class stays.

    Args:
        saves: All rows of all saves.
        made: The rows of the save.
        when: The time of taking back.
    """
    every = saves.join(made.select(_ONE).unique(), on=_ONE, how="semi")
    top = every.group_by(_ONE).agg(pl.col("when").max().alias("top"))
    mine = made.join(top, on=_ONE).filter(pl.col("when") == pl.col("top"))
    at = mine.select(*_ONE, pl.col("when").alias("at"))
    before = every.join(at, on=_ONE).filter(pl.col("when") < pl.col("at")).sort("when")
    was = before.group_by(_ONE, maintain_order=True).last()
    was = was.select(*_ONE, pl.col("verdict").alias("was"), pl.col("drawn").alias("drawn_was"))
    back = mine.join(was, on=_ONE, how="left").with_columns(
        verdict=pl.coalesce("was", pl.lit(WITHDRAWN)),
        drawn=pl.coalesce("drawn_was", "drawn"),
        when=pl.lit(when),
    )
    return back.select(list(ANNOTATIONS.columns)), len(made) - len(mine)
