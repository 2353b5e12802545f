"""`cellwise view`: the report and a gallery of cells, for this machine or for colleagues."""

from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from cellwise.app.cli.terminal.options import RunPath


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("view", help="Show the report and a gallery of cells in the browser.")(view)


def view(
    run: RunPath,
    port: Annotated[int, typer.Option("--port", help="0 takes a free one.", min=0)] = 0,
    edit: Annotated[
        bool, typer.Option("--edit", help="Let visitors judge cells and make exports.")
    ] = False,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open a browser.")] = True,
    host: Annotated[
        str,
        typer.Option(
            "--host", help="Address to listen on; others than this machine's own need TLS."
        ),
    ] = "127.0.0.1",
    certificate: Annotated[
        Path | None, typer.Option("--certificate", help="PEM file of the server's certificate.")
    ] = None,
    key: Annotated[Path | None, typer.Option("--key", help="PEM file of its key.")] = None,
    behind_proxy: Annotated[
        str, typer.Option("--behind-proxy", help="HOST of a proxy that adds TLS.")
    ] = "",
    allow_host: Annotated[
        list[str] | None,
        typer.Option("--allow-host", help="A further name people reach it by; may be repeated."),
    ] = None,
    password_file: Annotated[
        Path | None,
        typer.Option(
            "--password-file",
            help="File (mode 0600) with `viewer: PASSWORD` and `editor: PASSWORD`; else asked for.",
        ),
    ] = None,
) -> None:
    """The report and a gallery of cells, on this machine's own address if nothing else is said."""
    from cellwise.app.api import open_run
    from cellwise.app.view.access.passwords import ask_passwords, read_passwords
    from cellwise.app.view.listening import Listening
    from cellwise.app.view.server import serve
    from cellwise.flow.pipeline.stop import Stopped

    listening = Listening(
        host=host, port=port, certificate=certificate, key=key,
        behind_proxy=behind_proxy, allow_hosts=tuple(allow_host or ()),
    )  # fmt: skip
    path = open_run(run).path
    listening.check_certificate()
    passwords = None
    if password_file is not None:
        passwords = read_passwords(password_file, edit=edit)
    elif not listening.is_private:
        passwords = ask_passwords(edit=edit)
    with suppress(Stopped):
        serve(
            path, listening, passwords=passwords, edit=edit,
            open_browser=browser and listening.is_private,
        )  # fmt: skip
