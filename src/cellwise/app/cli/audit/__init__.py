"""`cellwise audit`: how wrong the labels are that cells inherit from their fields."""

import json
from pathlib import Path
from typing import Annotated

import typer

from cellwise.app.cli.audit._screen import screen
from cellwise.app.cli.terminal.options import AsJson, RunPath, Seed


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("audit", help="How wrong inherited labels are; draw cells to judge.")(audit)


def audit(
    run: RunPath,
    draw: Annotated[
        int, typer.Option("--draw", min=0, help="Draw so many cells at random for you to judge.")
    ] = 0,
    new: Annotated[
        bool,
        typer.Option("--new", help="With --draw: from fields that no model learned from."),
    ] = False,
    verdicts: Annotated[
        Path | None, typer.Option("--verdicts", help="Take the filled sheet into the run first.")
    ] = None,
    near: Annotated[
        str, typer.Option("--near", help="Find cells near those that you saw showing this class.")
    ] = "",
    count: Annotated[
        int, typer.Option("--count", min=1, help="With --near: how many cells at most.")
    ] = 500,
    embeddings: Annotated[
        str, typer.Option("--embeddings", help="With --near: by which embed step.")
    ] = "",
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """How many inherited labels are false, and how many cells that show a class were missed."""
    from cellwise.app.audit import audit_run, draw_cells, draw_new_cells
    from cellwise.errors import UsageError

    if draw and (verdicts or as_json or near):
        raise UsageError("--draw only draws; judge the cells before you ask for more.")
    if new and not draw:
        raise UsageError("--new says what is drawn from: give --draw 1000 too.")
    if draw:
        sheet = (draw_new_cells if new else draw_cells)(run, draw, seed=seed)
        with sheet.open(encoding="utf-8") as handle:
            drawn = sum(1 for _ in handle) - 1
        print(f"wrote {sheet}: {drawn:,} cells{', all that there are' * (drawn < draw)}")
        print("Write what each cell shows into its column 'classes': a|b, the negative class for")
        print("none, ? where unsure. From the top: any first part of it is a random draw. Then:")
        print(f"  cellwise audit {run} --verdicts {sheet}")
        return
    found = audit_run(run, verdicts=verdicts)
    if near:
        _find(run, near, count, embeddings=embeddings, as_json=as_json)
        return
    if as_json:
        print(json.dumps(found))
        return
    for line in screen(found):
        print(line)


def _find(run: Path, near: str, count: int, *, embeddings: str, as_json: bool) -> None:
    from cellwise.app.near_known import LEAST_KNOWN, find_near

    found = find_near(run, near, count, embeddings=embeddings)
    if as_json:
        print(json.dumps(found))
        return
    print(f"{found['known']:,} cells are known to show {near}")
    print(
        f"{found['candidates']:,} others have {LEAST_KNOWN} of them or more among their neighbours"
    )
    print(
        f"wrote {found['sheet']} with the first {found['listed']:,}; images: cellwise report {run}"
    )
    print("Write what each cell shows into its column 'classes', from the top, then:")
    print(f"  cellwise audit {run} --verdicts {found['sheet']}")
