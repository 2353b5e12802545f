"""What the wells of a plate can show: dose-response, control wells, replicates, position."""

from dataclasses import asdict
from typing import Any

import numpy as np
import polars as pl

from cellwise.domain.classes import ClassList
from cellwise.measures.bootstrap import Floats, numbered
from cellwise.stages.evaluate import dose_response, positions, replicates, screen_quality
from cellwise.stages.evaluate.results import Results
from cellwise.store.run.metrics import Metric

_DOSES = ("dose", "dose_index", "concentration")
_DRUGS = ("drug", "compound", "treatment")
_PLATE = ("Metadata_Experiment", "Metadata_Plate")
_LEAST_DOSES = 4
_LINE_POINTS = 61


def plate_results(wells: pl.DataFrame, *, classes: ClassList, draws: int, seed: int) -> Results:
    """All figures of the wells table; well values are the `Mean_` columns.

    Metric names end in the class where there are several positive classes, and dose metrics in the
    drug where there are several drugs.
    """
    names = [name for name in classes.positive if f"Mean_{name}" in wells.columns]
    found = Results({}, {"drugs": [], "screen_quality": [], "replicates": [], "positions": []})
    warnings: dict[str, None] = {}
    wells = with_doses(wells)
    for name in names:
        suffix = f"_{name}" if len(names) > 1 else ""
        _add_doses(found, wells, name, suffix, draws, seed)
        _add_quality(found, wells, name, suffix, draws, seed)
        _add_replicates(found, wells, name, suffix, draws, seed)
        warnings.update(dict.fromkeys(_add_positions(found, wells, name)))
    return Results(found.metrics, found.detail, tuple(warnings))


def column_named(frame: pl.DataFrame, words: tuple[str, ...]) -> str | None:
    """The first `Metadata_` column that is called one of `words`, ignoring case."""
    lower = {name.lower(): name for name in frame.columns}
    return next((lower[f"metadata_{word}"] for word in words if f"metadata_{word}" in lower), None)


def with_doses(wells: pl.DataFrame) -> pl.DataFrame:
    """The wells with `drug` (text), `dose` (steps, null where none) and `dosed` (used in curves).

    Labelled wells and wells marked as controls are no dose wells, unless too few doses are left
    without them.
    """
    dose, drug = column_named(wells, _DOSES), column_named(wells, _DRUGS)
    if dose is None:
        return wells.with_columns(
            drug=pl.lit(""), dose=pl.lit(None, dtype=pl.Float64), dosed=pl.lit(value=False)
        )
    text = pl.lit("") if drug is None else pl.col(drug).fill_null("")
    wells = wells.with_columns(
        pl.col(dose).cast(pl.Float64, strict=False).alias("dose"), text.alias("drug")
    )
    given = pl.col("dose").is_not_null() & pl.col("dose").is_finite()
    control = column_named(wells, ("control",))
    marked = pl.col("Weak_labels").is_not_null() | pl.col("negative_control")
    if control is not None:
        marked |= pl.col(control).fill_null("").str.strip_chars() != ""
    plain = given & ~marked
    enough = wells.filter(plain)["dose"].n_unique() >= _LEAST_DOSES
    wells = wells.with_columns((plain if enough else given).fill_null(value=False).alias("dosed"))
    steps = dose_response.dose_steps(wells["dose"].cast(pl.Float64).fill_null(np.nan).to_numpy())
    return wells.with_columns(pl.Series("dose", steps).fill_nan(None))


def _values(wells: pl.DataFrame, name: str) -> Floats:
    return wells[f"Mean_{name}"].fill_null(np.nan).to_numpy().astype(np.float64)


def _add_doses(
    found: Results, wells: pl.DataFrame, name: str, suffix: str, draws: int, seed: int
) -> None:
    dosed = wells.filter(pl.col("dosed"))
    drugs = sorted(dosed["drug"].unique().to_list())
    for drug in drugs:
        rows = dosed.filter(pl.col("drug") == drug)
        dose, value = rows["dose"].to_numpy(), _values(rows, name)
        curve = dose_response.build(draws=draws)(dose, value, seed=seed)
        end = (f"_{drug}" if len(drugs) > 1 else "") + suffix
        found.detail["drugs"].append(_drug_entry(rows, name, drug, curve))
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
