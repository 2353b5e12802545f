"""`cellwise evaluate`: figures of a run or a submission file against known cells."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cellwise.app.cli.terminal.options import AsJson
from cellwise.domain.plain_words import counted

if TYPE_CHECKING:
    from cellwise.app.evaluate import Evaluation, Table

_HEADLINES = (
    "hpa_map_60",
    "hpa_map_60_ignore",
    "cell_macro_ap",
    "cell_macro_ap_positive",
    "cells_found_60",
    "segmentation_f1",
    "segmentation_f1_50",
    "nuclei_f1",
    "nuclei_f1_50",
    "ece",
    "brier",
)


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("evaluate", help="Figures of a run or submission against known cells.")(evaluate)


def evaluate(
    run_or_csv: Annotated[Path, typer.Argument(help="A run folder or a submission file.")],
    truth: Annotated[
        Path, typer.Option("--truth", help="Truth folder, or the folder of the simulated data set.")
    ],
    as_json: AsJson = False,
) -> None:
    """Figures of a run or submission against known cells."""
    import sys

    from cellwise.app.cli.terminal.screen import Progress
    from cellwise.app.evaluate import evaluate as compare
    from cellwise.store.run.metrics import as_content, to_json

    with Progress("masks", unit="field") as progress:
        found = compare(run_or_csv, truth, report=progress)
    if as_json:
        sys.stdout.write(to_json({"metrics": as_content(found.metrics)}))
        for text in found.warnings:
            print(f"cellwise: {text}", file=sys.stderr)
        return
    _show(found)


def _show(found: "Evaluation") -> None:
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    for table in found.tables:
        counts = table.detail.get("counts", {})
        about = ", ".join(counted(n, name) for name, n in counts.items())
        title = f"{table.title[0].upper()}{table.title[1:]}{': ' if about else ''}{about}"
        console.print(Text(title, "bold"), soft_wrap=True)
        console.print(_figures(table))
        if "hpa_map_60" in table.detail:
            console.print(_classes(table))
    for text in found.warnings:
        console.print(Text(f"Note: {text}"), soft_wrap=True)


def _figures(table: "Table") -> Any:
    grid = _grid("figure", "value", "95 % interval", "n", "unit")
    names = [name for name in _HEADLINES if name in table.metrics]
    names += [name for name in sorted(table.metrics) if name.startswith("accuracy")]
    for name in names:
        metric = table.metrics[name]
        interval = f"{_number(metric.low)} to {_number(metric.high)}"
        grid.add_row(
            table.prefix + name, _number(metric.value), interval, f"{metric.n:,}", metric.unit
        )
    return grid


def _classes(table: "Table") -> Any:
    from rich.text import Text

    grid = _grid("class", "true", "hits", "predicted", "AP masks", "AP cells", "ECE")
    for row in table.detail["hpa_map_60"]:
        if not row["true"] and not row["predicted"]:
            continue
        figures = [f"{kind}_{row['name']}" for kind in ("hpa_ap_60", "cell_ap", "ece")]
        values = [table.metrics[name].value if name in table.metrics else None for name in figures]
        grid.add_row(
            Text(row["name"], overflow="fold"),
            *(f"{row[name]:,}" for name in ("true", "hits", "predicted")),
            *map(_number, values),
        )
    return grid


def _grid(*names: str) -> Any:
    """A table whose columns stand right, but for the first and the unit."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table as Grid

    grid = Grid(box=SIMPLE_HEAD, pad_edge=False)
    for place, name in enumerate(names):
        left = place == 0 or name == "unit"
        grid.add_column(name, justify="left" if left else "right", no_wrap=place > 0)
    return grid


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
