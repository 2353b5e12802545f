"""`cellwise export`: a run as files that other programs read."""

from pathlib import Path
from typing import Annotated

import typer

from cellwise.app.cli.terminal.options import RunPath


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("export", help="A run as files that other programs read.")(export)


def export(
    run: RunPath,
    to: Annotated[
        str,
        typer.Option(
            "--to", help="cells-csv, anndata, variability-csv, hpa-csv, rxrx1-csv or profiles."
        ),
    ],
    out: Annotated[Path, typer.Option("--out", help="The file to write.")],
    features: Annotated[
        bool, typer.Option("--features", help="Measured features as further columns.")
    ] = False,
    step: Annotated[
        str, typer.Option("--step", help="With profiles: which step, where a run has several.")
    ] = "",
) -> None:
    """A run as files that other programs read."""
    from cellwise.app.api import open_run

    open_run(run).export(to, out, features=features, step=step)
    print(f"wrote {out}")
