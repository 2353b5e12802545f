"""Figures of a run, or of anybody's submission file, against known cells.

New fields (their labels were unknown) and labelled fields (scored out of fold) are two tables and
never mixed: names of the latter always begin with `labelled_`. Where nothing tells parts apart, the
plain names are those of all fields.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cellwise.domain.steps import Report
from cellwise.errors import PreflightError
from cellwise.store.run.metrics import Metric

LABELLED = "labelled_"


@dataclass(frozen=True, slots=True)
class Table:
    """The figures of one set of fields.

    Args:
        title: Which fields: `new fields`, `labelled fields` (out of fold) or `all fields`.
        prefix: What the names of its metrics begin with in the result.
        metrics: By plain name.
        detail: What stands behind them, per class and threshold.
    """

    title: str
    prefix: str
    metrics: dict[str, Metric]
    detail: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """All tables, and sentences about what does not fit."""

    tables: tuple[Table, ...]
    warnings: tuple[str, ...] = ()

    @property
    def metrics(self) -> dict[str, Metric]:
        """All figures by name."""
        return {
            f"{table.prefix}{name}": metric
            for table in self.tables
            for name, metric in table.metrics.items()
        }


def evaluate(
    run_or_csv: Path, truth: Path, *, draws: int = 500, seed: int = 0, report: Report | None = None
) -> Evaluation:
    """Compare a run folder or a submission file with a truth folder.

    A run gets the result as `evaluation_truth.json`; its `metrics.json` is left alone.

    Args:
        run_or_csv: A run folder, or an HPA or RxRx1 submission.
        truth: A truth folder, or the folder of the data set that holds it.
        draws: Bootstrap draws of every interval.
        seed: Of the draws.
        report: Called with (done, total, note) while masks are read.

    Raises:
        PreflightError: Nothing there, or nothing in common with the truth.
        FormatError: A file is broken; the row is named.
    """
    from cellwise.app.evaluate._run import evaluate_run
    from cellwise.app.evaluate._submission import evaluate_submission
    from cellwise.store.worlds.truth import read_truth

    if not run_or_csv.exists():
        raise PreflightError(f"There is no run folder or submission file {run_or_csv}.")
    known = read_truth(truth)
    tell = report or _nothing
    if run_or_csv.is_file():
        return evaluate_submission(run_or_csv, known, draws=draws, seed=seed, report=tell)
    return evaluate_run(run_or_csv, known, draws=draws, seed=seed, report=tell)


def _nothing(done: int, total: int, note: str) -> None:
    return None
