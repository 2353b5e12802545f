"""Addresses of the map of cells: its names, its points, what they are coloured by."""

from typing import Annotated, Any, Literal

import numpy as np
from fastapi import APIRouter, Query
from fastapi.responses import Response

from cellwise.app.view.data.facts import coloured
from cellwise.app.view.data.opened import Opened
from cellwise.app.view.data.question import class_code
from cellwise.app.view.data.scatter import UMAP
from cellwise.app.view.layouts.layouts import FITTED, HOW, MOST, installed
from cellwise.app.view.routes.asked import told
from cellwise.app.view.shown import Shown

_Text = Annotated[str, Query(max_length=2000)]
# What a point has that no value is known of.
UNKNOWN = 255


def routes(shown: Shown) -> APIRouter:
    """All of `/api/map`."""
    router = APIRouter()

    @router.get("/api/map")
    def about() -> dict[str, Any]:
        drawn = shown.now()
        return {
            "stamp": drawn.opened.stamp,
            "names": drawn.scatter.names(),
            "umap": {"installed": installed(), "how": HOW, "fitted": FITTED, "most": MOST},
        }

    @router.get("/api/map/umap")
    def umap(name: _Text) -> dict[str, Any]:
        """How far the map by UMAP of these vectors is; asking begins it."""
        scatter = shown.now().scatter
        state = told(lambda: scatter.umap(name))
        return {
            "step": state.step, "cells": state.cells, "seconds": round(state.seconds),
            "words": state.words, "name": name + UMAP,
        }  # fmt: skip

    @router.get("/api/map/points.bin")
    def points(name: _Text) -> Response:
        """Two float32 for each cell of the table, x and y; NaN where there is no point."""
        drawn = shown.now()
        found = told(lambda: drawn.scatter.places(name))
        return Response(found.astype("<f4").tobytes(), media_type="application/octet-stream")

    @router.get("/api/map/values.bin")
    def values(
        by: Literal["class", "probability", "uncertainty", "plate", "label"],
        name: Annotated[str, Query(alias="class", max_length=2000)] = "",
    ) -> Response:
        """A byte for each cell; see `values_of`."""
        opened = shown.now().opened
        code = told(lambda: class_code(opened.cells, name))
        found = values_of(opened, by, code)
        return Response(found.tobytes(), media_type="application/octet-stream")

    return router


def values_of(opened: Opened, by: str, code: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """What each cell is coloured by, 255 for nothing.

    By class its place among the classes that have a colour; by plate the place of the plate, from 0
    again after 254; by label 1 where the likeliest class is no label of the field, else 0; else
    the number, 0..1 as 0..254.
    """
    cells, fields = opened.cells, opened.fields
    if by == "class":
        places = np.full(len(cells.classes) + 1, UNKNOWN, np.uint8)
        for place, known in enumerate(coloured(opened)):
            places[cells.classes.index(known)] = place
        return places[cells.chances.best]
    if by == "plate":
        plate = fields.plate[cells.site]
        return np.where(plate >= 0, plate % UNKNOWN, UNKNOWN).astype(np.uint8)
    if by == "label":
        labelled = cells.field_labels.filled[cells.site] & (cells.chances.best >= 0)
        return np.where(labelled, cells.disagrees, UNKNOWN).astype(np.uint8)
    numbers = cells.uncertainty
    if by == "probability":
        none = np.full(len(cells), np.nan, np.float32)
        numbers = cells.chances.of_class(code) if code >= 0 else none
    scaled = np.rint(np.clip(np.nan_to_num(numbers), 0, 1) * (UNKNOWN - 1))
    return np.where(np.isfinite(numbers), scaled, UNKNOWN).astype(np.uint8)
