"""`cellwise prepare`: a challenge's own prepared form of images."""

from pathlib import Path
from typing import Annotated

import typer

from cellwise.app.cli.terminal.options import EXIT_CODES
from cellwise.domain.plain_words import counted


def register(app: typer.Typer) -> None:
    """Add the verb with its sub-verb."""
    group = typer.Typer(help="A challenge's own prepared form.", no_args_is_help=True)
    group.command(
        "hpa-512",
        help="Images of four channels, masks and train_all.csv, from finished runs.",
        epilog=EXIT_CODES,
    )(hpa_512)

    @group.callback()
    def _group() -> None:
        """A challenge's own prepared form."""

    app.add_typer(group, name="prepare")


def hpa_512(
    runs: Annotated[list[Path], typer.Argument(help="Runs over the challenge's folder.")],
    out: Annotated[Path, typer.Option("--out", help="Folder to make or to resume.")],
    external: Annotated[
        list[Path] | None,
        typer.Option("--external", help="A run over public images; may be repeated."),
    ] = None,
    side: Annotated[int, typer.Option("--size", help="Pixels in a side.", min=16, max=4096)] = 512,
    seed: Annotated[int, typer.Option("--seed", help="Of the five folds.")] = 42,
) -> None:
    """Write the form that AllDataAreExt & Galixir trained on."""
    from cellwise.app.cli.terminal.screen import Progress
    from cellwise.app.prepare.hpa_512 import FAILURES, prepare

    with Progress("prepare", unit="field") as progress:
        done = prepare(runs, external or [], out, progress, side=side, seed=seed)
    print(
        f"{out}: {counted(done.train, 'fields')} to train on, {counted(done.test, 'fields')} to "
        f"test, {counted(done.masks, 'masks')}"
    )
    if done.failures:
        print(f"not prepared: {counted(len(done.failures), 'fields')}, see {out / FAILURES}")
        raise typer.Exit(3)
