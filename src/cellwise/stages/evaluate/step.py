"""Evaluate: figures with intervals from predictions and wells, and the tables behind them.

Writes `metrics.json` (name to value, low, high, n, unit; `unit` is what n counts) and
`evaluation.json`. In a weak run cells have no truth: fields and wells are tested, out of fold.
"""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from cellwise.domain.classes import ClassList
from cellwise.domain.steps import Job, Report
from cellwise.domain.tables import PREDICTIONS, WELLS
from cellwise.errors import PreflightError
from cellwise.stages.evaluate._plates import plate_results
from cellwise.stages.evaluate._screens import screen_results
from cellwise.stages.evaluate._weak import Settings, weak_results
from cellwise.stages.evaluate.results import Results
from cellwise.stages.evaluate.spec import Options
from cellwise.store.atomic import write_text
from cellwise.store.run.folder import RunFolder, read_json
from cellwise.store.run.metrics import Metric, to_json, write_metrics
from cellwise.store.run.reader import RunReader
from cellwise.store.run.tables import column_names, read_table

MAIN = "decide"


def work(job: Job, report: Report) -> dict[str, Any]:
    """Write `metrics.json` and `evaluation.json`; returns counts.

    Raises:
        PreflightError: Nothing was decided yet, or the control's tables are missing.
    """
    options, run = Options.of(job.options), RunFolder(job.run)
    found = [] if options.treatments else _of_cells(run, options, job.seed, report)
    report(2, 3, "screen")
    found += screen_results(run, options, seed=job.seed)
    metrics = {name: metric for part in found for name, metric in part.metrics.items()}
    detail: dict[str, Any] = {"pooling": options.pooling, "draws": options.draws}
    for part in found:
        detail.update(part.detail)
    detail["warnings"] = [text for part in found for text in part.warnings]
    write_text(run.path / "evaluation.json", to_json(detail))
    write_metrics(run.metrics, metrics)
    report(3, 3, "done")
    return {"metrics": len(metrics), "warnings": len(detail["warnings"])}


def key_parts(options: dict[str, Any], device: str) -> list[str]:
    """What figures of profiles depend on beside the options."""
    # Since ways that are alike whatever the profiles count for the smallest p.
    return ["ways alike"] if options.get("profiles") else []


def _of_cells(run: RunFolder, options: Options, seed: int, report: Report) -> list[Results]:
    """Figures of fields, wells and the negative control."""
    decision = _decision(run, MAIN)
    classes = ClassList(tuple(decision["classes"]), decision["negative"])
    report(0, 3, "fields")
    settings = Settings(options.pooling, str(decision["pooling"]), options.draws, seed)
    predictions = _predictions(run)
    chance = _chance(run.predictions, predictions, classes)
    copies = RunReader(run).copies()
    found = [
        weak_results(
            predictions, chance, _groups(run), classes=classes, settings=settings, copies=copies
        )
    ]
    found.append(_context(decision))
    report(1, 3, "wells")
    if run.wells.exists():
        found.append(_wells(run.wells, classes, options, seed))
    report(2, 3, "negative control")
    if options.negative_control:
        found.append(_control(run, options, seed))
    return found


def _decision(run: RunFolder, name: str) -> dict[str, Any]:
    path = run.decision(name)
    if not path.is_file():
        raise PreflightError(
            f"evaluate: {path} is missing. Put a 'decide' step (as: {name}) before 'evaluate'."
        )
    return read_json(path)


def _predictions(run: RunFolder) -> pl.DataFrame:
    """What is judged, and by which units: not the hundreds of measurements of cells."""
    held = column_names(run.predictions, PREDICTIONS)
    named = ("site_id", "fold", "Weak_labels")
    kept = [n for n in held if n in named or n.startswith(("Prob_", "Metadata_"))]
    return read_table(run.predictions, PREDICTIONS, columns=kept)


def _groups(run: RunFolder) -> dict[str, str]:
    rows = RunReader(run).folds().select("site_id", "group").drop_nulls().rows()
    return {str(site): str(group) for site, group in rows}


def _chance(path: Path, predictions: pl.DataFrame, classes: ClassList) -> npt.NDArray[np.float32]:
    """`[row, class]`, from the columns or, for many classes, from the array beside the table."""
    columns = [f"Prob_{name}" for name in classes.names]
    if all(name in predictions.columns for name in columns):
        return predictions.select(columns).to_numpy().astype(np.float32).reshape(-1, len(columns))
    stored: npt.NDArray[np.float32] = np.load(path.with_suffix(".npy"), allow_pickle=False)
    return stored


def _context(decision: dict[str, Any]) -> Results:
    """Labelled fields with and without the context of label sets, where it was asked for."""
    sets = decision.get("sets") or {}
    figures = sets.get("labelled")
    if not figures:
        return Results()
    metrics = {
        f"site_macro_ap_context_{name}": Metric(
            figures[name]["value"], figures[name]["low"], figures[name]["high"],
            figures["fields"], "site",
        )
        for name in ("without", "with", "difference")
    }  # fmt: skip
    return Results(metrics, {"context": {"used": sets["used"], "gain": sets["gain"], **figures}})


def _wells(path: Path, classes: ClassList, options: Options, seed: int) -> Results:
    wells = read_table(path, WELLS)
    return plate_results(wells, classes=classes, draws=options.draws, seed=seed)


def _control(run: RunFolder, options: Options, seed: int) -> Results:
    """The well figures of the control model, under their own names."""
    name = options.negative_control
    decision = _decision(run, name)
    path = run.wells.with_name(f"{run.wells.stem}_{name}{run.wells.suffix}")
    if not path.exists():
        return Results({}, {"negative_control": {}}, ("The negative control has no wells.",))
    classes = ClassList(tuple(decision["classes"]), decision["negative"])
    found = _wells(path, classes, options, seed)
    metrics = {f"negative_control_{key}": metric for key, metric in found.metrics.items()}
    return Results(metrics, {"negative_control": found.detail})
