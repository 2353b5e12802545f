"""What went in and what was set aside."""

from collections import Counter
from typing import Any

import polars as pl

from cellwise.domain.plain_words import problems_said
from cellwise.domain.screens.names import natural_order
from cellwise.stages.report.material import PLATE, WELL, Material
from cellwise.store.run.copies import copies_said

_SHOWN = 60


def context(material: Material) -> dict[str, Any]:
    """Counts of what went in, the quarantine table, and everything noticed while reading."""
    if material.sites is None:
        return {"empty": "No list of sites was written, so nothing is known about the images."}
    rows = list(material.quarantine)
    return {
        "facts": _facts(material),
        "channels": [
            {"name": channel.name, "role": channel.role or "not known"}
            for channel in material.channels
        ],
        "labels": _label_counts(material.sites),
        "quarantine": rows[:_SHOWN],
        "quarantined": len(rows),
        "reasons": problems_said(row.get("code") or "unknown" for row in rows),
        "problems": problems(material.reading)[:_SHOWN],
        "n_problems": len(problems(material.reading)),
        "flags": _flags(material.pixels),
        "notes": [str(note) for note in (material.reading.get("notes") or [])[:_SHOWN]]
        + copies_said(material.pixels.to_dicts() if material.pixels is not None else ()),
        "shown": _SHOWN,
    }


def problems(reading: dict[str, Any]) -> list[dict[str, str]]:
    """What was noticed while reading but set nothing aside, each as `where`, `what`, `remedy`."""
    found = []
    for entry in reading.get("problems") or []:
        # Called otherwise by runs made before problems said whether they set something aside.
        if isinstance(entry, dict) and (entry.get("set_aside") or entry.get("quarantined")):
            continue
        if isinstance(entry, dict):
            where = str(entry.get("path") or entry.get("site_id") or entry.get("where") or "")
            where = "the folder" if where == "." else where
            what = str(entry.get("reason") or entry.get("message") or entry.get("what") or "")
            remedy = str(entry.get("remedy") or "")
            found.append({"where": where, "what": what, "remedy": remedy})
        else:
            found.append({"where": "", "what": str(entry), "remedy": ""})
    return found


def _facts(material: Material) -> list[tuple[str, str]]:
    sites = material.sites
    assert sites is not None
    facts = [("Fields read", f"{sites.height:,}")]
    if PLATE in sites.columns:
        facts.append(("Plates", f"{sites[PLATE].n_unique():,}"))
    if WELL in sites.columns:
        keys = [name for name in (PLATE, WELL) if name in sites.columns]
        wells = sites.filter(pl.col(WELL).is_not_null()).select(keys).n_unique()
        facts.append(("Wells", f"{wells:,}"))
    labelled = sites.height - sites["labels"].null_count()
    if labelled or not material.outlines_only:
        facts.append(("Fields with a label", f"{labelled:,} of {sites.height:,}"))
    if material.cells is not None:
        facts.append(("Cells found", f"{material.n_cells:,}"))
    facts.append(("Set aside", f"{len(material.quarantine):,}"))
    return facts


def _label_counts(sites: pl.DataFrame) -> list[dict[str, Any]]:
    words: Counter[str] = Counter()
    for labels in sites["labels"].drop_nulls().to_list():
        words.update(labels)
    order = sorted(words.items(), key=lambda one: (-one[1], natural_order(one[0])))
    return [{"name": name, "n": n} for name, n in order]


def _flags(pixels: pl.DataFrame | None) -> list[dict[str, Any]]:
    """Image flags (constant, saturated...) with how many channel images carry them."""
    if pixels is None or not pixels.height:
        return []
    exploded = pixels.select("site_id", "channel", "flags").explode("flags").drop_nulls("flags")
    counted = exploded.group_by("flags", "channel").agg(
        pl.len().alias("n"), pl.col("site_id").sort().head(4).alias("examples")
    )
    return [
        {**row, "of": pixels.filter(pl.col("channel") == row["channel"]).height}
        for row in counted.sort(
            ["n", "flags", "channel"], descending=[True, False, False]
        ).to_dicts()
    ]
