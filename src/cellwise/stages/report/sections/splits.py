"""Split and leaks: how labelled fields were shared out over folds, and what folds share."""

from typing import Any

from cellwise.stages.report._warnings import together
from cellwise.stages.report.material import Material


def context(material: Material) -> dict[str, Any]:
    """Leak table, balance per class, and the split's own warnings."""
    account = material.split
    if not account:
        return {"empty": "Nothing was trained in this run, so no field had to be held back."}
    if not account.get("folds"):
        return {"empty": "The models come from an earlier run, so no field was used for training."}
    folds = int(account["folds"])
    return {
        "folds": folds,
        "by": [_plain(name) for name in account.get("by") or []],
        "leaks": [_leak(row) for row in account.get("leaks") or []],
        # A class without a labelled field has a row of zeros, and stands among the warnings.
        "balance": [row for row in account.get("balance") or [] if row.get("sites")],
        "warnings": together([str(words) for words in account.get("warnings") or []]),
        "sizes": _sizes(material, folds),
        "passed_over": sorted(
            (_plain(name), reason) for name, reason in (account.get("passed_over") or {}).items()
        ),
    }


def _plain(name: str) -> str:
    return name.removeprefix("Metadata_")


def _leak(row: dict[str, Any]) -> dict[str, Any]:
    words = {
        "group": "group (kept together)",
        "copies": "exact copies of pixels",
        "alike": "fields alike",
    }
    name = str(row.get("column", ""))
    return {
        "name": words.get(name, _plain(name)),
        "used": bool(row.get("used")),
        "distinct": int(row.get("values", 0)),
        "straddling": int(row.get("straddling", 0)),
        "examples": ", ".join(str(value) for value in (row.get("examples") or [])[:4]),
    }


def _sizes(material: Material, folds: int) -> list[int]:
    if material.folds is None:
        return []
    return [int((material.folds["fold"] == fold).sum()) for fold in range(folds)]
