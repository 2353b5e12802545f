"""The bundle of a training: its card, whether it is done already, and starting from one."""

from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import nn

from cellwise.domain.steps import Job
from cellwise.errors import BadOption, FormatError
from cellwise.learning.material import Material, Method
from cellwise.learning.plan import Plan, Trained
from cellwise.stages.train._levels import Sources
from cellwise.stages.train._sources import Collection
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.models import CARD_FILE, ModelCard, check_classes, read_model
from cellwise.store.run.scales import learned_scales


def make_card(
    job: Job,
    options: Any,
    *,
    found: Collection,
    fold: int | None,
    plan: Plan,
    method: Method,
    material: Material,
    trained: Trained,
    sources: Sources | None = None,
) -> ModelCard:
    """What the model is for and how it came about; no clock time, so that equal runs are equal."""
    training = {
        "key": job.key,
        "epochs": len(trained.losses),
        "kept_epoch": trained.kept_epoch + 1,
        "losses": [round(value, 6) for value in trained.losses],
        "validation": [round(value, 6) for value in trained.validation],
        "skipped_batches": trained.skipped,
        "precision": plan.precision,
        "items": len(material.pool),
        "sites": len(set(material.pool.site.tolist())),
        "options": job.options,
    }
    return ModelCard(
        classes=found.classes.positive,
        negative=found.classes.negative,
        channels=found.channels,
        normalisation={
            "mode": method.normalisation.mode,
            "mean": list(method.normalisation.mean),
            "std": list(method.normalisation.std),
            **({"sources": sources.card()} if sources else {}),
        },
        net=options.net,
        task=options.task,
        unit=method.task.unit,
        crop=(
            {"length": found.length}
            if found.length
            else {"size": found.size, **({"cut": found.cut} if found.cut else {})}
        ),
        step=job.name,
        fold=fold,
        seed=job.seed,
        version=version("cellwise"),
        training=training,
        scales={} if found.length else learned_scales(RunFolder(job.run)),
    )


def begin(net: nn.Module, folder: Path, *, found: Collection) -> None:
    """Put the weights of an earlier model into `net`.

    Raises:
        BadOption: It reads other channels or is another network.
        PreflightError: It was trained on other classes.
    """
    card, weights = read_model(folder)
    check_classes(card, found.classes.positive)
    if [c.key for c in card.channels] != [c.key for c in found.channels]:
        raise BadOption(f"train: {folder} reads other channels: start from a model of the same.")
    try:
        net.load_state_dict({name: torch.from_numpy(value) for name, value in weights.items()})
    except RuntimeError as error:
        raise BadOption(f"train: {folder} holds another network: {error}") from error


def is_done(folder: Path, key: str) -> bool:
    """Whether a whole bundle of this very training lies there."""
    if not (folder / CARD_FILE).is_file():
        return False
    try:
        card, _ = read_model(folder)
    except FormatError:
        return False
    return bool(card.training.get("key") == key)
