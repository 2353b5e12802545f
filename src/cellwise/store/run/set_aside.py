"""How many fields and how many other inputs a run has set aside."""

import csv
import io
from typing import Any

import polars as pl

from cellwise.domain.tables import SITES
from cellwise.store.run.folder import RunFolder, read_json
from cellwise.store.run.tables import read_table

# The status of a site that is worked on.
_OK = "ok"


def count_set_aside(run: RunFolder) -> tuple[int, int]:
    """Fields set aside, and inputs of no field, such as a file whose name says nothing.

    A field counts once, however many of its files are wrong, as `quarantine.csv` lists each file.
    """
    refused = _refused_sites(run)
    reading: dict[str, Any] = read_json(run.reading) if run.reading.is_file() else {}
    others = {
        problem.get("path", "")
        for problem in reading.get("problems", [])
        if problem.get("set_aside") and problem.get("site_id") not in refused
    }
    return len(refused) + len(_later(run, reading)), len(others)


def _refused_sites(run: RunFolder) -> set[str]:
    if not run.sites.is_file():
        return set()
    sites = read_table(run.sites, SITES, columns=["site_id", "status"])
    return set(sites.filter(pl.col("status") != _OK)["site_id"])


def _later(run: RunFolder, reading: dict[str, Any]) -> set[str]:
    """What steps after the reading set aside, one path for each field."""
    if not run.quarantine.is_file():
        return set()
    read = {(p.get("path"), p.get("code")) for p in reading.get("problems", [])}
    rows = csv.DictReader(io.StringIO(run.quarantine.read_text(encoding="utf-8")))
    return {row["path"] for row in rows if (row["path"], row["code"]) not in read}
