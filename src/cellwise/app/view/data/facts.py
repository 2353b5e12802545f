"""What the page says of a run, with the values that its filters offer."""

from typing import Any

from cellwise.app.view.data.opened import Opened
from cellwise.app.view.data.question import WORDS
from cellwise.errors import CellwiseError
from cellwise.parts.drawing.class_palette import coloured_classes
from cellwise.parts.drawing.colours import MOST_SHOWN
from cellwise.stages.report.shown import switches
from cellwise.store.run.folder import read_json, run_title


def _status(opened: Opened) -> Any:
    """As `run.json` says now: a run ends some time after the tables that the page read."""
    try:
        return read_json(opened.run.record).get("status")
    except (CellwiseError, OSError):
        return opened.record.get("status")


def facts(opened: Opened, trouble: str = "") -> dict[str, Any]:
    """Name, state, counts, classes, channels and the values of the filters."""
    cells, fields = opened.cells, opened.fields
    sized = sum(fields.size(place) is not None for place in range(len(fields)))
    return {
        "name": run_title(opened.record),
        "status": _status(opened),
        "stamp": opened.stamp,
        "cells_stamp": opened.cells_stamp,
        "trouble": trouble,
        "sites": len(fields),
        "cells": len(cells),
        "classes": list(cells.classes),
        "coloured": coloured(opened),
        "plates": list(fields.plates),
        "wells": list(fields.wells),
        "flags": list(cells.flag_names),
        "judges": opened.said.now().people,
        "labelled": bool(cells.field_labels.filled.any()),
        "sorts": [*WORDS, *(name for name in cells.columns() if name.lower() not in WORDS)],
        "calibration": opened.calibration if cells.classes else None,
        "audited": list(opened.audited),
        "pictures": opened.store is not None,
        "crop_channels": switches(opened.crop_channels),
        "channels": switches(opened.channels),
        "most": MOST_SHOWN,
        "sized": sized,
    }


def coloured(opened: Opened) -> list[str]:
    """The classes that have a colour of their own."""
    return coloured_classes(opened.cells.classes, opened.cells.chances.best)
