"""What was odd about masks that were brought: `segmentation.parquet`, one row per odd site.

Workers leave a file for each batch of sites in the temporary folder of the step; the table takes
them over when the step ends. Older runs kept the counts only in their completion records, from
which they are read still.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import polars as pl

from cellwise.domain.tables import SEGMENTATION
from cellwise.errors import FormatError
from cellwise.store.atomic import write_text
from cellwise.store.run.folder import RunFolder, read_json
from cellwise.store.run.tables import read_table, write_table

Notes = dict[str, float]

NOTED = tuple(name for name in SEGMENTATION.columns if name != "site_id")
_NONE: Notes = {}


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


def leave_notes(folder: Path, key: str, notes: Mapping[str, Mapping[str, float]]) -> None:
    """Leave the counts of a batch of sites; sites without any are listed too.

    Args:
        folder: The temporary folder of the step.
        key: That of the batch, under which `merge_notes` finds them.
        notes: Counts by name for each site of the batch.
    """
    digest = hashlib.sha256("\n".join(notes).encode()).hexdigest()[:16]
    write_text(folder / f"notes-{key}-{digest}.json", json.dumps(notes))


def merge_notes(run: RunFolder, folder: Path, shards: Mapping[str, str]) -> None:
    """Write the table for these sites, and delete what the batches left.

    Args:
        run: The run folder.
        folder: The temporary folder of the step.
        shards: Each site's batch key; a site whose batch left nothing keeps its earlier counts.
    """
    earlier = read_notes(run)
    fresh = {key: _left_by(folder, key) for key in set(shards.values())}
    found = {
        site: fresh[key][site] if site in fresh[key] else earlier.get(site, _NONE)
        for site, key in shards.items()
    }
    write_notes(run, found)
    for path in folder.glob("notes-*.json"):
        path.unlink(missing_ok=True)


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


def _left_by(folder: Path, key: str) -> dict[str, Any]:
    """What a batch left; torn files count as none."""
    found: dict[str, Any] = {}
    for path in sorted(folder.glob(f"notes-{key}-*.json")):
        try:
            found |= read_json(path)
        except FormatError:
            continue
    return found


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
