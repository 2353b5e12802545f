"""Cells as the page receives them: a few facts of many, all facts of one."""

from typing import Any

import numpy as np
import polars as pl

from cellwise.app.view.data.opened import Opened
from cellwise.app.view.data.question import Rows
from cellwise.stages.report.drawing.scale_bar import scale_bar

# Above so many classes the card shows the likeliest alone.
_MOST_CLASSES = 64


def listed(opened: Opened, rows: Rows, code: int) -> list[dict[str, Any]]:
    """What tiles say of these cells; `code` is the class that is asked about, -1 for none."""
    windows = opened.windows(rows)
    twice = opened.shown_twice(rows)
    chance = opened.cells.chances.of_class(code)[rows] if code >= 0 else None
    found = []
    for place, row in enumerate(rows.tolist()):
        entry = _short(opened, row)
        entry["probability"] = None if chance is None else _number(chance[place])
        # In hundredths of a pixel nothing is lost that could be seen.
        entry["window"] = [round(float(edge), 2) for edge in windows[place]]
        entry["twice"] = bool(twice[place])
        found.append(entry)
    return found


def whole(opened: Opened, row: int) -> dict[str, Any]:
    """All that a card says of one cell."""
    cells, fields = opened.cells, opened.fields
    site = int(cells.site[row])
    place = np.array([row])
    window = opened.windows(place)[0]
    size = fields.size(site)
    bar = None if size is None else scale_bar(size * float(window[2]))
    facts = fields.row(site)
    return {
        **_short(opened, row),
        "window": [round(float(edge), 2) for edge in window],
        "twice": bool(opened.shown_twice(place)[0]),
        "bar": None if bar is None else {"share": bar.share, "words": bar.words},
        "pixel_size": size,
        "x": float(cells.x[row]),
        "y": float(cells.y[row]),
        "area": int(cells.area[row]),
        "part": facts["part"],
        "field_labels": list(facts["labels"] or []),
        "metadata": {
            name.removeprefix("Metadata_"): facts[name]
            for name in facts
            if name.startswith("Metadata_") and facts[name] is not None
        },
        "flags": flags(opened, row),
        "judged_by": judges_of(opened, row),
        "probabilities": [
            [cells.classes[code], round(value, 4)]
            for code, value in cells.chances.of_cell(row)[:_MOST_CLASSES]
        ],
        "of_classes": len(cells.classes),
    }


def judges_of(opened: Opened, row: int) -> list[str]:
    """Who judged a cell."""
    rows = opened.said.now().rows
    return sorted(rows.filter(pl.col("row") == row)["who"].unique().to_list())


def flags(opened: Opened, row: int) -> list[str]:
    """What was odd about a cell."""
    bits = int(opened.cells.flags[row])
    return [name for n, name in enumerate(opened.cells.flag_names) if bits >> n & 1]


def _short(opened: Opened, row: int) -> dict[str, Any]:
    cells, fields = opened.cells, opened.fields
    site = int(cells.site[row])
    plate, well, best = (
        int(fields.plate[site]),
        int(fields.well[site]),
        int(cells.chances.best[row]),
    )
    return {
        "row": row,
        "site": fields.ids[site],
        "cell": int(cells.cell[row]),
        "plate": fields.plates[plate] if plate >= 0 else None,
        "well": fields.wells[well] if well >= 0 else None,
        "best": cells.classes[best] if best >= 0 else None,
        "best_probability": _number(cells.chances.most[row]),
        "labels": [cells.classes[code] for code in cells.given.of(row)],
        "uncertainty": _number(cells.uncertainty[row]),
        "border": bool(cells.border[row]),
        "size": fields.size(site),
    }


def _number(value: float | np.floating[Any]) -> float | None:
    return round(float(value), 4) if np.isfinite(value) else None
