"""`cellwise fetch`: public images from their server."""

from pathlib import Path
from typing import Annotated

import typer

from cellwise.app.cli.terminal.options import EXIT_CODES
from cellwise.domain.plain_words import counted


def register(app: typer.Typer) -> None:
    """Add the verb with its sub-verb."""
    group = typer.Typer(help="Public images from their server.", no_args_is_help=True)
    group.command(
        "hpa-public",
        help="Images of the public Human Protein Atlas that a list names; resumes.",
        epilog=EXIT_CODES,
    )(hpa_public)

    @group.callback()
    def _group() -> None:
        """Public images from their server."""

    app.add_typer(group, name="fetch")


def hpa_public(
    table: Annotated[
        Path, typer.Option("--table", help="The HPA challenge's list, kaggle_2021.tsv.")
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder to make or to resume.")],
    rule: Annotated[
        str,
        typer.Option(
            "--filter",
            help="challenge: its 17 cell lines, and every mitotic spindle and aggresome; "
            "challenge-lines: the 17 lines only; rare: any line, without nucleoplasm and cytosol; "
            "all.",
        ),
    ] = "challenge",
    classes: Annotated[
        list[str] | None,
        typer.Option("--class", help="Only images with this class; may be repeated."),
    ] = None,
    form: Annotated[
        str, typer.Option("--format", help="jpg, or tif: gzip-ed TIFF, some ten times larger.")
    ] = "jpg",
    ids: Annotated[
        str,
        typer.Option(
            "--ids",
            help="field: {plate}_{well}_{field}; antibody: the antibody's number before it.",
        ),
    ] = "field",
    base: Annotated[
        str, typer.Option("--base", help="Server to ask, such as a mirror; else the list's own.")
    ] = "",
    limit: Annotated[
        int, typer.Option("--limit", help="Fields at most, from the top; 0 = all.", min=0)
    ] = 0,
    rate: Annotated[float, typer.Option("--rate", help="Requests a second at most.")] = 10.0,
    connections: Annotated[
        int, typer.Option("--connections", help="Requests under way at once.", min=1, max=16)
    ] = 4,
    patience: Annotated[
        float, typer.Option("--patience", help="Seconds without an answer until a try has failed.")
    ] = 30.0,
    attempts: Annotated[
        int, typer.Option("--attempts", help="Tries for each image.", min=1, max=20)
    ] = 5,
    verify: Annotated[
        bool, typer.Option("--verify", help="Read and decode again what is there.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be fetched, and fetch nothing.")
    ] = False,
) -> None:
    """Fetch what a list names; the same command continues where it stopped."""
    from cellwise.app.cli.terminal.screen import Progress
    from cellwise.app.fetch.fetch import FAILURES, FORMATS, LABELS, fetch, size_said
    from cellwise.app.fetch.server import Manners
    from cellwise.app.fetch.wanted import choose
    from cellwise.errors import BadOption, PreflightError

    if form not in FORMATS:
        raise BadOption(f"--format is one of {', '.join(FORMATS)}, not {form!r}.")
    if not 0 < rate <= 100 or not 0 < patience <= 3600:
        raise BadOption("--rate is above 0 and at most 100, --patience above 0 and at most 3600.")
    named = tuple(classes or ())
    choice = choose(table, rule=rule, classes=named, ids=ids, base=base, limit=limit)
    print(f"{table}: {counted(choice.rows, 'rows')}, {len(choice.wanted):,} wanted")
    if not choice.wanted:
        raise PreflightError("The list names no image that is wanted. Choose another --filter.")
    if dry_run:
        print(f"{counted(4 * len(choice.wanted), 'images')} would be asked for")
        return
    manners = Manners(rate=rate, patience=patience, attempts=attempts)
    with Progress("fetch", unit="image", after=0.0) as progress:
        done = fetch(
            choice,
            out,
            progress,
            manners=manners,
            connections=connections,
            form=form,
            verify=verify,
        )
    print(
        f"{out}: {counted(done.sites, 'fields')} with all channels, "
        f"{counted(done.images, 'images')} there, {size_said(done.received)} came"
    )
    if done.sites:
        print(f"  cellwise check {out} --labels {out / LABELS}")
    if done.failures:
        print(f"not to be had: {len(done.failures):,}, with reasons in {out / FAILURES}")
        print("The same command asks for them again, and for nothing else.")
        raise typer.Exit(3)
