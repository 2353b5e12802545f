"""The account of an audit: by class what is known of inherited labels, and what to look at.

The shares themselves are those of `measures.audit`.
"""

from dataclasses import asdict
from typing import Any

import numpy as np
import polars as pl

from cellwise.measures.audit import Judged, false_share, missed_share, positives_bounds, weights
from cellwise.measures.bootstrap import Floats, numbered
from cellwise.measures.label_support import label_support
from cellwise.store.annotations.draws import Draw
from cellwise.store.annotations.inherited import Inherited
from cellwise.store.run.reader import labels_matrix

_KEY = ["site_id", "cell_id"]
_LISTED = 50


def account(cells: Inherited, draw: Draw | None, shows: Floats) -> dict[str, Any]:
    """What is known of inherited labels, by class; and fields and cells to look at.

    Args:
        cells: The cells of labelled fields.
        draw: Which of them were drawn at random; None where none were.
        shows: `[cell, class]`, 1 or 0 as people saw it in drawn cells, NaN else.
    """
    return {
        "cells": len(cells.rows),
        "fields": cells.rows["site_id"].n_unique(),
        "copies_left_out": cells.copies,
        "drawn": 0 if draw is None else len(draw.drawn),
        "judged": int(np.isfinite(shows).all(axis=1).sum()),
        "classes": [_of_class(cells, column, draw, shows) for column in range(len(cells.classes))],
        "suspicious_fields": _fields_to_doubt(cells),
        "suspicious_cells": _cells_to_doubt(cells),
    }


def _of_class(cells: Inherited, column: int, draw: Draw | None, shows: Floats) -> dict[str, Any]:
    inherited = cells.inherited[:, column]
    fields = (
        cells.rows.filter(pl.Series(inherited))
        .group_by("site_id")
        .agg(pl.len().alias("cells"), pl.col("labels").first())
    )
    labels = labels_matrix(fields["labels"], cells.classes).sum(axis=1).astype(np.int64)
    least, most = positives_bounds(fields["cells"].to_numpy().astype(np.int64), labels)
    facts: dict[str, Any] = {
        "class": cells.classes[column],
        "fields": len(fields),
        "inherited": int(inherited.sum()),
        "false_at_least": least,
        "false_at_most": most,
        "false": None,
        "missed": None,
        "beyond": None,
    }
    weight = None if draw is None else _weights(cells, draw, shows[:, column])
    if weight is not None:
        group = numbered(cells.group)
        judged = Judged(inherited, cells.chance[:, column], shows[:, column], weight, group)
        facts["false"] = _plain(asdict(false_share(judged)))
        facts["missed"] = _plain(asdict(missed_share(judged)))
        facts["beyond"] = _beyond(facts)
    return facts


def _beyond(facts: dict[str, Any]) -> str | None:
    """Which bound from field labels the share of false ones contradicts, see `BEYOND_BOUNDS`.

    Of nothing judged, and of nothing inherited, none is.
    """
    share, cells = facts["false"], facts["inherited"]
    if not share["judged"] or not cells:
        return None
    low, high = facts["false_at_least"] / cells, facts["false_at_most"] / cells
    for word, beyond, surely in (
        ("above", share["value"] > high, share["low"] > high),
        ("below", share["value"] < low, share["high"] < low),
    ):
        if beyond or surely:
            return f"surely {word}" if surely else word
    return None


def _weights(cells: Inherited, draw: Draw, shows: Floats) -> Floats | None:
    """For how many cells each judged one stands; None before a cell of each stratum was judged."""
    place = cells.rows.select(_KEY).join(draw.drawn, on=_KEY, how="left", maintain_order="left")
    stratum = place["stratum"].fill_null(-1).to_numpy().astype(np.int64)
    judged = np.isfinite(shows) & (stratum >= 0)
    done = np.bincount(stratum[judged], minlength=len(draw.there))
    if (done[draw.there > 0] == 0).any():
        return None
    return weights(draw.there, stratum, judged)


def _plain(share: dict[str, Any]) -> dict[str, Any]:
    """A share for JSON, which has no NaN."""
    return {
        name: (None if isinstance(value, float) and np.isnan(value) else value)
        for name, value in share.items()
    }


def _fields_to_doubt(cells: Inherited) -> list[dict[str, Any]]:
    """Fields and labels that their cells support least, the least first."""
    sites = cells.rows["site_id"].unique(maintain_order=True)
    field = numbered(cells.rows["site_id"].to_numpy())
    support = label_support(
        (cells.chance >= 0.5).astype(np.float64), cells.chance, field, count=len(sites)
    )
    _, first = np.unique(field, return_index=True)
    row, column = np.nonzero(cells.inherited[first])
    order = np.argsort(support.mean[row, column], kind="stable")[:_LISTED]
    return [
        {
            "site_id": cells.rows["site_id"][int(first[r])],
            "class": cells.classes[c],
            "cells": int(support.n[r]),
            "mean_probability": round(float(support.mean[r, c]), 4),
        }
        for r, c in zip(row[order].tolist(), column[order].tolist(), strict=True)
    ]


def _cells_to_doubt(cells: Inherited) -> list[dict[str, Any]]:
    """Cells that seem to show a class that their field lacks, the surest first."""
    absent = np.where(cells.inherited, -1.0, cells.chance)
    order = np.argsort(-absent, axis=None, kind="stable")[:_LISTED]
    rows, columns = np.unravel_index(order, absent.shape)
    return [
        {
            "site_id": cells.rows["site_id"][r],
            "cell_id": cells.rows["cell_id"][r],
            "class": cells.classes[c],
            "probability": round(float(absent[r, c]), 4),
        }
        for r, c in zip(rows.tolist(), columns.tolist(), strict=True)
        if absent[r, c] >= 0
    ]
