"""Fields that do not teach, with the reason, and those that are dim or out of focus."""

from typing import Any

import polars as pl

from cellwise.stages.report.material import Material

_MOST = 40


def was_asked(material: Material) -> bool:
    """Whether the recipe asks which fields teach."""
    return material.curation is not None and material.curation.height > 0


def context(material: Material) -> dict[str, Any]:
    """Three lists: what does not teach, what shows the same, what is dim or out of focus."""
    table = material.curation
    if table is None or not table.height:
        return {"empty": "The recipe has no step curate: all labelled fields are used."}
    silent = table.filter(~pl.col("teaches"))
    flagged = table.filter(pl.col("flags").list.len() > 0)
    same = table.filter(pl.col("same_as").is_not_null())
    labelled = set() if material.sites is None else _labelled(material.sites)
    again = same.filter(~pl.col("site_id").is_in(list(labelled)))
    dark = silent.filter(pl.col("reason").str.contains("negative, no cell"))
    return {
        "n_silent": silent.height,
        "n_again": silent.filter(pl.col("reason").str.contains("shows the same")).height,
        "n_dark": dark.height,
        "n_counted_once": int(material.evaluation.get("copies_left_out") or 0),
        "n_not_audited": int((material.audit or {}).get("copies_left_out") or 0),
        "silent": silent.head(_MOST).to_dicts(),
        "n_same": same.height,
        "n_groups": same["same_as"].n_unique(),
        "unlabelled": again.head(_MOST).to_dicts(),
        "n_unlabelled": again.height,
        "flagged": [
            {**row, "flags": [flag.replace("_", " ") for flag in row["flags"]]}
            for row in flagged.head(_MOST).to_dicts()
        ],
        "n_flagged": flagged.height,
        "n": table.height,
        "all_dark": _counted(material, "negatives_all_dark"),
    }


def _labelled(sites: pl.DataFrame) -> set[str]:
    return set(sites.filter(pl.col("labels").list.len() > 0)["site_id"])


def _counted(material: Material, name: str) -> int:
    steps = material.record.get("steps") or []
    found = [step.get("counts") or {} for step in steps if step.get("kind") == "curate"]
    return int(found[0].get(name, 0)) if found else 0
