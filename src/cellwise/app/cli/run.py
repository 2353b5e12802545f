"""`cellwise run`: all steps of a recipe on a folder; the same command resumes."""

import sys
from pathlib import Path

import typer

from cellwise.app.cli.terminal.ending import print_ending
from cellwise.app.cli.terminal.options import (
    EXIT_CODES,
    Cluster,
    Device,
    Devices,
    Engine,
    Folder,
    Insecure,
    Labels,
    Layout,
    Masks,
    Out,
    Pattern,
    RecipeName,
    RunSeed,
    Scheduler,
    Settings,
    Workers,
    engine_spec,
)


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(
        "run", help="All steps of a recipe; the same command again resumes.", epilog=EXIT_CODES
    )(run)


def run(
    folder: Folder,
    out: Out,
    labels: Labels = None,
    recipe: RecipeName = "",
    settings: Settings = None,
    masks: Masks = None,
    layout: Layout = "",
    pattern: Pattern = "",
    workers: Workers = 0,
    device: Device = "auto",
    devices: Devices = 1,
    engine: Engine = "local",
    scheduler: Scheduler = "",
    cluster: Cluster = None,
    insecure: Insecure = False,
    seed: RunSeed = None,
) -> None:
    """All steps of a recipe on a folder."""
    from cellwise.app.cli.terminal.screen import Progress, make_listener
    from cellwise.flow.pipeline.run import run_pipeline
    from cellwise.flow.request import make_request

    with Progress("look", unit="") as progress:
        request = make_request(
            folder,
            out,
            labels=labels,
            recipe=recipe or None,
            settings=settings or (),
            masks=masks,
            layout=layout,
            pattern=pattern,
            seed=seed,
            device=device,
            workers=workers,
            devices=devices,
            engine=engine_spec(engine, scheduler, cluster, insecure=insecure),
            command=command_words(),
            report=progress,
        )
    listener = make_listener()
    for line in request.recipe.notices:
        listener.message(line)
    outcome = run_pipeline(request, listener)
    print_ending(outcome)
    raise typer.Exit(outcome.exit_code)


def command_words() -> list[str]:
    """The command as the user typed it."""
    name = Path(sys.argv[0]).name
    return [*(["python", "-m", "cellwise"] if name == "__main__.py" else [name]), *sys.argv[1:]]
