"""`cellwise demo`: the main job on embedded real data, with its own check."""

from pathlib import Path
from typing import Annotated

import typer

from cellwise.app.cli.run import command_words
from cellwise.app.cli.terminal.options import Workers
from cellwise.errors import UsageError


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("demo", help="The main job on an embedded real plate, with its own check.")(demo)


def demo(
    out: Annotated[Path, typer.Option("--out", help="Run folder.")] = Path("demo.run"),
    world: Annotated[str, typer.Option("--world", help="plate.")] = "plate",
    workers: Workers = 0,
) -> None:
    """The main job end to end on embedded data, checked against what is known."""
    if world != "plate":
        raise UsageError(f"No demo is called {world!r}. There is: plate.")
    from cellwise.app.cli.terminal.ending import print_ending
    from cellwise.app.cli.terminal.screen import make_listener
    from cellwise.app.demo import print_lines, run_demo

    outcome, result = run_demo(
        out, workers=workers, command=command_words(), listener=make_listener()
    )
    for line in print_lines(result):
        print(line)
    print_ending(outcome)
    if not result["ok"]:
        print("DEMO FAILED: " + "; ".join(result["missed"]))
        raise typer.Exit(1)
    raise typer.Exit(outcome.exit_code)
