"""`cellwise ensemble`: several finished runs into one."""

from pathlib import Path
from typing import Annotated

import typer

from cellwise.app.cli.run import command_words
from cellwise.app.cli.terminal.ending import print_ending
from cellwise.app.cli.terminal.options import EXIT_CODES, Out, Settings, Workers


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(
        "ensemble", help="Several finished runs on the same masks into one.", epilog=EXIT_CODES
    )(ensemble)


def ensemble(
    runs: Annotated[list[Path], typer.Argument(help="Run folders, two or more.")],
    out: Out,
    combine: Annotated[
        str,
        typer.Option("--combine", help="Mean of probabilities, logits or ranks, or the median."),
    ] = "probabilities",
    weights: Annotated[
        str, typer.Option("--weights", help="A number for each run, such as 2,1,1, or auto.")
    ] = "",
    settings: Settings = None,
    workers: Workers = 0,
) -> None:
    """Several finished runs on the same images and masks into one."""
    from cellwise.app.cli.terminal.screen import make_listener
    from cellwise.app.ensemble import ensemble_runs
    from cellwise.errors import UsageError

    try:
        numbers = (
            [float(text) for text in weights.split(",")] if weights not in ("", "auto") else []
        )
    except ValueError as error:
        raise UsageError(
            f"--weights is numbers with commas between, or auto, not {weights!r}."
        ) from error
    outcome = ensemble_runs(
        runs,
        out,
        combine=combine,
        weights="auto" if weights == "auto" else numbers,
        settings=settings or (),
        workers=workers,
        command=command_words(),
        listener=make_listener,
    )
    print_ending(outcome)
    raise typer.Exit(outcome.exit_code)
