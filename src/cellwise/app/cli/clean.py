"""`cellwise clean`: free the crops and caches of a run."""

from typing import Annotated

import typer

from cellwise.app.cli.terminal.options import RunPath


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("clean", help="Free the crops and caches of a run.")(clean)


def clean(
    run: RunPath,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be freed, and delete nothing.")
    ] = False,
) -> None:
    """Free the crops and caches of a run; tables, masks, models and reports stay."""
    from cellwise.app.clean import clean_run

    done = clean_run(run, dry_run=dry_run)
    total = sum(done.freed.values())
    parts = ", ".join(f"{name}/ {size:,}" for name, size in done.freed.items())
    verb = "would free" if dry_run else "freed"
    print(f"{run}: {verb} {total:,} bytes{f' ({parts})' if parts else ''}")
    if not done.redone:
        print("The next `cellwise run` redoes nothing for it.")
        return
    print(f"The next `cellwise run` with the same settings reads {done.images} and redoes:")
    for step, what in done.redone.items():
        print(f"  {step}: {what}")
    print("Models, scores, predictions and reports stay; what they depend on comes out the same.")
    print("Until then a report that is built again and `cellwise view` show no single cells.")
