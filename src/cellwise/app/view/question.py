"""What a visitor asks of the gallery: filters, order and page, answered from the table of cells."""

from dataclasses import dataclass
from typing import Any, Literal

import polars as pl

PAGE_SIZE = 100
PREFIX = "Prob_"
WELL, PLATE = "Metadata_Well", "Metadata_Plate"

Sort = Literal["probability", "uncertainty", "area", "site"]
Order = Literal["down", "up"]


@dataclass(frozen=True, slots=True)
class Question:
    """Filters, order and page; an empty text or None does not filter.

    Args:
        name: The class that probabilities are about.
        plate, well, site: Equal to these texts.
        cell: Equal to this number; 0 does not filter.
        low, high: Bounds of the class's probability, 0..1, both included.
        unsure: Least uncertainty, in bits, 0..1.
        assigned: `yes` for cells that were given the class, `no` for those that were not.
        sort: What to sort by; equal cells stand by site and number.
        order: `down` for the largest first.
        page: From 1.
    """

    name: str = ""
    plate: str = ""
    well: str = ""
    site: str = ""
    cell: int = 0
    low: float = 0.0
    high: float = 1.0
    unsure: float = 0.0
    assigned: Literal["", "yes", "no"] = ""
    sort: Sort = "probability"
    order: Order = "down"
    page: int = 1


@dataclass(frozen=True, slots=True)
class Answer:
    """One page of cells: how many there are in all, the page's number, and its rows."""

    total: int
    page: int
    pages: int
    rows: pl.DataFrame


def answer(table: pl.DataFrame, asked: Question) -> Answer:
    """The page of cells that the question asks for; a page beyond the last is the last."""
    found = _filtered(table, asked)
    key = _sort_key(found, asked)
    down = asked.order == "down"
    ordered = found.sort(
        key, "site_id", "cell_id", descending=[down, False, False], nulls_last=True
    )
    pages = max(1, -(-found.height // PAGE_SIZE))
    page = min(max(1, asked.page), pages)
    return Answer(found.height, page, pages, ordered.slice((page - 1) * PAGE_SIZE, PAGE_SIZE))


def as_json(row: dict[str, Any], name: str) -> dict[str, Any]:
    """A cell as the page receives it."""
    return {
        "site": row["site_id"],
        "cell": row["cell_id"],
        "plate": row.get(PLATE),
        "well": row.get(WELL),
        "probability": row.get(PREFIX + name) if name else None,
        "uncertainty": row.get("Uncertainty"),
        "labels": row.get("Labels") or [],
        "field_labels": row.get("Weak_labels") or [],
        "area": row["area"],
        "border": row["border"],
        "picture": row.get("position") is not None,
        "probabilities": {
            column.removeprefix(PREFIX): value
            for column, value in row.items()
            if column.startswith(PREFIX)
        },
    }


def _filtered(table: pl.DataFrame, asked: Question) -> pl.DataFrame:
    column = PREFIX + asked.name
    wanted = [pl.lit(value=True)]
    for name, value in ((PLATE, asked.plate), (WELL, asked.well), ("site_id", asked.site)):
        if value:
            wanted.append(pl.col(name) == value if name in table.columns else pl.lit(value=False))
    if asked.cell:
        wanted.append(pl.col("cell_id") == asked.cell)
    if asked.name and column in table.columns:
        if asked.low > 0 or asked.high < 1:
            wanted.append(pl.col(column).is_between(asked.low, asked.high))
        if asked.assigned:
            has = pl.col("Labels").list.contains(asked.name)
            wanted.append(has if asked.assigned == "yes" else ~has)
    if asked.unsure > 0 and "Uncertainty" in table.columns:
        wanted.append(pl.col("Uncertainty") >= asked.unsure)
    return table.filter(*wanted)


def _sort_key(table: pl.DataFrame, asked: Question) -> str:
    column = PREFIX + asked.name
    keys = {
        "probability": column,
        "uncertainty": "Uncertainty",
        "area": "area",
        "site": "site_id",
    }
    key = keys[asked.sort]
    return key if key in table.columns else "site_id"
