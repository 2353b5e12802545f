"""Accuracy of wells whose treatment is known: per cell type, and weighted as RxRx1 counts it.

The challenge's test set holds 4,429 HEPG2, 8,846 HUVEC, 4,417 RPE and 2,205 U2OS wells; where these
four types are there, the overall figure weights them so. Source: Recursion Cellular Image
Classification (Kaggle 2019).
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from cellwise.domain.plain_words import counted
from cellwise.measures.bootstrap import Floats, group_draws, numbered
from cellwise.measures.intervals import interval
from cellwise.stages.evaluate.results import Results
from cellwise.store.run.metrics import Metric

TEST_COUNTS = {"HEPG2": 4429, "HUVEC": 8846, "RPE": 4417, "U2OS": 2205}
_TREATED = ("", "treatment")


def known_wells(sites: pl.DataFrame | None) -> pl.DataFrame | None:
    """One row per treated well: `id_code`, `sirna`, `cell_type`, `group`, `part`, all text.

    Args:
        sites: `Truth.sites`. Wells are known where it has `sirna`, `experiment`, `plate`, `well`;
            control wells (`well_type`) are left out. None where it has not.
    """
    needed = {"sirna", "experiment", "plate", "well"}
    if sites is None or not needed <= set(sites.columns):
        return None
    rest = [pl.lit("").alias(n) for n in _OPTIONAL if n not in sites.columns]
    code = pl.concat_str("experiment", "plate", "well", separator="_")
    wells = sites.with_columns(rest).with_columns(code.alias("id_code"))
    wells = wells.filter(pl.col("well_type").is_in(_TREATED) & (pl.col("sirna") != ""))
    group = pl.when(pl.col("group") == "").then(pl.col("id_code")).otherwise("group")
    kind = pl.col("experiment").str.replace(r"-[^-]*$", "")
    kind = pl.when(pl.col("cell_type") == "").then(kind).otherwise("cell_type")
    wells = wells.with_columns(group.alias("group"), kind.alias("cell_type"))
    wanted = ("id_code", "sirna", "cell_type", "group", "part")
    return wells.select(wanted).unique("id_code", keep="first", maintain_order=True)


_OPTIONAL = ("well_type", "group", "cell_type", "part")


def well_results(wells: pl.DataFrame, said: Mapping[str, str], *, draws: int, seed: int) -> Results:
    """Accuracy of `said` (well to class); a well without an answer is a miss.

    Args:
        wells: Rows of `known_wells`.
        said: Class per `id_code`, as text.
        draws: Bootstrap draws of whole groups.
        seed: Of the draws.
    """
    answers = [said.get(name) for name in wells["id_code"]]
    hit = np.array([a == b for a, b in zip(answers, wells["sirna"], strict=True)], np.float64)
    names = wells["group"] if wells["group"].n_unique() > 1 else wells["id_code"]
    groups = numbered(names.to_numpy())
    count = int(groups.max(initial=-1)) + 1
    kinds = sorted(wells["cell_type"].unique().to_list())
    of_kind = wells["cell_type"].to_numpy()
    hits = np.stack([np.bincount(groups, hit * (of_kind == k), count) for k in kinds])
    n = np.stack([np.bincount(groups, of_kind == k, count) for k in kinds]).astype(np.float64)
    drawn = group_draws(count, draws=draws, seed=seed).astype(np.float64)
    weights = np.vstack([np.ones((1, count)), drawn])
    below: Floats = weights @ n.T
    shares = weights @ hits.T / np.where(below > 0, below, np.nan)
    official = set(kinds) == set(TEST_COUNTS)
    by = np.array([TEST_COUNTS[k] for k in kinds] if official else n.sum(axis=1), np.float64)
    whole = _weighted(shares, by if official else below)
    metrics = {"accuracy": _metric(whole, len(wells), count)}
    if official:
        metrics["accuracy_plain"] = _metric(_weighted(shares, below), len(wells), count)
    for place, kind in enumerate(kinds):
        metrics[f"accuracy_{kind}"] = _metric(
            shares[:, place], int(n[place].sum()), int(np.count_nonzero(n[place]))
        )
    detail: dict[str, Any] = {
        "weights": dict(zip(kinds, by.tolist(), strict=True)),
        "cell_types": {k: int(n[place].sum()) for place, k in enumerate(kinds)},
        "groups": count,
    }
    missing = sum(answer is None for answer in answers)
    notes = (f"No answer for {missing} of {counted(len(wells), 'wells')}: counted as missed.",)
    return Results(metrics, {"wells": detail}, notes if missing else ())


def _weighted(shares: Floats, by: Floats) -> Floats:
    """Mean over cell types with weights `[type]` or `[draw, type]`, over those drawn at all."""
    weights = np.where(np.isfinite(shares), by, 0.0)
    total = weights.sum(axis=1)
    return np.asarray(np.nansum(shares * weights, axis=1) / np.where(total > 0, total, np.nan))


def _metric(values: Floats, n: int, groups: int) -> Metric:
    return Metric(float(values[0]), *interval(values[1:], units=groups), n, "well")
