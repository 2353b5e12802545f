"""`cellwise export`: a run as files that other programs read."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cellwise.app.cli.terminal.options import RunPath

if TYPE_CHECKING:
    from cellwise.contracts.exporter import Exported

_FIRST = 3
_OF_WELLS = ("profiles", "rxrx1-csv")


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
    _say_judged(run, to)
    if written is not None:
        _say(written)


def _say_judged(run: Path, to: str) -> None:
    """That labels of cells are those of the models, where people have judged some."""
    from cellwise.domain.plain_words import by_number, counted
    from cellwise.errors import FormatError
    from cellwise.store.annotations.saves import judged_cells
    from cellwise.store.run.folder import RunFolder

    if to in _OF_WELLS:
        return
    try:
        count = judged_cells(RunFolder(run))
    except FormatError:
        # Exports with verdicts have refused by now; the others hold none.
        return
    if count:
        have = by_number(count, "was", "were")
        print(
            f"{counted(count, 'cells')} {have} judged by people; labels and probabilities here are "
            f"those of the models. What people said: {_where_said(run, to)}"
        )


def _where_said(run: Path, to: str) -> str:
    if to in ("cells-csv", "anndata", "spatialdata", "geojson"):
        return "Verdict_yes, Verdict_no and Verdict_unsure"
    return str(run / "annotations" / "annotations.parquet")


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
