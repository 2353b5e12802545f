"""`cellwise report`: build the static report of a run anew."""

import typer

from cellwise.app.cli.terminal.options import RunPath


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("report", help="Build the static report of a run again.")(report)


def report(run: RunPath) -> None:
    """Build the static report of a run again."""
    from cellwise.app.api import open_run

    print(f"wrote {open_run(run).rebuild_report()}")
