"""`cellwise predict`: a finished run's models and decisions on new images."""

from typing import Annotated

import typer

from cellwise.app.cli.run import command_words
from cellwise.app.cli.terminal.ending import print_ending
from cellwise.app.cli.terminal.options import (
    EXIT_CODES,
    Cache,
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
    cache: Cache = "",
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
        str | None,
        typer.Option(
            "--labels",
            help="CSV with metadata, or labels to compare with; a path or an address.",
        ),
    ] = None,
) -> None:
    """A finished run's models and decisions on new images."""
    from cellwise.app.cli.terminal.inputs import inputs_of_words
    from cellwise.app.cli.terminal.screen import make_listener
    from cellwise.flow.pipeline.run import run_pipeline
    from cellwise.flow.request import fitted_request

    words = list(settings or ())
    with inputs_of_words(folder, labels=labels, masks=masks, cache=cache) as given:
        if given.labels is not None:
            words.append(f"read.labels={given.labels}")
        request = fitted_request(
            run,
            given.folder,
            out,
            settings=words,
            masks=given.masks,
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
