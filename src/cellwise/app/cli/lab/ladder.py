"""`cellwise ladder`: every recipe and trick on worlds with known truth, one table."""

from pathlib import Path
from typing import Annotated

import typer

from cellwise.app.cli.run import command_words
from cellwise.app.cli.terminal.options import Device
from cellwise.errors import UsageError


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(
        "ladder",
        help="Recipes and single changes on data sets with known truth; one table. Resumes.",
    )(ladder)


def ladder(
    out: Annotated[Path, typer.Argument(help="Folder to make or to resume.")],
    quick: Annotated[bool, typer.Option("--quick", help="The short table: minutes.")] = False,
    rows: Annotated[str, typer.Option("--rows", help="Rows file, name or YAML.")] = "",
    world: Annotated[
        list[str] | None,
        typer.Option("--world", help="Only the data set of this name; may be repeated."),
    ] = None,
    seeds: Annotated[int, typer.Option("--seeds", help="Seeds; 0 = as the file says.", min=0)] = 0,
    workers: Annotated[
        int, typer.Option("--workers", help="Runs side by side; 0 = one per core.", min=0)
    ] = 0,
    device: Device = "auto",
) -> None:
    """Every row of a table on worlds whose cells are known."""
    if quick and rows:
        raise UsageError("--quick is a rows file of its own; give --quick or --rows, not both.")

    from cellwise.app.cli.terminal.screen import make_listener
    from cellwise.flow.devices import pick_device
    from cellwise.lab.benchmark.page.write import closing_lines
    from cellwise.lab.benchmark.run import BenchmarkRequest, run_benchmark
    from cellwise.store.processor import count_cores

    result = run_benchmark(
        BenchmarkRequest(
            out,
            rows or ("quick" if quick else "full"),
            tuple(world or ()),
            seeds,
            workers or count_cores(),
            pick_device(device),
            command_words(),
        ),
        make_listener(),
    )
    for line in closing_lines(result):
        print(line)
    print(f"open {out / 'ladder.html'}   table {out / 'ladder.csv'}")
