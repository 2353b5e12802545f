"""Addresses of cells: facts of the run, lists, sheets, outlines, cards, tables to keep."""

import csv
import io
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, HTTPException, Query
from fastapi.responses import Response

from cellwise.app.view.data.facts import facts
from cellwise.app.view.data.opened import Opened
from cellwise.app.view.data.question import Question, Rows, class_code
from cellwise.app.view.data.rows import flags, listed, whole
from cellwise.app.view.drawing.outlines import packed
from cellwise.app.view.drawing.sheets import ACROSS
from cellwise.app.view.routes.asked import Asked, Channels, check_stamp, content, told
from cellwise.app.view.shown import Drawn, Shown

MOST_AT_ONCE = 512
"""Cells in one answer."""

Start = Annotated[int, Query(ge=0, le=100_000_000)]
Count = Annotated[int, Query(ge=1, le=MOST_AT_ONCE)]
Side = Annotated[int, Query(ge=16, le=1024)]


def rows_asked(drawn: Drawn, asked: Question) -> Rows:
    """The rows of the cells that fit, in order."""
    return told(lambda: drawn.opened.ask(asked, drawn.scatter.inside))


def routes(shown: Shown) -> APIRouter:
    """All of `/api/run` and `/api/cells`."""
    router = APIRouter()

    @router.get("/api/run")
    def run() -> dict[str, Any]:
        return facts(shown.now().opened, shown.trouble)

    _lists(router, shown)
    _sheets(router, shown)
    _cards(router, shown)
    return router


def _lists(router: APIRouter, shown: Shown) -> None:
    @router.get("/api/cells")
    def cells(
        asked: Asked, start: Start = 0, count: Count = 100, size: Side = 64, stamp: str = ""
    ) -> dict[str, Any]:
        drawn = shown.now()
        check_stamp(drawn.opened, stamp)
        code = told(lambda: class_code(drawn.opened.cells, asked.name))
        rows = rows_asked(drawn, asked)
        return {
            "class": drawn.opened.cells.classes[code] if code >= 0 else "",
            "stamp": drawn.opened.stamp,
            "total": len(rows),
            "start": start,
            "sheet": {"across": ACROSS, "side": drawn.sheets.side(size)},
            "cells": listed(drawn.opened, rows[start : start + count], code),
        }

    @router.get("/api/cells/rows")
    def some_rows(asked: Asked, start: Start = 0, stop: Start = 0) -> dict[str, Any]:
        """The rows between two places of the order, for a selection that reaches over many."""
        drawn = shown.now()
        rows = rows_asked(drawn, asked)[start : min(stop, start + 100_000)]
        return {"stamp": drawn.opened.stamp, "rows": rows.tolist()}

    @router.get("/api/cells/where")
    def where(asked: Asked, row: Start) -> dict[str, Any]:
        """The place of a row in the order, None where the filters leave it out."""
        rows = rows_asked(shown.now(), asked)
        found = np.flatnonzero(rows == row)
        return {"place": int(found[0]) if len(found) else None}

    @router.get("/api/cells.csv")
    def table(asked: Asked) -> Response:
        drawn = shown.now()
        text = _csv(drawn.opened, rows_asked(drawn, asked))
        named = {"Content-Disposition": 'attachment; filename="cells.csv"'}
        return Response(text, media_type="text/csv; charset=utf-8", headers=named)


def _sheets(router: APIRouter, shown: Shown) -> None:
    @router.get("/api/cells/sheet.jpg")
    def sheet(
        asked: Asked,
        start: Start = 0,
        count: Count = 100,
        size: Side = 64,
        channels: Channels = None,
        stamp: str = "",
    ) -> Response:
        drawn = shown.now()
        check_stamp(drawn.opened, stamp)
        rows = rows_asked(drawn, asked)[start : start + count]
        if drawn.sheets.bounds is None:
            raise HTTPException(404, "The images of single cells are gone from this run.")
        wanted = told(lambda: drawn.sheets.shown(channels))
        if not len(rows):
            return Response(status_code=204)
        return content(drawn.sheets.sheet(rows, wanted, size), "image/jpeg")

    @router.get("/api/cells/outlines.bin")
    def outlines(asked: Asked, start: Start = 0, count: Count = 100, stamp: str = "") -> Response:
        drawn = shown.now()
        check_stamp(drawn.opened, stamp)
        rows = rows_asked(drawn, asked)[start : start + count]
        found = packed(drawn.outlines.of_rows(rows), np.arange(len(rows)))
        return Response(found, media_type="application/octet-stream")


def _cards(router: APIRouter, shown: Shown) -> None:
    def row_of(drawn: Drawn, site_id: str, cell_id: int) -> int:
        row = drawn.opened.cells.row_of(site_id, cell_id)
        if row is None:
            raise HTTPException(404, "There is no such cell in this run.")
        return row

    @router.get("/api/cells/{site_id}/{cell_id}")
    def card(site_id: str, cell_id: int) -> dict[str, Any]:
        drawn = shown.now()
        row = row_of(drawn, site_id, cell_id)
        rings = drawn.outlines.of_rows(np.array([row]))[0]
        return {**whole(drawn.opened, row), "outline": [ring.tolist() for ring in rings]}

    @router.get("/api/cells/{site_id}/{cell_id}/image.jpg")
    def image(site_id: str, cell_id: int, channels: Channels = None, size: Side = 512) -> Response:
        drawn = shown.now()
        rows = np.array([row_of(drawn, site_id, cell_id)])
        if drawn.sheets.bounds is None:
            raise HTTPException(404, "The images of single cells are gone from this run.")
        wanted = told(lambda: drawn.sheets.shown(channels))
        return content(drawn.sheets.one(rows, wanted, size), "image/jpeg")


def _csv(opened: Opened, rows: Rows) -> str:
    """A table of cells: where they are, what was said of them."""
    cells = opened.cells
    said = cells.classes if len(cells.classes) <= 64 else ()
    head = ["site_id", "cell_id", "plate", "well", "x", "y", "area", "border", "flags"]
    head += ["labels", "uncertainty", "likeliest", "likeliest_probability"]
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow([*head, *(f"Prob_{name}" for name in said)])
    for entry, row in zip(listed(opened, rows, -1), rows.tolist(), strict=True):
        writer.writerow(
            [
                *(entry["site"], entry["cell"], entry["plate"] or "", entry["well"] or ""),
                *(round(float(cells.x[row]), 2), round(float(cells.y[row]), 2)),
                *(int(cells.area[row]), entry["border"], "|".join(flags(opened, row))),
                *("|".join(entry["labels"]), entry["uncertainty"], entry["best"]),
                entry["best_probability"],
                *(round(float(cells.chances.of_class(code)[row]), 6) for code in range(len(said))),
            ]
        )
    return text.getvalue()
