"""`cellwise evaluate`: metrics of a run against known cells (comes with a later release)."""

from pathlib import Path
from typing import Annotated

import typer

from cellwise.app.cli.options import AsJson
from cellwise.errors import UsageError


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("evaluate", help="Metrics of a run against known cells (later release).")(evaluate)


def evaluate(
    run_or_csv: Annotated[Path, typer.Argument(help="A run folder or a submission file.")],
    truth: Annotated[Path, typer.Option("--truth", help="Folder with masks and cells.csv.")],
    as_json: AsJson = False,
) -> None:
    """Metrics of a run against known cells."""
    raise UsageError(
        "`cellwise evaluate` (metrics against known cells) comes with a later release."
    )
