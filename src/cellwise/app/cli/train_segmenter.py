"""`cellwise train-segmenter`: weights for the segmenter `small_unet` from images with masks."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from cellwise.app.cli.terminal.options import Device, Seed
from cellwise.domain.plain_words import counted


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("train-segmenter", help="A segmenter from images with masks.")(train_segmenter)


def train_segmenter(
    data: Annotated[
        list[Path],
        typer.Argument(
            help="Folders: images/ with labels/, a data set of `simulate`, or a run folder."
        ),
    ],
    out: Annotated[Path, typer.Option("--out", help="File to write, .safetensors.")],
    folds: Annotated[
        int, typer.Option("--folds", help="Trainings with a part held out, for figures; 0 = none.")
    ] = 0,
    epochs: Annotated[int, typer.Option("--epochs", help="Rounds of 100 batches.")] = 20,
    batch: Annotated[int, typer.Option("--batch", help="Pieces of 128 px in a batch.")] = 4,
    seed: Seed = 0,
    device: Device = "auto",
    threads: Annotated[
        int, typer.Option("--threads", help="Of a processor; changes the last digits.", min=1)
    ] = 1,
    licence: Annotated[str, typer.Option("--licence", help="For the card of the weights.")] = "",
    start: Annotated[
        str, typer.Option("--base", help="Weights to start from: a file or a name.")
    ] = "",
) -> None:
    """Train on images with masks; the same words give the same weights."""
    from cellwise.app.cli.terminal.screen import Progress
    from cellwise.app.train_segmenter.train import TrainRequest, train_segmenter
    from cellwise.flow.devices import pick_device
    from cellwise.store.network_weights import find_network

    request = TrainRequest(
        folders=tuple(data),
        out=out,
        folds=folds,
        epochs=epochs,
        batch=batch,
        seed=seed,
        threads=threads,
        device=pick_device(device),
        start=find_network(start) if start else None,
        command=("cellwise", *sys.argv[1:]),
        licence=licence,
    )
    with Progress("train-segmenter", unit="step", after=0.0) as progress:
        facts = train_segmenter(request, progress)
    for row in facts["held_out"]:
        print(
            f"{row['set']}, {counted(row['pictures'], 'images')}: {row['measure']} "
            f"{row['value']:.3f} "
            f"({row['low']:.3f} to {row['high']:.3f})"
        )
    print(
        f"{out}: {counted(facts['pictures'], 'images')} · {counted(facts['nuclei'], 'nuclei')} "
        "· use it with"
    )
    print(f"  cellwise run ... --set segment.name=small_unet --set segment.weights={out}")
