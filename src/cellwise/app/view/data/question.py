"""What a visitor asks: filters and order over all cells, answered with the rows in that order."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from cellwise.app.view.data.cells import Cells
from cellwise.errors import UsageError

Rows = npt.NDArray[np.int64]
Choice = Literal["", "yes", "no"]
# What orders cells besides the columns of the run's tables.
WORDS = ("probability", "uncertainty", "likeliest", "area", "site")
_RANGES = re.compile(r"\d{1,9}(-\d{1,9})?(,\d{1,9}(-\d{1,9})?)*")
_POLYGON = re.compile(r"-?\d+(\.\d+)?(,-?\d+(\.\d+)?){5,1999}")


@dataclass(frozen=True, slots=True)
class Question:
    """Filters and order; an empty text, 0 or None does not filter.

    Args:
        name: The class that probabilities are about; the run's first where it is empty.
        plate, well, site: Equal to these texts.
        cell: Equal to this number.
        low, high: Bounds of the class's probability, 0..1, both included.
        unsure, sure: Least and greatest uncertainty, in bits, 0..1.
        assigned: `yes` for cells that were given the class, `no` for those that were not.
        likeliest: The class that is likeliest of all.
        disagrees: Whether the likeliest class is none of the labels of the field.
        border: Whether the cell touches the edge.
        flag: What was odd about the cell; `none` for nothing.
        who: Who judged the cell; `anyone`, `nobody`, or `contradicted` where two people differ.
        verdict: What anyone said of the class.
        queue: One of `queues.QUEUES`, whose order holds in place of `sort` and `order`.
        whole: Whether the queue is for judging all classes of a cell at once.
        visitor: Who takes the queue.
        until: The time of what people said that the queue leaves out; all where it is empty.
        chosen: Rows of the table, as in `3,7-9`.
        within: A polygon on the map of cells: x and y of its corners in turn.
        scatter: Which map that is; the run's first where it is empty.
        sort: One of `WORDS`, or a column of numbers.
        order: `down` for the largest first; equal cells stand by field and number.
    """

    name: str = ""
    plate: str = ""
    well: str = ""
    site: str = ""
    cell: int = 0
    low: float = 0.0
    high: float = 1.0
    unsure: float = 0.0
    sure: float = 1.0
    assigned: Choice = ""
    likeliest: str = ""
    disagrees: Choice = ""
    border: Choice = ""
    flag: str = ""
    who: str = ""
    verdict: str = ""
    queue: str = ""
    whole: Choice = ""
    visitor: str = ""
    until: str = ""
    chosen: str = ""
    within: str = ""
    scatter: str = ""
    sort: str = "probability"
    order: Literal["down", "up"] = "down"


Judges = Callable[[str], npt.NDArray[np.bool_]]
Queue = Callable[[int], Rows]
Inside = Callable[[str, npt.NDArray[np.float64]], npt.NDArray[np.bool_]]


def answer(
    cells: Cells,
    asked: Question,
    *,
    inside: Inside,
    judged: Judges | None = None,
    verdict: Judges | None = None,
    queue: Queue | None = None,
) -> Rows:
    """The rows of the cells that fit, in the order asked for.

    Args:
        cells: All cells.
        asked: What is wanted.
        inside: Which cells lie in a polygon `[corner, (x, y)]` of the map of a name.
        judged: Which cells a person of this name judged.
        verdict: Of which cells anyone said this of the class.
        queue: The rows of the queue that is asked for, in order, given the place of the class.

    Raises:
        UsageError: A class, flag, column, list of rows or polygon that is not there.
    """
    code = class_code(cells, asked.name)
    keep = np.ones(len(cells), bool)
    _by_place(cells, asked, keep)
    _by_class(cells, asked, code, keep)
    if asked.border:
        keep &= cells.border == (asked.border == "yes")
    if asked.flag:
        keep &= _flagged(cells, asked.flag)
    if asked.who and judged is not None:
        keep &= judged(asked.who)
    if asked.verdict and verdict is not None:
        keep &= verdict(asked.verdict)
    if asked.chosen:
        keep &= _chosen(asked.chosen, len(cells))
    if asked.within:
        keep &= inside(asked.scatter, polygon(asked.within))
    if asked.queue and queue is not None:
        found = queue(code)
        return found[keep[found]]
    rows = np.flatnonzero(keep)
    key = _key(cells, asked.sort, code)
    return rows if key is None and asked.order == "down" else _sorted(rows, key, asked.order)


def class_code(cells: Cells, name: str) -> int:
    """The place of a class; the first where no name is given, -1 in a run without classes."""
    if not name:
        return 0 if cells.classes else -1
    if name not in cells.classes:
        raise UsageError(f"This run has no class {name!r}.")
    return cells.classes.index(name)


def polygon(text: str) -> npt.NDArray[np.float64]:
    """The corners `[corner, (x, y)]` of a polygon of at least three corners."""
    if not _POLYGON.fullmatch(text) or text.count(",") % 2 == 0:
        raise UsageError("A polygon is x and y of at least three corners, with commas between.")
    return np.array([float(word) for word in text.split(",")]).reshape(-1, 2)


def _by_place(cells: Cells, asked: Question, keep: npt.NDArray[np.bool_]) -> None:
    fields = cells.fields
    for value, names, codes in (
        (asked.plate, fields.plates, fields.plate),
        (asked.well, fields.wells, fields.well),
    ):
        if value:
            code = names.index(value) if value in names else -2
            keep &= (codes == code)[cells.site]
    if asked.site:
        place = fields.place(asked.site)
        keep &= cells.site == (-1 if place is None else place)
    if asked.cell:
        keep &= cells.cell == asked.cell


def _by_class(cells: Cells, asked: Question, code: int, keep: npt.NDArray[np.bool_]) -> None:
    if code >= 0 and (asked.low > 0 or asked.high < 1):
        chance = cells.chances.of_class(code)
        keep &= (chance >= np.float32(asked.low)) & (chance <= np.float32(asked.high))
    if code >= 0 and asked.assigned:
        keep &= cells.given.holds(code) == (asked.assigned == "yes")
    if asked.likeliest:
        keep &= cells.chances.best == class_code(cells, asked.likeliest)
    if asked.disagrees == "yes":
        keep &= cells.disagrees
    elif asked.disagrees:
        labelled = cells.field_labels.filled[cells.site]
        keep &= labelled & (cells.chances.best >= 0) & ~cells.disagrees
    if asked.unsure > 0:
        keep &= cells.uncertainty >= np.float32(asked.unsure)
    if asked.sure < 1:
        keep &= cells.uncertainty <= np.float32(asked.sure)


def _flagged(cells: Cells, flag: str) -> npt.NDArray[np.bool_]:
    if flag == "none":
        return ~_holds(cells.flags, 0xFFFFFFFF)
    if flag not in cells.flag_names:
        raise UsageError(f"No cell of this run has the flag {flag!r}.")
    return _holds(cells.flags, 1 << cells.flag_names.index(flag))


def _holds(flags: npt.NDArray[np.uint32], bits: int) -> npt.NDArray[np.bool_]:
    return np.asarray(flags & np.uint32(bits), np.bool_)


def _chosen(text: str, count: int) -> npt.NDArray[np.bool_]:
    if not _RANGES.fullmatch(text):
        raise UsageError("Chosen cells are given as rows, such as 3,7-9.")
    found = np.zeros(count, bool)
    for part in text.split(","):
        first, _, last = part.partition("-")
        found[int(first) : int(last or first) + 1] = True
    return found


def _key(cells: Cells, sort: str, code: int) -> npt.NDArray[np.float32] | None:
    """What to sort by; None for the order of the table."""
    if sort == "site" or (sort == "probability" and code < 0):
        return None
    if sort == "probability":
        return cells.chances.of_class(code)
    if sort == "likeliest":
        return cells.chances.most
    if sort == "uncertainty":
        return cells.uncertainty
    if sort == "area":
        return cells.area.astype(np.float32)
    try:
        return cells.column(sort)
    except KeyError as error:
        raise UsageError(f"This run has no column of numbers called {sort!r}.") from error


def _sorted(rows: Rows, key: npt.NDArray[np.float32] | None, order: str) -> Rows:
    """Stable, so that equal cells stay in the order of the table; unknown ones come last."""
    if key is None:
        return rows[::-1]
    values = key[rows] if order == "up" else -key[rows]
    # NaN sorts behind all numbers.
    return rows[np.argsort(values, kind="stable")]
