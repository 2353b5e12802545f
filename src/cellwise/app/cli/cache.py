"""`cellwise cache`: copies of images that came from an object store or a zip file."""

import time
from typing import Annotated

import typer

from cellwise.app.cli.terminal.options import Cache
from cellwise.errors import UsageError


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("cache", help="Copies of images from addresses and zip files; free them.")(cache)


def cache(
    folder: Cache = "",
    delete: Annotated[
        bool, typer.Option("--delete", help="Delete the copies that no run reads now.")
    ] = False,
    unread: Annotated[
        float,
        typer.Option(
            "--unread-days", min=0.0, help="With --delete: only those unread for so many days."
        ),
    ] = 0.0,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="With --delete: say which, and delete nothing.")
    ] = False,
) -> None:
    """List the copies, or delete them; runs made from them stay, and fetch again what they need."""
    from cellwise.app.inputs.copies import copies, delete_copies
    from cellwise.app.inputs.places import cache_folder

    if (unread or dry_run) and not delete:
        raise UsageError("--unread-days and --dry-run go with --delete.")
    place = cache_folder(folder or None)
    if not delete:
        found = copies(place)
        print(f"{place}: {_size(sum(copy.size for copy in found))} in {len(found):,} copies")
        for copy in found:
            days = max(0.0, time.time() - copy.read) / 86_400
            name = copy.address or "not fetched whole"
            print(f"  {_size(copy.size):>10}  read {days:.0f} days ago  {name}")
        return
    gone, used = delete_copies(place, unread_days=unread, dry_run=dry_run)
    verb = "would free" if dry_run else "freed"
    print(f"{place}: {verb} {_size(sum(copy.size for copy in gone))} in {len(gone):,} copies")
    for copy in gone:
        print(f"  {copy.address or copy.home.name}")
    for home, who in used.items():
        print(f"  in use by {who}, stays: {home.name}")


def _size(count: int) -> str:
    return f"{count / 1e9:,.1f} GB" if count >= 1e9 else f"{count / 1e6:,.1f} MB"
