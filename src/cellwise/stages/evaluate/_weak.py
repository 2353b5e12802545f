"""What a weak run can be tested on: labelled fields and wells, their cells pooled, out of fold."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from cellwise.domain.classes import ClassList
from cellwise.domain.units import WELL, group_numbers, places
from cellwise.measures.bootstrap import Floats, Groups, numbered
from cellwise.stages.evaluate import accuracy, average_precision, calibration, field_agreement
from cellwise.stages.evaluate.results import Results
from cellwise.store.run.metrics import Metric
from cellwise.store.run.reader import labels_matrix

# With fewer groups their bootstrap says little about groups not seen; units are drawn instead.
LEAST_GROUPS = 10


@dataclass(frozen=True, slots=True)
class Settings:
    """How cells are pooled for ranking, how they were when calibrated; draws and seed."""

    pooling: str
    fitted_pooling: str
    draws: int
    seed: int


@dataclass(frozen=True, slots=True)
class _Units:
    """Fields or wells: pooled probabilities, truth, and what the bootstrap draws."""

    chance: Floats
    stated: Floats
    truth: npt.NDArray[np.bool_]
    groups: Groups
    drawn: str


def weak_results(
    predictions: pl.DataFrame,
    chance: npt.NDArray[np.float32],
    group_of: dict[str, str],
    *,
    classes: ClassList,
    settings: Settings,
    copies: frozenset[str] = frozenset(),
) -> Results:
    """Macro AP, calibration and accuracy of fields, and macro AP of wells.

    Args:
        predictions: Rows of the predictions table.
        chance: `[row, class]`.
        group_of: Site id to the group that the split kept together.
        classes: All classes.
        settings: Pooling, draws, seed.
        copies: Sites that show the same as another labelled one: what is seen twice counts once.
    """
    # In a run with folds, a labelled field without one was trained on: it proves nothing.
    clean = (pl.col("Weak_labels").list.len() > 0) & pl.col("fold").is_not_null()
    tested = predictions.select(clean.fill_null(value=False)).to_series()
    again = predictions["site_id"].is_in(list(copies)) & tested
    kept = (tested & ~again).to_numpy()
    frame, values = predictions.filter(pl.Series(kept)), chance[kept].astype(np.float64)
    if not len(frame):
        return Results(warnings=("No labelled field was scored out of fold: nothing is tested.",))
    frame = frame.with_columns(
        pl.col("site_id").replace_strict(group_of, default=None).alias("group")
    )
    sites = _units(frame, values, "site_id", classes, settings)
    assert sites is not None
    found = _site_results(sites, classes, settings)
    if again.any():
        found.detail["copies_left_out"] = predictions.filter(again)["site_id"].n_unique()
    frame = frame.with_columns(places(frame)[WELL])
    placed = frame[WELL].is_not_null()
    wells = _units(frame.filter(placed), values[placed.to_numpy()], WELL, classes, settings)
    if wells is None:
        return found
    macro = _precision(wells, classes, settings)
    found.metrics.update(_macro_metrics("well", macro))
    found.detail["wells"] = _precision_table(macro, wells.drawn)
    return found


def _units(
    frame: pl.DataFrame, values: Floats, key: str, classes: ClassList, settings: Settings
) -> _Units | None:
    """Cells pooled by a column; units whose fields have different labels are left out."""
    units = frame.group_by(key, maintain_order=True).agg(
        pl.col("Weak_labels").first(),
        pl.col("group").first(),
        (pl.col("Weak_labels").n_unique() == 1).alias("agreed"),
        pl.len().alias("cells"),
    )
    agreed = units["agreed"].to_numpy()
    if not agreed.any():
        return None
    number = group_numbers([frame[key]], frame[key])
    column = None if classes.negative is None else classes.names.index(classes.negative)

    def pool(way: str) -> Floats:
        pooled = field_agreement.build(way)(values, number, count=len(units), negative=column)
        return np.asarray(pooled[agreed])

    truth = labels_matrix(units.filter(pl.Series(agreed))["Weak_labels"], classes.names)
    groups, drawn = _groups(units.filter(pl.Series(agreed)), key)
    return _Units(pool(settings.pooling), pool(settings.fitted_pooling), truth, groups, drawn)


def _groups(units: pl.DataFrame, key: str) -> tuple[Groups, str]:
    """What the bootstrap draws: the split's groups where there are enough, else wells or fields."""
    if units["group"].null_count() == 0 and units["group"].n_unique() >= LEAST_GROUPS:
        return numbered(units["group"].to_numpy()), "groups of the split"
    return np.arange(len(units), dtype=np.int64), "wells" if key == WELL else "fields"


def _precision(
    units: _Units, classes: ClassList, settings: Settings
) -> average_precision.MacroPrecision:
    return average_precision.build(draws=settings.draws)(
        units.truth,
        units.chance,
        names=classes.names,
        negative=classes.negative,
        groups=units.groups,
        seed=settings.seed,
    )


def _macro_metrics(unit: str, macro: average_precision.MacroPrecision) -> dict[str, Metric]:
    n = macro.n
    positive = (macro.positive_value, macro.positive_low, macro.positive_high)
    return {
        f"{unit}_macro_ap": Metric(macro.value, macro.low, macro.high, n, unit),
        f"{unit}_macro_ap_positive": Metric(*positive, n, unit),
    }


def _precision_table(macro: average_precision.MacroPrecision, drawn: str) -> dict[str, Any]:
    return {
        "n": macro.n,
        "resampled": drawn,
        "classes": [asdict(row) for row in macro.classes],
        "apart": {row.name: row.apart for row in macro.classes if row.apart},
    }


def _site_results(sites: _Units, classes: ClassList, settings: Settings) -> Results:
    macro = _precision(sites, classes, settings)
    metrics = _macro_metrics("site", macro)
    positive = [c for c, name in enumerate(classes.names) if name != classes.negative]
    figures = calibration.build(draws=settings.draws)(
        sites.truth[:, positive],
        sites.stated[:, positive],
        groups=sites.groups,
        seed=settings.seed,
    )
    n = figures.n
    metrics["site_ece"] = Metric(figures.ece, figures.ece_low, figures.ece_high, n, "site")
    metrics["site_brier"] = Metric(figures.brier, figures.brier_low, figures.brier_high, n, "site")
    if len(classes.names) > 1 and (sites.truth.sum(axis=1) == 1).all():
        hits = accuracy.build(draws=settings.draws)(
            sites.truth.argmax(axis=1), sites.chance, groups=sites.groups, seed=settings.seed
        )
        metrics["site_accuracy"] = Metric(hits.value, hits.low, hits.high, hits.n, "site")
    detail = {
        "sites": _precision_table(macro, sites.drawn),
        "calibration": {"pooling": settings.fitted_pooling, "curve": figures.curve, "n": n},
    }
    apart = detail["sites"]["apart"]
    return Results(metrics, detail, tuple(_left_out(apart)))


def _left_out(apart: Mapping[str, str]) -> list[str]:
    """One sentence for all classes that the macro mean lacks for the same reason."""
    names: dict[str, list[str]] = {}
    for name, why in apart.items():
        names.setdefault(why, []).append(name)
    return [
        f"Class {own[0]!r} is not in the macro mean: {why}."
        if len(own) == 1
        else f"{len(own)} classes are not in the macro mean ({why}): {', '.join(own)}."
        for why, own in names.items()
    ]
