"""Verdicts given in the page become rows of the table of annotations, and are taken back."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt
import polars as pl

from cellwise.app.view.data.opened import Opened
from cellwise.domain.classes import ClassList
from cellwise.domain.tables import ANNOTATIONS
from cellwise.errors import PreflightError, UsageError
from cellwise.store.annotations.outlines import outline_of
from cellwise.store.annotations.words import NO, UNSURE, VERDICTS, YES

Rows = npt.NDArray[np.int64]
# Rows of one save: all cells of a large selection in one class, or a few in very many.
MOST = 200_000


def said_of_classes(said: Mapping[str, str], classes: ClassList) -> dict[str, str]:
    """Verdicts by class, checked.

    Raises:
        UsageError: A class or word that is not there, or nothing said.
    """
    for name, verdict in said.items():
        if name not in classes.positive:
            raise UsageError(f"There is no class {name!r} to judge.")
        if verdict not in VERDICTS:
            raise UsageError(f"A verdict is one of {', '.join(VERDICTS)}, not {verdict!r}.")
    if not said:
        raise UsageError("No verdict was given for these cells.")
    return dict(said)


def said_of_cell(shows: Sequence[str] | None, classes: ClassList) -> dict[str, str]:
    """Verdicts on all classes from those that a cell shows; None where a person is unsure.

    Raises:
        UsageError: A class that is not there, or the negative class beside others.
    """
    if shows is None:
        return dict.fromkeys(classes.positive, UNSURE)
    names = [name for name in shows if name != classes.negative]
    if len(names) < len(shows) and names:
        raise UsageError(f"{classes.negative!r} stands alone, not with other classes.")
    said_of_classes(dict.fromkeys(names, YES) or {classes.positive[0]: NO}, classes)
    return {name: YES if name in names else NO for name in classes.positive}


def verdict_rows(
    opened: Opened,
    rows: Rows,
    said: Mapping[str, str],
    *,
    who: str,
    when: str,
    drawn: Sequence[str],
) -> pl.DataFrame:
    """Rows of the table of annotations.

    Args:
        opened: The run.
        rows: Rows of the table of cells.
        said: Verdict by class, the same of all these cells.
        who: The person.
        when: The time.
        drawn: What brought each cell before the person.

    Raises:
        UsageError: Too many at once.
        PreflightError: Cells of the masks are not those of the table, or the masks are gone.
    """
    if not len(rows) or len(rows) * len(said) > MOST:
        raise UsageError(
            f"{len(rows):,} cells in {len(said):,} classes are {len(rows) * len(said):,} verdicts; "
            f"choose fewer cells, at most {MOST // max(1, len(said)):,}."
        )
    cells = opened.cells
    numbers = cells.cell[rows].tolist()
    sites = [cells.fields.ids[site] for site in cells.site[rows].tolist()]
    frame = pl.DataFrame(
        {
            "row": rows,
            "site_id": sites,
            "cell_id": cells.cell[rows],
            "x": cells.x[rows],
            "y": cells.y[rows],
            "drawn": list(drawn),
            "mask_key": [_key(opened, site) for site in sites],
            "outline": [
                _outline(opened, site, row, number)
                for site, row, number in zip(sites, rows.tolist(), numbers, strict=True)
            ],
        }
    )
    one = pl.DataFrame({"class": list(said), "verdict": list(said.values())})
    model = [_model_said(opened, name, rows) for name in said]
    judged = pl.DataFrame(
        {"row": np.tile(rows, len(said)), "class": np.repeat(list(said), len(rows))}
    ).with_columns(pl.Series("model_said", np.concatenate(model)).fill_nan(None))
    return (
        frame.join(one, how="cross")
        .join(judged, on=["row", "class"], how="left")
        .with_columns(who=pl.lit(who), when=pl.lit(when))
        .select(list(ANNOTATIONS.columns))
    )


def later(*times: str) -> str:
    """A time after all of these, a millionth of a second at least."""
    last = max(datetime.fromisoformat(time) for time in map(_zoned, times))
    return (last + timedelta(microseconds=1)).astimezone(UTC).isoformat(timespec="microseconds")


def _zoned(time: str) -> str:
    """Times without a zone are of ours, and dates are of their end: what is later holds."""
    if len(time) == len("2026-01-01"):
        return f"{time}T23:59:59+00:00"
    return time if datetime.fromisoformat(time).tzinfo else f"{time}+00:00"


def _key(opened: Opened, site: str) -> str:
    key = opened.said.masks.key(site)
    if key is None:
        raise PreflightError(
            f"The masks of field {site!r} are gone, so that nobody could tell later which cell was "
            "meant. The same `cellwise run` command makes them again."
        )
    return key


def _outline(opened: Opened, site: str, row: int, number: int) -> list[int]:
    """The pixels of a cell; only the box around it is looked through."""
    labels = opened.said.masks.labels(site)
    y0, x0, y1, x1 = opened.cells.boxes[row].tolist()
    runs = np.array([] if labels is None else outline_of(labels[y0:y1, x0:x1], number), np.int64)
    runs = runs.reshape(-1, 3) + np.array([y0, x0, 0])
    if runs[:, 2].sum() != opened.cells.area[row]:
        raise PreflightError(
            f"Field {site!r} is being segmented again: cell {number} is another one in its masks "
            "than in the table of cells. Wait for the run, then load this page again."
        )
    flat: list[int] = runs.reshape(-1).tolist()
    return flat


def _model_said(opened: Opened, name: str, rows: Rows) -> npt.NDArray[np.float32]:
    if name not in opened.cells.classes:
        return np.full(len(rows), np.nan, np.float32)
    chance = opened.cells.chances.of_class(opened.cells.classes.index(name))
    return chance[rows].astype(np.float32)
