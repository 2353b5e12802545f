"""One run as the page shows it: its tables as arrays, its crops, its words."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from cellwise.app.view.data.cells import Cells, read_cells
from cellwise.app.view.data.fields import Fields, read_fields
from cellwise.app.view.data.kept import Kept
from cellwise.app.view.data.picked import drawn_rows, near_rows
from cellwise.app.view.data.question import Inside, Question, Rows, answer
from cellwise.app.view.data.queues import Asked, queue_rows
from cellwise.app.view.data.said import Said, SaidNow
from cellwise.domain.channels import Channel
from cellwise.domain.classes import ClassList
from cellwise.domain.crop_plan import CropPlan
from cellwise.errors import FormatError, PreflightError
from cellwise.kernels.crop import windows_of
from cellwise.stages.report.sections.provenance import audited_of, calibration_of
from cellwise.stages.report.shown import crop_plan
from cellwise.store.run.crops import CropStore
from cellwise.store.run.folder import RunFolder, read_json
from cellwise.store.run.sites import find_images, run_channels

_ORDERS_KEPT = 12


@dataclass(frozen=True, slots=True)
class Opened:
    """A run in memory.

    Args:
        run: Its folder.
        stamp: Tells this state of its tables from a later one.
        cells_stamp: What changes when its cells are found again, see `cells_stamp`.
        images: The folder of its images, where they were or are.
        record: `run.json`.
        fields, cells: Its tables.
        channels: The channels of its fields.
        plan: How cells were cut out.
        store: The single-cell images, None where there are none.
        calibration: What the probabilities were fitted against, see the report.
        audited: The classes whose probabilities were fitted to judged cells.
        listed: The classes that people judge, None where the run has none.
        said: What people said of cells, always as it is now.
        orders: Answers to questions, kept.
    """

    run: RunFolder
    stamp: str
    cells_stamp: str
    images: Path
    record: dict[str, Any]
    fields: Fields
    cells: Cells
    channels: tuple[Channel, ...]
    plan: CropPlan
    store: CropStore | None
    calibration: str
    audited: tuple[str, ...]
    listed: ClassList | None
    said: SaidNow
    orders: Kept[Rows]

    @property
    def crop_channels(self) -> tuple[Channel, ...]:
        """The channels of the single-cell images."""
        return self.store.channels if self.store is not None else ()

    def ask(self, asked: Question, inside: Inside) -> Rows:
        """The rows of the cells that fit, in the order asked for; see `question.answer`."""
        if not (asked.who or asked.verdict or asked.queue):
            return self.orders.give(asked, lambda: answer(self.cells, asked, inside=inside))
        said = self.said.now()
        then = said.until(asked.until)

        def rows() -> Rows:
            name = asked.name or (self.cells.classes[0] if self.cells.classes else "")
            return answer(
                self.cells,
                asked,
                inside=inside,
                judged=lambda who: self._mask(then if who == "nobody" else said, who),
                verdict=lambda word: self._flags(said.with_verdict(name, word)),
                queue=lambda code: self._queue(asked, code, then),
            )

        return self.orders.give((asked, said.version), rows)

    def _mask(self, said: Said, who: str) -> npt.NDArray[np.bool_]:
        """Which cells this person judged; `anyone`, `nobody` and `contradicted` are words."""
        found = self._flags(said.judged("anyone" if who == "nobody" else who))
        return ~found if who == "nobody" else found

    def _flags(self, rows: Rows) -> npt.NDArray[np.bool_]:
        found = np.zeros(len(self.cells), bool)
        found[rows] = True
        return found

    def _queue(self, asked: Question, code: int, said: Said) -> Rows:
        wanted = Asked(asked.queue, code, asked.whole == "yes", asked.visitor)
        return queue_rows(
            self.cells,
            wanted,
            said,
            judgeable=self.listed.positive if self.listed else (),
            drawn=lambda: drawn_rows(self.run, self.cells, self.said.masks),
            near=self._near,
        )

    def _near(self, name: str, said: Said) -> Rows:
        """Rows near cells known to show a class; kept, for vectors of all cells are compared."""
        known = said.rows.filter(pl.col("class") == name).sort("row", "who", "verdict")
        key = ("near", name, tuple(known.select("row", "who", "verdict").rows()))
        return self.orders.give(key, lambda: near_rows(self.run, self.cells, name, said))

    def windows(self, rows: Rows) -> npt.NDArray[np.float64]:
        """What was cut out for these cells: `[cell, (top, left, side)]` in pixels of the field."""
        y0, x0, y1, x1 = self.cells.boxes[rows].T
        found = windows_of(y0, x0, y1, x1, plan=self.plan)
        if not self.plan.inside:
            return found
        for n, row in enumerate(rows):
            frame = self.fields.frame(int(self.cells.site[row]))
            box = (self.cells.boxes[row : row + 1, side] for side in range(4))
            found[n] = windows_of(*box, plan=self.plan, frame=frame)[0]
        return found

    def shown_twice(self, rows: Rows) -> npt.NDArray[np.bool_]:
        """Cells whose crop shows them twice, side by side: no outline fits both."""
        y0, x0, y1, x1 = self.cells.boxes[rows].T
        tall, wide = y1 - y0, x1 - x0
        slender: npt.NDArray[np.bool_] = 2 * np.minimum(tall, wide) < np.maximum(tall, wide)
        return slender & self.plan.repeat


def has_no_cells(path: Path) -> bool:
    """Whether the run judges whole fields: its recipe has no step that finds cells."""
    folder = RunFolder(path)
    if folder.cells.is_file() or not folder.report.is_file():
        return False
    steps = (read_json(folder.record).get("recipe") or {}).get("steps") or []
    return bool(steps) and not any(step.get("kind") == "cells" for step in steps)


def stamp_of(path: Path) -> str:
    """What changes when a table of the run is written anew; not when a person judges a cell."""
    folder = RunFolder(path)
    return _stamp(folder.cells, folder.sites, folder.predictions)


def cells_stamp(run: RunFolder) -> str:
    """What changes when the cells themselves are found again: rows then mean other cells."""
    return _stamp(run.cells, run.sites)


def _stamp(*files: Path) -> str:
    words = []
    for file in files:
        try:
            facts = file.stat()
            words.append(f"{facts.st_ino:x}-{facts.st_size:x}-{facts.st_mtime_ns:x}")
        except OSError:
            words.append("none")
    # The same in every process: what a page could not save in one server it saves in the next.
    return hashlib.sha256(" ".join(words).encode()).hexdigest()[:12]


def open_run(path: Path, before: Opened | None = None) -> Opened:
    """Load a run; what did not change since it was opened `before` is not read again.

    Raises:
        PreflightError: The folder is no run, or no cells were found in it yet.
        FormatError: A table is torn, or of a newer cellwise.
    """
    run = RunFolder(path)
    if not run.cells.is_file() or not run.sites.is_file():
        raise PreflightError(
            f"{path} holds no table of cells. Finish the run first: the same `cellwise run` "
            "command continues where it stopped."
        )
    stamp, of_cells = stamp_of(path), cells_stamp(run)
    record = read_json(run.record) if run.record.is_file() else {}
    reading = read_json(run.reading) if run.reading.is_file() else {}
    declared = (reading.get("classes") or {}).get("names") or ()
    fields = read_fields(run)
    cells = read_cells(run, fields, tuple(str(name) for name in declared))
    images = find_images(run)
    decisions = _decisions(run)
    told = audited_of(decisions)
    return Opened(
        run=run,
        stamp=stamp,
        cells_stamp=of_cells,
        images=images,
        record=record,
        fields=fields,
        cells=cells,
        channels=run_channels(run),
        plan=crop_plan(record),
        store=_store(run, cells),
        calibration=calibration_of(decisions),
        audited=tuple(n for n, one in told.items() if one["calibration"] == "audited"),
        listed=_listed(run, reading),
        said=SaidNow(run, cells, before.said if before else None),
        orders=Kept(_ORDERS_KEPT),
    )


def _store(run: RunFolder, cells: Cells) -> CropStore | None:
    if cells.crops is None or not len(cells) or not run.crops.is_dir():
        return None
    try:
        store = CropStore(run.crops, cells.crops)
        # Opens one file: crops that were deleted are as good as none.
        return store if store.size and store.channels else None
    except (FormatError, OSError):
        return None


def _decisions(run: RunFolder) -> dict[str, dict[str, Any]]:
    paths = sorted(run.path.glob("decisions/*.json"))
    return {path.stem: read_json(path) for path in paths}


def _listed(run: RunFolder, reading: dict[str, Any]) -> ClassList | None:
    """The classes that people judge: those of the labels, else those that were decided."""
    told = reading.get("classes")
    if not told and run.decision("decide").is_file():
        decided = read_json(run.decision("decide"))
        told = {"names": decided.get("classes") or (), "negative": decided.get("negative")}
    if not told or not told.get("names"):
        return None
    return ClassList(tuple(str(name) for name in told["names"]), told.get("negative"))
