"""What the wells of a plate can show: dose-response, control wells, replicates, position."""

from dataclasses import asdict
from typing import Any

import numpy as np
import polars as pl

from cellwise.domain.classes import ClassList
from cellwise.measures.bootstrap import Floats, numbered
from cellwise.stages.evaluate import dose_response, positions, replicates, screen_quality
from cellwise.stages.evaluate._doses import DosedWells, column_named, with_doses
from cellwise.stages.evaluate.results import Results
from cellwise.store.run.metrics import Metric

_PLATE = ("Metadata_Experiment", "Metadata_Plate")
_LINE_POINTS = 61


def plate_results(wells: pl.DataFrame, *, classes: ClassList, draws: int, seed: int) -> Results:
    """All figures of the wells table; well values are the `Mean_` columns.

    Metric names end in the class where there are several positive classes, and dose metrics in the
    drug where there are several drugs.
    """
    names = [name for name in classes.positive if f"Mean_{name}" in wells.columns]
    found = Results({}, {"drugs": [], "screen_quality": [], "replicates": [], "positions": []})
    dosed = with_doses(wells)
    warnings = dict.fromkeys(dosed.warnings)
    wells = dosed.wells
    for name in names:
        suffix = f"_{name}" if len(names) > 1 else ""
        _add_doses(found, dosed, name, suffix, draws, seed)
        _add_quality(found, wells, name, suffix, draws, seed)
        _add_replicates(found, wells, name, suffix, draws, seed)
        warnings.update(dict.fromkeys(_add_positions(found, wells, name)))
    return Results(found.metrics, found.detail, tuple(warnings))


def _values(wells: pl.DataFrame, name: str) -> Floats:
    return wells[f"Mean_{name}"].fill_null(np.nan).to_numpy().astype(np.float64)


def _add_doses(
    found: Results, wells: DosedWells, name: str, suffix: str, draws: int, seed: int
) -> None:
    dosed = wells.wells.filter(pl.col("dosed"))
    drugs = sorted(dosed["drug"].unique().to_list())
    for drug in drugs:
        rows = dosed.filter(pl.col("drug") == drug)
        dose, value = rows["dose"].to_numpy(), _values(rows, name)
        curve = dose_response.build(draws=draws)(dose, value, seed=seed)
        end = (f"_{drug}" if len(drugs) > 1 else "") + suffix
        found.detail["drugs"].append({**_drug_entry(rows, name, drug, curve), "unit": wells.unit})
        middle = (curve.midpoint, curve.low, curve.high)
        found.metrics[f"dose_midpoint{end}"] = Metric(*middle, curve.n, "well")
        found.metrics[f"dose_r2{end}"] = Metric(curve.r2, None, None, curve.n, "well")
        found.metrics[f"dose_spearman{end}"] = Metric(curve.spearman, None, None, curve.n, "well")


def _drug_entry(
    rows: pl.DataFrame, name: str, drug: str, curve: dose_response.DoseResponse
) -> dict[str, Any]:
    points = rows.select(
        well=pl.col("Metadata_Well"),
        plate=pl.col("Metadata_Plate"),
        dose=pl.col("dose"),
        amount=pl.col("amount"),
        value=pl.col(f"Mean_{name}"),
        n_cells=pl.col("n_cells"),
    )
    line = []
    if not curve.reason:
        x = np.linspace(rows["dose"].to_numpy().min(), rows["dose"].to_numpy().max(), _LINE_POINTS)
        line = [[float(a), float(b)] for a, b in zip(x, curve.at(x), strict=True)]
    return {"drug": drug, "class": name, **asdict(curve), "points": points.to_dicts(), "line": line}


def _add_quality(
    found: Results, wells: pl.DataFrame, name: str, suffix: str, draws: int, seed: int
) -> None:
    control = column_named(wells, ("control",))
    positive = pl.col("Weak_labels").list.contains(name).fill_null(value=False)
    if control is not None and not wells.select(positive.any()).item():
        said = pl.col(control).str.strip_chars().str.to_lowercase() == "positive"
        positive = said.fill_null(value=False)
    up = wells.filter(positive & ~pl.col("negative_control"))
    down = wells.filter("negative_control")
    if not len(up) or not len(down):
        return
    quality = screen_quality.build(draws=draws)(_values(up, name), _values(down, name), seed=seed)
    n = quality.n_positive + quality.n_negative
    found.detail["screen_quality"].append({"class": name, **asdict(quality)})
    z_prime = (quality.z_prime, quality.z_prime_low, quality.z_prime_high)
    found.metrics[f"z_prime{suffix}"] = Metric(*z_prime, n, "well")
    ssmd = (quality.ssmd, quality.ssmd_low, quality.ssmd_high)
    found.metrics[f"ssmd{suffix}"] = Metric(*ssmd, n, "well")


def _add_replicates(
    found: Results, wells: pl.DataFrame, name: str, suffix: str, draws: int, seed: int
) -> None:
    known = wells.filter(pl.col("Condition").is_not_null())
    if not len(known):
        return
    agreed = replicates.build(draws=draws)(
        _values(known, name), numbered(known["Condition"].to_numpy()), seed=seed
    )
    if agreed.conditions < 2:
        return
    found.detail["replicates"].append({"class": name, **asdict(agreed)})
    entry = Metric(agreed.icc, agreed.low, agreed.high, agreed.wells, "well")
    found.metrics[f"replicate_icc{suffix}"] = entry


def _add_positions(found: Results, wells: pl.DataFrame, name: str) -> list[str]:
    keys = [key for key in _PLATE if key in wells.columns]
    warnings = []
    for key, rows in wells.group_by(keys, maintain_order=True):
        plate = "/".join(part for part in key if part is not None)
        dosed = pl.when("dosed").then(pl.col("dose").cast(pl.Float64)).fill_null(np.nan)
        result = positions.build()(
            rows["Metadata_Well"].to_list(),
            _values(rows, name),
            rows.select(dosed.alias("dose"))["dose"].to_numpy(),
            rows["drug"].to_list(),
        )
        found.detail["positions"] += [
            {"plate": plate, "class": name, **asdict(effect)} for effect in result.effects
        ]
        warnings += [f"Plate {plate}: {text}" if plate else text for text in result.warnings]
    return warnings
