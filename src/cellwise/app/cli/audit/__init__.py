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
    verdicts: Annotated[
        Path | None, typer.Option("--verdicts", help="Take the filled sheet into the run first.")
    ] = None,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """How many inherited labels are false, and how many cells that show a class were missed."""
    from cellwise.app.audit import audit_run, draw_cells
    from cellwise.errors import UsageError

    if draw and (verdicts or as_json):
        raise UsageError("--draw only draws; judge the cells before you ask for more.")
    if draw:
        sheet = draw_cells(run, draw, seed=seed)
        print(f"wrote {sheet}")
        print("Write what each cell shows into its column 'classes': a|b, the negative class for")
        print("none, ? where unsure. From the top: any first part of it is a random draw. Then:")
        print(f"  cellwise audit {run} --verdicts {sheet}")
        return
    found = audit_run(run, verdicts=verdicts)
    if as_json:
        print(json.dumps(found))
        return
    for line in screen(found):
        print(line)
