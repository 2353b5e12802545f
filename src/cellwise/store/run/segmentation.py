"""What was odd about masks that were brought: `segmentation.parquet`, one row per odd site.

Older runs kept the counts only in their completion records, from which they are read still.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import polars as pl

from cellwise.domain.tables import SEGMENTATION
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.tables import read_table, write_table

Notes = dict[str, float]

NOTED = tuple(name for name in SEGMENTATION.columns if name != "site_id")


def write_notes(run: RunFolder, notes: Mapping[str, Mapping[str, float]]) -> None:
    """Write `segmentation.parquet`.

    Args:
        run: The run folder.
        notes: Counts by name for each site; others than `NOTED` are passed over.
    """
    rows = [
        {"site_id": site, **{name: int(counts.get(name, 0)) for name in NOTED}}
        for site, counts in notes.items()
        if any(counts.get(name) for name in NOTED)
    ]
    schema = {"site_id": pl.String, **dict.fromkeys(NOTED, pl.Int64)}
    write_table(run.segmentation, SEGMENTATION, pl.DataFrame(rows, schema=schema))


def read_notes(run: RunFolder) -> dict[str, Notes]:
    """Counts by name for each site that has any.

    Raises:
        FormatError: The table is torn or written by a newer cellwise.
    """
    if run.segmentation.exists():
        rows = read_table(run.segmentation, SEGMENTATION).to_dicts()
        return {str(row.pop("site_id")): row for row in rows}
    latest = dict(_recorded(run.done / "segment.jsonl"))
    kept = {
        site: {name: float(counts[name]) for name in NOTED if name in counts}
        for site, counts in latest.items()
    }
    return {site: notes for site, notes in kept.items() if notes}


def _recorded(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Site and counts on each line of the completion records of an older run."""
    if not path.exists():
        return
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            row = json.loads(line)
            yield str(row["site"]), dict(row["counts"])
        except (ValueError, LookupError, TypeError):
            # The last line may be torn.
            continue
