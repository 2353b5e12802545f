"""What the desk does: say what there is, save, take back."""

import re
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from threading import Lock, Timer
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from cellwise.app.view.data.opened import Opened, cells_stamp
from cellwise.app.view.data.picked import drawn_rows
from cellwise.app.view.data.queues import DRAWN, NEAR, QUEUES
from cellwise.app.view.desk.taking_back import TakenBack
from cellwise.app.view.desk.verdicts import later, verdict_rows
from cellwise.app.view.shown import Shown
from cellwise.domain.classes import ClassList
from cellwise.domain.tables import ANNOTATIONS
from cellwise.errors import FormatError, PreflightError, UsageError
from cellwise.store.annotations.draws import read_draw
from cellwise.store.annotations.saves import merge, save, save_path
from cellwise.store.annotations.words import RANDOM
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.tables import read_table

Rows = npt.NDArray[np.int64]
_ID = re.compile(r"[0-9a-f]{16,40}")
# Seconds after a save within which the table of what holds is made anew.
_MERGED_AFTER = 1.5
_SEEN = "%Y-%m-%dT%H:%M:%S.%f+00:00"


class Desk:
    """The desk of one run.

    Args:
        shown: The run.
        clock: The time now.
    """

    def __init__(
        self, shown: Shown, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._shown, self._clock = shown, clock
        self._lock, self._merging = Lock(), Lock()
        self._last, self._taken = "", TakenBack()
        self._later: Timer | None = None

    @property
    def opened(self) -> Opened:
        """The run as it is now."""
        return self._shown.now().opened

    def now(self) -> str:
        """The time, as verdicts note it; later than that of any verdict given here before."""
        with self._lock:
            return self._now()

    def _now(self) -> str:
        now = self._clock().astimezone(UTC)
        text = now.strftime(_SEEN)
        if text <= self._last:
            text = later(self._last)
        self._last = text
        return text

    def closed(self) -> str:
        """Why nobody can judge cells of this run; empty where one can."""
        opened = self.opened
        if opened.listed is None or not opened.listed.positive:
            return "This run has no classes that its cells could be judged for."
        if not opened.run.masks.is_dir():
            return "The masks of this run are gone, and verdicts are kept with a cell's outline."
        trouble = opened.said.now().trouble
        if trouble:
            return f"Verdicts cannot be read: {trouble} Move that file away, and keep it."
        return unwritable(opened.run)

    def classes(self) -> ClassList:
        """The classes that people judge.

        Raises:
            PreflightError: The desk is closed.
        """
        why = self.closed()
        listed = self.opened.listed
        if why or listed is None:
            raise PreflightError(why)
        return listed

    def state(self, who: str) -> dict[str, Any]:
        """What the page says of the desk."""
        opened = self.opened
        said = opened.said.now()
        draw = read_draw(opened.run)
        listed = opened.listed
        mine = said.rows.filter(pl.col("who") == who)
        at_random = mine.filter(pl.col("drawn") == RANDOM)["row"].n_unique()
        return {
            "who": who,
            "why": self.closed(),
            "now": self.now(),
            "version": said.version,
            "cells": opened.cells_stamp,
            "classes": list(listed.positive) if listed else [],
            "negative": listed.negative if listed else None,
            "queues": list(QUEUES),
            "people": said.people,
            "verdicts": len(said.rows),
            "judged": said.rows["row"].n_unique(),
            "mine": mine["row"].n_unique(),
            "contradicted": len(said.contradicted),
            "lost": said.lost,
            "drawn": 0 if draw is None else len(draw.drawn),
            "judged_at_random": at_random,
        }

    def save(
        self,
        name: str,
        rows: Sequence[int],
        said: dict[str, str],
        *,
        who: str,
        cells: str,
        queue: str = "",
        of: str = "",
        rest: bool = False,
    ) -> dict[str, Any]:
        """Keep verdicts; when this returns they are on the disk.

        Args:
            name: What the save is called: a second try of one request is not kept twice.
            rows: Rows of the table of cells.
            said: Verdict by class.
            who: The person.
            cells: The state of the table of cells that the person saw.
            queue: The queue that brought the cells; empty for cells that the person looked up.
            of: The class that the queue was for.
            rest: Whether only classes of which the person has said nothing yet are meant.

        Raises:
            UsageError: A name, queue or row that is not there.
            PreflightError: The desk is closed, or the cells were found again since.
            StorageError: The disk is full or cannot be written.
        """
        _check_id(name)
        self.classes()
        opened = self.opened
        self._check_cells(opened, cells)
        wanted = np.unique(np.array(rows, np.int64))
        if not len(wanted) or wanted[0] < 0 or wanted[-1] >= len(opened.cells):
            raise UsageError("There is no such cell in this run.")
        if queue and queue not in QUEUES:
            raise UsageError(f"There is no queue {queue!r}.")
        with self._lock:
            path = save_path(opened.run, f"desk-{name}")
            if not path.exists():
                when = self._later_than(opened, wanted, who)
                drawn = self._drawn(opened, wanted, queue, of)
                made = verdict_rows(opened, wanted, said, who=who, when=when, drawn=drawn)
                made = self._unsaid(made, opened, who) if rest else made
                save(opened.run, made, name=f"desk-{name}", merged=False)
            self._merge_soon(opened)
        return {"save": name, "cells": len(wanted), **self._after(wanted, list(said))}

    def undo(self, name: str, other: str, *, who: str) -> dict[str, Any]:
        """Take a save of this person back: what held before it holds again.

        Args:
            name: What the new save is called.
            other: The save that is taken back; one that takes back may be taken back too.
            who: The person.

        Raises:
            UsageError: No such save of this person.
            PreflightError, StorageError: As `save`.
        """
        _check_id(name)
        _check_id(other)
        self.classes()
        opened = self.opened
        path = save_path(opened.run, f"desk-{other}")
        made = read_table(path, ANNOTATIONS) if path.is_file() else None
        if made is None or (made["who"] != who).any():
            raise UsageError("There is no such save of yours to take back.")
        kept = 0
        with self._lock:
            if not save_path(opened.run, f"desk-{name}").exists():
                every = opened.said.saves.rows()
                back, kept = self._taken.rows(opened.run, every, made, (name, other), self._now())
                if len(back):
                    save(opened.run, back, name=f"desk-{name}", merged=False)
            self._merge_soon(opened)
        places = made.select("site_id", "cell_id").unique(maintain_order=True).rows()
        found = [opened.cells.row_of(*place) for place in places]
        rows = np.array([row for row in found if row is not None], np.int64)
        words = made["class"].unique(maintain_order=True).to_list()
        return {"save": name, "changed_since": kept, **self._after(rows, words)}

    @staticmethod
    def _unsaid(made: pl.DataFrame, opened: Opened, who: str) -> pl.DataFrame:
        """Verdicts without those on classes of which this person said something already."""
        said = opened.said.now().rows.filter(pl.col("who") == who)
        places = [
            (opened.cells.fields.ids[opened.cells.site[row]], int(opened.cells.cell[row]), name)
            for row, name in said.select("row", "class").iter_rows()
        ]
        schema = {"site_id": pl.String, "cell_id": pl.Int32, "class": pl.String}
        known = pl.DataFrame(places, schema=schema, orient="row")
        return made.join(known, on=list(schema), how="anti")

    def _merge_soon(self, opened: Opened) -> None:
        """Write the table of what holds in a moment, once for all saves until then.

        Many cells are many rows; a person who judges a cell a second waits for none of it.
        """
        if self._later is None:
            self._later = Timer(_MERGED_AFTER, self._merge, [opened.run])
            self._later.daemon = True
            self._later.start()

    def _merge(self, run: RunFolder) -> None:
        with self._merging:
            with self._lock:
                self._later = None
            # Saves hold all; a table that cannot be written now is written with the next one.
            with suppress(OSError, FormatError):
                merge(run)

    def finish(self) -> None:
        """Write what is still to be written; a table that is being written is waited for."""
        with self._lock:
            waiting, self._later = self._later, None
        if waiting is not None:
            waiting.cancel()
            self._merge(self.opened.run)
        with self._merging:
            pass

    def _after(self, rows: Rows, classes: list[str]) -> dict[str, Any]:
        """What the page needs to know of cells that were judged just now."""
        said = self.opened.said.now()
        there = said.rows.filter(
            pl.col("row").is_in(rows.tolist()) & pl.col("class").is_in(classes)
        )
        against = said.contradicted.join(there.select("row", "class").unique(), on=["row", "class"])
        return {
            "version": said.version,
            "rows": rows.tolist(),
            "contradicted": against["row"].unique().sort().to_list(),
        }

    @staticmethod
    def _check_cells(opened: Opened, cells: str) -> None:
        # The tables here may be a moment older than the files.
        if cells != opened.cells_stamp or cells != cells_stamp(opened.run):
            raise PreflightError(
                "The cells of this run were found again since this page was opened, so that rows "
                "mean other cells. Load the page again; what was not saved has to be judged again."
            )

    def _later_than(self, opened: Opened, rows: Rows, who: str) -> str:
        """The time of a verdict, after the person's others on these cells: the last one holds."""
        text = self._now()
        said = opened.said.now().rows
        mine = said.filter((pl.col("who") == who) & pl.col("row").is_in(rows.tolist()))
        last = mine["when"].max()
        return later(str(last)) if isinstance(last, str) and last >= text else text

    @staticmethod
    def _drawn(opened: Opened, rows: Rows, queue: str, of: str) -> list[str]:
        """What brought each cell; `random` only for cells of the draw, whoever says so."""
        if queue == RANDOM:
            drawn = set(drawn_rows(opened.run, opened.cells, opened.said.masks).tolist())
            return [RANDOM if row in drawn else DRAWN[""] for row in rows.tolist()]
        word = f"{DRAWN[NEAR]} {of}".strip() if queue == NEAR else DRAWN[queue]
        return [word] * len(rows)


def unwritable(run: RunFolder) -> str:
    """Why nothing can be kept in a run folder; empty where it can."""
    folder = run.annotations if run.annotations.exists() else run.path
    try:
        with tempfile.TemporaryFile(dir=folder):
            return ""
    except OSError as error:
        return (
            f"{folder} cannot be written ({error.strerror}), so that no verdict could be kept. "
            "Cells can be looked at."
        )


def _check_id(name: str) -> None:
    if not _ID.fullmatch(name):
        raise UsageError("A save is called by 16 to 40 hexadecimal digits.")
