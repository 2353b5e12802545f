"""`cellwise predict`: a finished run's models and decisions on new images."""

from pathlib import Path
from typing import Annotated

import typer

from cellwise.app.cli.run import command_words
from cellwise.app.cli.terminal.ending import print_ending
from cellwise.app.cli.terminal.options import (
    EXIT_CODES,
    Cluster,
    Device,
    Engine,
    Folder,
    Insecure,
    Layout,
    Masks,
    Out,
    Pattern,
    RunPath,
    Scheduler,
    Settings,
    Workers,
    engine_spec,
)


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("predict", help="Apply a finished run's models to new images.", epilog=EXIT_CODES)(
        predict
    )


def predict(
    run: RunPath,
    folder: Folder,
    out: Out,
    settings: Settings = None,
    masks: Masks = None,
    layout: Layout = "",
    pattern: Pattern = "",
    workers: Workers = 0,
    device: Device = "auto",
    engine: Engine = "local",
    scheduler: Scheduler = "",
    cluster: Cluster = None,
    insecure: Insecure = False,
    runtime: Annotated[
        str,
        typer.Option(
            "--runtime",
            help="What networks calculate with: auto for the fastest of those that answer alike.",
        ),
    ] = "",
    labels: Annotated[
        Path | None, typer.Option("--labels", help="CSV with metadata, or labels to compare with.")
    ] = None,
) -> None:
    """A finished run's models and decisions on new images."""
    from cellwise.app.cli.terminal.screen import make_listener
    from cellwise.flow.pipeline.run import run_pipeline
    from cellwise.flow.request import fitted_request

    given = list(settings or ())
    if labels is not None:
        given.append(f"read.labels={labels}")
    request = fitted_request(
        run,
        folder,
        out,
        settings=given,
        masks=masks,
        layout=layout,
        pattern=pattern,
        device=device,
        workers=workers,
        engine=engine_spec(engine, scheduler, cluster, insecure=insecure),
        runtime=runtime,
        command=command_words(),
    )
    outcome = run_pipeline(request, make_listener())
    print_ending(outcome)
    raise typer.Exit(outcome.exit_code)
