"""From folders of images with masks to one file of weights with its card."""

import hashlib
import shlex
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cellwise.app.train_segmenter.data import Annotated, PreparedImage, prepare, read_annotated
from cellwise.domain.steps import Report
from cellwise.errors import PreflightError, UsageError
from cellwise.stages.segment.small_unet.planes import PLANES, WORK_DIAMETER

CHANNELS = ("nucleus", "body")


@dataclass(frozen=True, slots=True)
class TrainRequest:
    """What was asked of `train-segmenter`.

    Args:
        folders: Images with masks; an equal share of the examples comes from each.
        out: File to write, `.safetensors`.
        folds: Trainings with a part held out, before the one on everything; 0 for none.
        epochs: Rounds of 100 batches.
        batch: Pieces of 128 x 128 px in a batch.
        learning_rate: At its highest; a training that goes on from other weights takes a third.
        width: Channels at the network's finest level.
        seed: Root of all randomness.
        threads: Of torch on a processor; the weights depend on it in the last digits.
        device: `cpu` or `cuda`.
        start: Weights to go on from, None for fresh ones.
        command: As the user gave it, for the card.
        licence: Of the weights and of what they were trained on, for the card.

    Raises:
        UsageError: A value is out of range.
    """

    folders: tuple[Path, ...]
    out: Path
    folds: int = 0
    epochs: int = 20
    batch: int = 4
    learning_rate: float = 2e-3
    width: int = 24
    seed: int = 0
    threads: int = 1
    device: str = "cpu"
    start: Path | None = None
    command: tuple[str, ...] = field(default=())
    licence: str = ""

    def __post_init__(self) -> None:
        if self.out.suffix != ".safetensors":
            raise UsageError(f"--out is a file that ends in .safetensors, not {self.out}.")
        if self.folds < 0 or self.folds == 1:
            raise UsageError(f"--folds is 0 or at least 2, not {self.folds}.")
        for name, value in (("epochs", self.epochs), ("batch", self.batch)):
            if value < 1:
                raise UsageError(f"--{name} is 1 or more, not {value}.")

    @property
    def net(self) -> dict[str, Any]:
        """The network's spec."""
        return {"name": "small_unet", "planes": PLANES, "maps": 6, "width": self.width}

    @property
    def highest_rate(self) -> float:
        """The learning rate as it is used: a third where the training goes on from weights."""
        return self.learning_rate if self.start is None else self.learning_rate / 3

    @property
    def work(self) -> Path:
        """Folder of checkpoints and held-out weights while the training is under way."""
        return self.out.with_name(f"{self.out.stem}.training")


def train_segmenter(request: TrainRequest, report: Report) -> dict[str, Any]:
    """Train, with held-out figures where folds are asked for, and write weights and card.

    Returns:
        The facts of the card.

    Raises:
        UsageError: Figures are asked of a training that goes on from weights.
        PreflightError: The images cannot be trained on.
        StorageError: The file cannot be written.
    """
    from cellwise.app.train_segmenter.cross_validate import held_out_figures
    from cellwise.store.atomic import write_text

    if request.folds and request.start is not None:
        raise UsageError(
            "--folds with --base would judge each training on images from which the base may "
            "have learned. Leave out one of the two."
        )
    annotated = read_annotated(list(request.folders))
    figures = held_out_figures(request, annotated, report) if request.folds else []
    facts = train_one(request, annotated, request.out, report, held_out=figures)
    write_text(request.out.with_suffix(".md"), model_card(request.out.stem, facts))
    shutil.rmtree(request.work, ignore_errors=True)
    return facts


def train_one(
    request: TrainRequest,
    annotated: Sequence[Annotated],
    out: Path,
    report: Report,
    *,
    note: str = "",
    held_out: Sequence[dict[str, Any]] = (),
) -> dict[str, Any]:
    """Train on these images and write one file; an interrupted training goes on.

    Returns:
        The facts of its card.
    """
    from cellwise.app.train_segmenter._fit import STEPS, make_lesson, make_plan
    from cellwise.learning.fit import fit
    from cellwise.learning.plan import Place
    from cellwise.parts.pixel_maps import load_net
    from cellwise.parts.pixel_nets import pixel_nets
    from cellwise.store.network_weights import NetworkCard, read_network, write_network

    import torch  # isort: skip

    by_folder = images_by_folder(annotated)
    plan = make_plan(
        request.epochs,
        request.highest_rate,
        seed=request.seed,
        threads=request.threads,
        device=request.device,
    )
    lesson = make_lesson(by_folder, batch=request.batch, seed=request.seed)
    with torch.random.fork_rng():
        torch.manual_seed(request.seed)
        net = pixel_nets.build(request.net)
    if request.start is not None:
        tensors = read_network(request.start)[1]
        net = load_net(request.net, tensors, source=str(request.start)).train().requires_grad_()
    total = request.epochs * STEPS

    def progress(done: int, text: str) -> None:
        report(done, total, f"{note} {text}".strip())

    folder = request.work / training_digest(request, annotated)
    weights = fit(net, lesson, plan, Place(folder, progress)).weights
    facts = _facts(request, annotated, by_folder, held_out)
    write_network(out, weights, NetworkCard(out.stem, request.net, CHANNELS, facts))
    return facts


def images_by_folder(annotated: Sequence[Annotated]) -> list[list[PreparedImage]]:
    """Prepared images by the folder they came from.

    Raises:
        PreflightError: Nothing is left to train on.
    """
    by_folder: dict[str, list[PreparedImage]] = {}
    for one in annotated:
        image = prepare(one)
        if image is not None:
            by_folder.setdefault(one.source, []).append(image)
    if not by_folder:
        raise PreflightError("No image has both signal and annotated objects.")
    return [by_folder[source] for source in sorted(by_folder)]


def model_card(name: str, facts: dict[str, Any]) -> str:
    """The card as a page."""
    lines = [f"# {name}", "", "Weights for the segmenter `small_unet` of cellwise.", ""]
    for key, value in facts.items():
        if key == "held_out":
            continue
        shown = "; ".join(map(str, value)) if isinstance(value, list) else value
        lines.append(f"- {key.replace('_', ' ')}: {shown}")
    if facts.get("held_out"):
        lines += ["", "Held-out figures, the images of a group always held out together:", ""]
        lines += ["| set | images | measure | value | 95 % interval over groups |"]
        lines += ["| --- | --- | --- | --- | --- |"]
        lines += [
            f"| {row['set']} | {row['pictures']} | {row['measure']} | {row['value']:.3f} | "
            f"{row['low']:.3f} to {row['high']:.3f} |"
            for row in facts["held_out"]
        ]
    return "\n".join([*lines, ""])


def _facts(
    request: TrainRequest,
    annotated: Sequence[Annotated],
    by_folder: Sequence[Sequence[PreparedImage]],
    held_out: Sequence[dict[str, Any]],
) -> dict[str, Any]:
    images = [image for drawn_folder in by_folder for image in drawn_folder]
    return {
        "command": shlex.join(request.command),
        "licence": request.licence,
        "folders": [Path(source).name for source in sorted({one.source for one in annotated})],
        "pictures": len(images),
        "nuclei": sum(_count(image.nuclei) for image in images),
        "cells_annotated": sum(_count(image.cells) for image in images),
        "cells": any(image.cells is not None for image in images),
        "nuclear_diameter": WORK_DIAMETER,
        "epochs": request.epochs,
        "batch": request.batch,
        "learning_rate": request.highest_rate,
        "seed": request.seed,
        "threads": request.threads,
        "started_from": "" if request.start is None else request.start.name,
        "held_out": list(held_out),
    }


def _count(labels: Any) -> int:
    return 0 if labels is None else int(labels.max(initial=0))


def training_digest(request: TrainRequest, annotated: Sequence[Annotated]) -> str:
    """A name for the checkpoints of exactly this training."""
    whole = hashlib.sha256()
    start = b"" if request.start is None else request.start.read_bytes()
    words = (request.epochs, request.batch, request.learning_rate, request.seed, request.threads)
    whole.update(repr((*words, request.device, request.net)).encode() + start)
    for one in annotated:
        for array in (one.field.pixels, one.nuclei, one.cells):
            whole.update(b"-" if array is None else array.tobytes())
    return whole.hexdigest()[:16]
