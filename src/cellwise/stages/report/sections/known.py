"""Outlines against known masks: the scores of `cellwise evaluate`, and the fields that are worst.

Source: F1 at IoU thresholds as Caicedo et al., Nat Methods 16, 1247 (2019).
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from cellwise.kernels.matching import find_overlaps, match
from cellwise.parts.drawing.images import data_link
from cellwise.stages.report._charts import Row, bar, intervals
from cellwise.stages.report.drawing.lines import edges, line_labels, line_png
from cellwise.stages.report.drawing.svg import BLUE, GREY, VERMILION, short
from cellwise.stages.report.material import Material, place_of
from cellwise.stages.report.shown import SIDE, switches

_DRAWN, _LISTED = 6, 15
# Outlines over an image: found cell, cell that is none, known cell, known cell that was missed.
COLOURS = ("#ffffff", "#ff5a36", "#35c8ff", "#ffd400")
_GOOD = 0.9


def context(material: Material) -> dict[str, Any]:
    """The scores of each set of fields, the worst fields as a list and as images."""
    tables, kind = _tables(material)
    if not tables:
        return {
            "empty": "These outlines were not compared with known masks. The command evaluate does "
            "it where there are any, and report then shows it here."
        }
    rows = sorted(
        (row for table in tables for row in (dict(_parts(table))[kind].get("fields") or [])),
        key=lambda row: (1.0 if row["f1_50"] is None else row["f1_50"], row["site_id"]),
    )
    places = _places(material)
    return {
        "tables": [
            _scores(title, said, part)
            for title, table in material.known["tables"].items()
            for said, part in _parts(table)
            if said == kind or not _one_kind(tables)
        ],
        "kind": kind,
        "other": _other(tables, kind) if _one_kind(tables) else None,
        "stale": stale(material),
        "worst": [_line(row, places) for row in rows[:_LISTED]],
        "n_fields": len(rows),
        "images": [
            image for row in rows[:_DRAWN] if (image := _image(material, row, kind)) is not None
        ],
        "colours": COLOURS,
        "channels": switches(material.channels),
        "folder": (material.known.get("truth") or {}).get("folder", ""),
        "notes": [
            str(note)
            for note in material.known.get("warnings") or []
            # A page without classes need not say so.
            if not (material.outlines_only and "no predictions" in str(note))
            and "one kind of outline" not in str(note)
        ],
    }


def points(material: Material) -> list[tuple[str, str]]:
    """What the verdict says of it: one sentence per set of fields."""
    tables, kind = _tables(material)
    if not tables:
        if not material.outlines_only or not material.n_cells:
            return []
        return [
            (
                "care",
                "Nobody has compared these outlines with known masks: look at them below, or give "
                "masks that you trust to the command evaluate.",
            )
        ]
    found = []
    for title, table in zip(material.known["tables"], tables, strict=True):
        part = dict(_parts(table))[kind]
        score = next(row for row in part["segmentation"] if row["threshold"] == 0.5)
        n = part["counts"]["true_cells"]
        if score["f1"] is None:
            continue
        css = "good" if score["f1"] >= _GOOD else "care"
        found.append(
            (
                css,
                f"Against known masks ({title}, n = {n:,} {kind}): F1 {score['f1']:.3f} at "
                f"IoU 0.5, {score['missed']:,} missed, {score['false']:,} "
                f"outline{' that is' if score['false'] == 1 else 's that are'} none.",
            )
        )
    return found


def stale(material: Material) -> bool:
    """Whether the masks have changed since: number or pixels of the cells of a field differ."""
    tables, _ = _tables(material)
    rows = [row for table in tables for row in table.get("fields") or []]
    if material.cells is None:
        return False
    frame = material.cells.group_by("site_id").agg(pl.len(), pl.col("area").cast(pl.Int64).sum())
    now = {site: (n, pixels) for site, n, pixels in frame.iter_rows()}
    # A field without cells has no row in the table of cells.
    return any(
        now.get(row["site_id"], (0, 0)) != (row["predicted"], row["predicted_pixels"])
        for row in rows
    )


def was_compared(material: Material) -> bool:
    """Whether there are scores to show."""
    return bool(_tables(material)[0])


def _tables(material: Material) -> tuple[list[dict[str, Any]], str]:
    """What was found per set of fields, and whether `cells` or `nuclei` are to be looked at first.

    Known masks of one kind may mean either: then the kind that they fit better.
    """
    tables = list((material.known.get("tables") or {}).values())
    if not all("segmentation" in table and "counts" in table for table in tables):
        return [], "cells"
    if _one_kind(tables):
        kinds = [dict(_parts(table)) for table in tables]
        hits = {what: sum(_hits(kind[what]) for kind in kinds) for what in ("nuclei", "cells")}
        return tables, max(hits, key=lambda what: hits[what])
    return tables, "cells"


def _parts(table: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Cells, and nuclei where these are known, each with counts, thresholds and fields."""
    nuclei = table.get("nuclei")
    return [("cells", table), *([("nuclei", nuclei)] if nuclei else [])]


def _one_kind(tables: list[dict[str, Any]]) -> bool:
    return all((table.get("nuclei") or {}).get("same_as_cells") for table in tables)


def _other(tables: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    """How well the other kind fits known masks that may mean either."""
    what = "cells" if kind == "nuclei" else "nuclei"
    parts = [dict(_parts(table))[what] for table in tables]
    rows = [row for part in parts for row in part["segmentation"] if row["threshold"] == 0.5]
    hits, false, missed = (sum(row[key] for row in rows) for key in ("hits", "false", "missed"))
    total = 2 * hits + false + missed
    return {"what": what, "f1": 2 * hits / total if total else None}


def _hits(part: dict[str, Any]) -> int:
    return int(sum(row["hits"] for row in part["segmentation"]))


def _scores(title: str, what: str, table: dict[str, Any]) -> dict[str, Any]:
    levels = table["segmentation"]
    known = [row["f1"] for row in levels if row["f1"] is not None]
    rows = [
        Row(
            f"F1 at IoU {row['threshold']:g}",
            row["f1"],
            row["f1_low"],
            row["f1_high"],
            short(row["f1"]),
            BLUE,
        )
        for row in levels
        if row["f1"] is not None
    ]
    return {
        "title": f"{what.capitalize()}, {title}",
        "what": what,
        "counts": table["counts"],
        "mean": sum(known) / len(known) if known else None,
        "levels": levels,
        "chart": intervals(rows, x_title="F1") if rows else "",
    }


def _places(material: Material) -> dict[str, str]:
    if material.sites is None:
        return {}
    return {row["site_id"]: place_of(row) for row in material.sites.to_dicts()}


def _line(row: dict[str, Any], places: dict[str, str]) -> dict[str, Any]:
    value = row["f1_50"]
    colour = GREY if value is None or value >= _GOOD else VERMILION
    return {
        **row,
        "place": places.get(row["site_id"], ""),
        "bar": "" if value is None else bar(value, colour=colour),
        "true": row["hits"] + row["missed"],
    }


def _image(material: Material, row: dict[str, Any], kind: str) -> dict[str, Any] | None:
    """A field with the outlines of both; None where nothing is wrong or the masks are gone."""
    if not row["false"] and not row["missed"]:
        return None
    site = row["site_id"]
    known, masks = material.images.known(site, kind), material.images.masks(site)
    if known is None or masks is None or known.shape != masks.cells.shape:
        return None
    own = masks.cells if kind == "cells" else masks.nuclei
    links: dict[str, Any] = {"lines": data_link(_outlines(own, known), "png")}
    if material.drawn is not None:
        links |= material.drawn.links(site)
    return {**row, **links}


def _outlines(cells: npt.NDArray[Any], known: npt.NDArray[Any]) -> bytes:
    """Both as one transparent image, the outlines of the run on top."""
    overlaps = find_overlaps(cells, known)
    pairs = match(overlaps, 0.5)
    drawn = np.zeros(line_labels(cells, SIDE).shape, np.uint8)
    for labels, found, hit, other in (
        (known, overlaps.true_ids[pairs[:, 1]], 3, 4),
        (cells, overlaps.predicted_ids[pairs[:, 0]], 1, 2),
    ):
        small = line_labels(labels, SIDE)
        right = np.isin(small, found)
        rim = edges(small)
        drawn[rim & right] = hit
        # Errors in double width: they are what is looked for.
        wrong = (small > 0) & ~right
        drawn[wrong & (rim | edges(np.where(rim, 0, small)))] = other
    return line_png(drawn, COLOURS)
