"""`cellwise simulate`: fields with known single-cell truth, in the challenge's own layout."""

from pathlib import Path
from typing import Annotated

import typer

from cellwise.app.cli.terminal.options import Seed, Workers
from cellwise.domain.plain_words import counted


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("simulate", help="Fields with known single-cell truth.")(simulate)


def simulate(
    out: Annotated[Path, typer.Argument(help="Folder to make.")],
    world: Annotated[str, typer.Option("--world", help="hpa, rxrx1 or mitocheck.")],
    severity: Annotated[
        str | None,
        typer.Option(
            "--severity",
            help="easy, default or hard; hpa: also control (no noise) and foreign (drawn by seed).",
        ),
    ] = None,
    min_positives: Annotated[
        int | None, typer.Option("--min-positives", help="Least test cells per class.")
    ] = None,
    sites: Annotated[
        int | None,
        typer.Option("--sites", help="Fields in all; rxrx1: at most, in whole experiments."),
    ] = None,
    size: Annotated[int | None, typer.Option("--size", help="Side of a field, pixels.")] = None,
    seed: Seed = 0,
    scv: Annotated[
        float | None, typer.Option("--scv", help="Share of labels that vary between cells, 0..1.")
    ] = None,
    test_share: Annotated[
        float | None,
        typer.Option(
            "--test-share", help="Share of the fields (rxrx1: of the experiments) in the test part."
        ),
    ] = None,
    classes: Annotated[
        int | None, typer.Option("--classes", help="Number of classes (rxrx1).")
    ] = None,
    variant: Annotated[
        str | None,
        typer.Option(
            "--variant", help="Another form: mitocheck wells; rxrx1 one-aberrant, no-aberrant."
        ),
    ] = None,
    part: Annotated[
        str | None,
        typer.Option("--part", help="Plates of mitocheck: development or sealed; else all."),
    ] = None,
    workers: Workers = 0,
) -> None:
    """Make a world; the same words give the same bytes, whatever the number of workers."""
    from cellwise.app.cli.terminal.screen import Progress
    from cellwise.lab.simulate import simulate_world
    from cellwise.lab.simulate.request import SimulateRequest
    from cellwise.store.processor import count_cores

    request = SimulateRequest(
        out=out,
        world=world,
        severity=severity,
        min_positives=min_positives,
        sites=sites,
        size=size,
        seed=seed,
        scv=scv,
        workers=workers or count_cores(),
        test_share=test_share,
        classes=classes,
        variant=variant,
        part=part,
    )
    with Progress("simulate", unit="field") as progress:
        made = simulate_world(request, progress)
    if made.found:
        print(f"{out} is already there, made by the same words.")
        return
    said = [counted(value, name) for name, value in made.counts.items()]
    print(f"{out}: {' · '.join(said)}")
