"""Figures as text: values with their interval, p-values, grids of Markdown, numbers of records."""

import math
from collections.abc import Sequence
from typing import Any

from cellwise.lab.benchmark.statistics import Estimate

DASH = "–"


def said(found: Estimate | None, *, signed: bool = False) -> str:
    """`0.612 [0.580, 0.644]`, with a sign where it is a difference."""
    if found is None or not math.isfinite(found.value):
        return DASH
    form = "+.3f" if signed else ".3f"
    # Adding 0 turns the -0.0 of a rounded value into 0.
    value, low, high = (
        _minus(f"{round(v, 3) + 0.0:{form}}") for v in (found.value, found.low, found.high)
    )
    return f"{value} [{low}, {high}]" if math.isfinite(found.low) else value


def p_said(value: float) -> str:
    """A p-value in two digits."""
    if not math.isfinite(value):
        return DASH
    return f"{value:.2g}" if value < 0.095 else f"{value:.2f}"


def grid(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of Markdown, without the columns that say nothing in any row."""
    kept = [
        k for k in range(len(head)) if not rows or any(row[k] not in ("", DASH) for row in rows)
    ]
    lines = [[line[k] for k in kept] for line in (head, ["---"] * len(head), *rows)]
    escaped = [[cell.replace("|", "\\|") for cell in line] for line in lines]
    return "\n".join("| " + " | ".join(line) + " |" for line in escaped)


def _minus(text: str) -> str:
    return text.replace("-", "−")


def three(name: str, found: Estimate | None) -> dict[str, Any]:
    """Value and interval under three keys; None where there is no number."""
    values = (None,) * 3 if found is None else (found.value, found.low, found.high)
    keys = (name, f"{name}_low", f"{name}_high")
    return {key: number(value) for key, value in zip(keys, values, strict=True)}


def number(value: float | None) -> float | None:
    """Six digits, None where it is not finite: JSON has no NaN."""
    return None if value is None or not math.isfinite(value) else round(value, 6)
