"""`cellwise view`: the report and a gallery of cells on the loopback address."""

from contextlib import suppress
from typing import Annotated

import typer

from cellwise.app.cli.terminal.options import RunPath


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("view", help="Serve the report and a gallery of cells on this machine.")(view)


def view(
    run: RunPath,
    port: Annotated[int, typer.Option("--port", help="0 takes a free one.", min=0)] = 0,
    edit: Annotated[
        bool, typer.Option("--edit", help="Let visitors judge cells and make exports.")
    ] = False,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open a browser.")] = True,
) -> None:
    """The report and a gallery of cells on the loopback address."""
    from cellwise.app.api import open_run
    from cellwise.app.view.server import serve
    from cellwise.flow.pipeline.stop import Stopped

    with suppress(Stopped):
        serve(open_run(run).path, port=port, open_browser=browser, edit=edit)
