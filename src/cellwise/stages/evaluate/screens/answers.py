"""How many wells got the right treatment: by cell type, plate and place, with and without design.

Source: the challenge's accuracy and weights of cell types (Recursion Cellular Image Classification,
Kaggle 2019); figures of new batches beside those of known ones as in WILDS (Koh et al. 2021).
"""

from collections.abc import Collection
from typing import Any

import numpy as np
import polars as pl

from cellwise.domain.units import EXPERIMENT, PLATE
from cellwise.measures.bootstrap import numbered, weight_chunks
from cellwise.measures.intervals import interval
from cellwise.stages.evaluate.known.wells import well_results
from cellwise.stages.evaluate.results import Results
from cellwise.stages.evaluate.screens.roles import CHOSE, IN_BATCH, LEARNED, OUT_OF_BATCH, roles
from cellwise.store.run.metrics import Metric

WAYS = ("free", "grouped", "assigned")
# With fewer experiments their bootstrap says little: plates are drawn.
_LEAST_EXPERIMENTS = 5


def answer_results(
    treatments: pl.DataFrame, *, judged: Collection[str], draws: int, seed: int
) -> Results:
    """Accuracy of each of the three answers, out of batch and in batch.

    Args:
        treatments: Rows of the table of treatments.
        judged: Names of experiments that judged epochs: no figure is of them.
        draws: Bootstrap draws of whole experiments, or plates where there are few.
        seed: Of the draws.
    """
    table = treatments.with_columns(role=roles(treatments, judged=judged))
    # Where models of some folds only were wanted, the others' wells were learned from.
    seen = (pl.col("part") != "test").fill_null(value=True) & ~pl.col("out_of_fold")
    table = table.with_columns(
        role=pl.when(pl.col("role").is_in([OUT_OF_BATCH, IN_BATCH]) & seen)
        .then(pl.lit(LEARNED))
        .otherwise("role")
    )
    known = table.filter(pl.col("role").is_in([OUT_OF_BATCH, IN_BATCH]))
    counts = {r: int((table["role"] == r).sum()) for r in (OUT_OF_BATCH, IN_BATCH, CHOSE, LEARNED)}
    found = Results({}, {"screen": {"roles": counts}})
    if known.is_empty():
        return Results(
            {}, found.detail, ("No well of a known treatment was left out: nothing is tested.",)
        )
    # Controls are no answers.
    classes = table.filter(pl.col("role").is_not_null())["class"].n_unique()
    for role in (OUT_OF_BATCH, IN_BATCH):
        rows = known.filter(pl.col("role") == role)
        if len(rows):
            found.metrics.update(_of_role(rows, role, draws, seed))
            found.detail["screen"][role] = {
                "experiments": rows[EXPERIMENT].n_unique(), "plates": rows[PLATE].n_unique(),
                "drawn": _drawn(rows)[1], "chance": 1 / max(classes, 1),
            }  # fmt: skip
    found.detail["screen"]["plates"] = _shares(known, [EXPERIMENT, PLATE, "cell_type", "role"])
    found.detail["screen"]["positions"] = _shares(known, ["position"])
    return found


def _drawn(rows: pl.DataFrame) -> tuple[str, str]:
    many = rows[EXPERIMENT].n_unique() >= _LEAST_EXPERIMENTS
    return (EXPERIMENT, "experiments") if many else (PLATE, "plates")


def _of_role(rows: pl.DataFrame, role: str, draws: int, seed: int) -> dict[str, Metric]:
    wells = rows.select(
        id_code=pl.col("well"), sirna="class", cell_type=pl.col("cell_type").fill_null(""),
        group=pl.col(_drawn(rows)[0]).fill_null(""), part=pl.lit(""),
    )  # fmt: skip
    metrics = {}
    for way in WAYS:
        said = dict(rows.select("well", f"answer_{way}").drop_nulls().iter_rows())
        if not said:
            continue
        for name, metric in well_results(wells, said, draws=draws, seed=seed).metrics.items():
            metrics[f"{role}_{name}_{way}"] = metric
    if f"{role}_accuracy_assigned" in metrics:
        metrics[f"{role}_accuracy_gained_by_design"] = _gain(rows, wells["group"], draws, seed)
    return metrics


def _gain(rows: pl.DataFrame, group: pl.Series, draws: int, seed: int) -> Metric:
    hit = [
        (rows[f"answer_{way}"] == rows["class"]).fill_null(value=False).to_numpy().astype(float)
        for way in ("assigned", "free")
    ]
    gain = hit[0] - hit[1]
    drawn = np.concatenate([
        (w @ gain) / np.maximum(w.sum(axis=1), 1)
        for w in weight_chunks(numbered(group.to_numpy()), draws=draws, seed=seed)
    ])  # fmt: skip
    return Metric(float(gain.mean()), *interval(drawn), len(rows), "well")


def _shares(known: pl.DataFrame, by: list[str]) -> list[dict[str, Any]]:
    """Wells and the share that each way answers rightly, by some columns."""
    right = [
        (pl.col(f"answer_{way}") == pl.col("class")).fill_null(value=False).mean().alias(way)
        for way in WAYS
    ]
    return known.group_by(by).agg(pl.len().alias("wells"), *right).sort(by).to_dicts()
