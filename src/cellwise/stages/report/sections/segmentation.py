"""Segmentation sheet: random fields with the outlines that were found, counts and flags."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np
import polars as pl

from cellwise.domain.plain_words import counted
from cellwise.parts.drawing.images import data_link
from cellwise.stages.report._charts import histogram
from cellwise.stages.report.drawing.by_class import ClassColours
from cellwise.stages.report.drawing.lines import CELL, NUCLEUS, class_outlines, outlines
from cellwise.stages.report.drawing.svg import BLUE
from cellwise.stages.report.material import Material, choose, place_of
from cellwise.stages.report.shown import SIDE, switches

_FEW_ROWS, _MOST_ROWS = 40, 500
# Of fewer fields the list says more than a histogram.
_CHARTED = 6
_FLAG_WORDS = {
    "border": "touch the edge of the field",
    "tiny": "are unusually small for their field",
    "giant": "are unusually large for their field",
    "no_nucleus": "have no nucleus",
    "saturated": "hold many saturated pixels",
    "dark": "are hardly brighter than the background",
    "out_of_focus": "have a blurred nucleus",
}


def context(material: Material) -> dict[str, Any]:
    """Up to `sites` images with outlines, cells per site, and how many cells are flagged."""
    if material.sites is None or material.cells is None:
        return {"empty": "No cells were looked for in this run, so there are no outlines to show."}
    counts = _cells_per_site(material.sites, material.cells)
    rows = _site_rows(material, counts)
    colours = _class_colours(material)
    seen: set[int] = set()
    return {
        "images": _images(material, counts, colours, seen),
        "classes": [] if colours is None else colours.legend(seen - {0}),
        "chart": _counts_chart(list(counts.values())) if len(counts) >= _CHARTED else "",
        "flags": _flags(material.cells),
        "n_cells": material.n_cells,
        "n_sites": material.n_sites,
        "empty_sites": sorted(site for site, n in counts.items() if n == 0)[:20],
        "n_empty": sum(n == 0 for n in counts.values()),
        "median": f"{np.median(list(counts.values())) if counts else 0:g}",
        "channels": switches(material.channels),
        "lines": (CELL, NUCLEUS),
        "scale": scale_words(material),
        "rows": rows,
        "odd_pixels": any(row["pixels"] for row in rows),
        "open_rows": material.outlines_only and len(counts) <= _FEW_ROWS,
        "overlaps": _overlaps(material),
        "lost": int(sum(notes.get("outlines_lost", 0) for notes in material.notes.values())),
        "skipped": int(sum(notes.get("outlines_skipped", 0) for notes in material.notes.values())),
    }


def _cells_per_site(sites: pl.DataFrame, cells: pl.DataFrame) -> dict[str, int]:
    found = dict(cells.group_by("site_id").len().iter_rows())
    return {site: int(found.get(site, 0)) for site in sites["site_id"].to_list()}


def _site_rows(material: Material, counts: dict[str, int]) -> list[dict[str, Any]]:
    """One line per field: where it lies, its size, its cells, and what is odd about them."""
    assert material.sites is not None
    assert material.cells is not None
    per_site = material.cells.group_by("site_id").agg(
        pl.col("area").median(), pl.col("border").sum(), pl.col("flags").explode().drop_nulls()
    )
    cells = {row["site_id"]: row for row in per_site.iter_rows(named=True)}
    pixels = _pixel_flags(material.pixels)
    lines = []
    for row in material.sites.head(_MOST_ROWS).iter_rows(named=True):
        own = cells.get(row["site_id"], {})
        size = f"{row['height']} × {row['width']}" if row.get("height") else "–"
        lines.append(
            {
                "site": row["site_id"],
                "place": place_of(row),
                "size": size,
                "n": counts[row["site_id"]],
                "border": own.get("border", 0),
                "area": own.get("area"),
                "flags": _listed(own.get("flags") or ()),
                "pixels": pixels.get(row["site_id"], ""),
            }
        )
    return lines


def _listed(flags: Iterable[str]) -> str:
    """`3 tiny, 1 giant`; the border has a column of its own."""
    found = Counter(flag for flag in flags if flag != "border")
    return ", ".join(f"{n} {flag.replace('_', ' ')}" for flag, n in sorted(found.items()))


def _pixel_flags(pixels: pl.DataFrame | None) -> dict[str, str]:
    if pixels is None:
        return {}
    found: dict[str, list[str]] = {}
    odd = pixels.filter(pl.col("flags").list.len() > 0)
    for site, channel, flags in odd.select("site_id", "channel", "flags").iter_rows():
        found.setdefault(site, []).append(f"{channel} {', '.join(flags).replace('_', ' ')}")
    return {site: "; ".join(words) for site, words in found.items()}


def _overlaps(material: Material) -> dict[str, Any]:
    """Pixels that two outlines of brought masks claim, and in which fields."""
    found = {site: notes.get("overlapped_pixels", 0) for site, notes in material.notes.items()}
    sites = sorted(site for site, n in found.items() if n)
    return {"pixels": int(sum(found.values())), "fields": len(sites), "sites": sites[:8]}


def _class_colours(material: Material) -> ClassColours | None:
    """Colours by class; None where no class is predicted of single cells."""
    if material.predictions is None or material.units != "cell" or not material.classes:
        return None
    return ClassColours(
        material.predictions, {name: material.column(name) for name in material.classes}
    )


def _images(
    material: Material, counts: dict[str, int], colours: ClassColours | None, seen: set[int]
) -> list[dict[str, Any]]:
    """The fields that are shown; the codes of classes in them are added to `seen`."""
    assert material.sites is not None
    names = choose(
        material.sites["site_id"].to_list(), material.choices.sites, material.choices.seed
    )
    places = {row["site_id"]: row for row in material.sites.to_dicts()}
    sheet = []
    for name in names:
        row = places[name]
        shown = {
            "site": name,
            "n": counts[name],
            "place": place_of(row),
            "labels": " + ".join(row["labels"] or []),
        }
        links = {} if material.drawn is None else material.drawn.links(name)
        masks = material.images.masks(name)
        if masks is not None:
            if colours is None:
                drawn = outlines(masks.cells, masks.nuclei, SIDE)
            else:
                codes = colours.codes(name, int(masks.cells.max(initial=0)))
                seen.update(codes[np.unique(masks.cells)].tolist())
                drawn = class_outlines(masks.cells, masks.nuclei, SIDE, codes, colours.colours)
            links["lines"] = data_link(drawn, "png")
        sheet.append({**shown, **links})
    return sheet


def scale_words(material: Material) -> str:
    """Why fields have no scale bar; empty where all have one."""
    if material.sites is None or "pixel_size" not in material.sites.columns:
        return ""
    unknown = material.sites["pixel_size"].null_count()
    if not unknown:
        return ""
    whose = (
        ""
        if unknown == material.n_sites
        else f" of {unknown:,} of {counted(material.n_sites, 'fields')}"
    )
    return (
        f"The size of a pixel{whose} is not known, so there is no scale bar. "
        "Where you know it, give it in micrometres: --set read.pixel_size=0.325"
    )


def _counts_chart(counts: list[int]) -> Any:
    top = max([*counts, 1])
    bins = min(24, top + 1)
    heights, edges = np.histogram(counts, bins=bins, range=(0, top + 1))
    series = [("", BLUE, [int(h) for h in heights])]
    return histogram(
        series, [float(e) for e in edges], x_title="cells in a field", y_title="fields"
    )


def _flags(cells: pl.DataFrame) -> list[dict[str, Any]]:
    words: Counter[str] = Counter()
    for flags in cells["flags"].drop_nulls().to_list():
        words.update(flags)
    touching = int(cells["border"].sum())
    if touching and "border" not in words:
        words["border"] = touching
    return [
        {"name": name, "words": _FLAG_WORDS.get(name, name.replace("_", " ")), "n": n}
        for name, n in sorted(words.items(), key=lambda item: (-item[1], item[0]))
    ]
