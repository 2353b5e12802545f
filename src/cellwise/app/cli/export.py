"""`cellwise export`: a run as files that other programs read."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cellwise.app.cli.terminal.options import RunPath

if TYPE_CHECKING:
    from cellwise.contracts.exporter import Exported

_FIRST = 3


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("export", help="A run as files that other programs read.")(export)


def export(
    run: RunPath,
    to: Annotated[
        str,
        typer.Option(
            "--to",
            help="A file: cells-csv, anndata, variability-csv, hpa-csv, rxrx1-csv or profiles. "
            "A folder: geojson, label-tiff, ome-zarr, spatialdata, fiftyone or "
            "cellprofiler-csv.",
        ),
    ],
    out: Annotated[Path, typer.Option("--out", help="The file or folder to write.")],
    features: Annotated[
        bool, typer.Option("--features", help="Measured features as further columns.")
    ] = False,
    step: Annotated[
        str, typer.Option("--step", help="With profiles: which step, where a run has several.")
    ] = "",
) -> None:
    """A run as files that other programs read."""
    from cellwise.app.api import open_run
    from cellwise.app.cli.terminal.screen import Progress

    with Progress(f"export {to}", unit="field") as progress:
        written = open_run(run).export(to, out, features=features, step=step, tell=progress)
    print(f"wrote {out}")
    if written is not None:
        _say(written)


def _say(written: "Exported") -> None:
    """What is in the folder and what is not; ends with 3 where images could not be read."""
    from cellwise.domain.plain_words import by_number, counted

    print(f"{counted(written.fields, 'fields')} · {counted(written.cells, 'cells')}")
    if written.set_aside:
        said = counted(len(written.set_aside), "fields")
        have = by_number(len(written.set_aside), "has", "have")
        print(f"{said} {have} no masks, as the run set them aside: {_some([*written.set_aside])}")
    if written.lost:
        print(f"{counted(len(written.lost), 'fields')} could not be written:")
        for site_id, why in list(written.lost.items())[:_FIRST]:
            print(f"  {site_id}: {why}")
        if len(written.lost) > _FIRST:
            print(f"  and {len(written.lost) - _FIRST} more, all in export.json")
        raise typer.Exit(3)


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _FIRST} more" if len(names) > _FIRST else ""
    return ", ".join(names[:_FIRST]) + more
