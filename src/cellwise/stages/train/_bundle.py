"""The bundle of a training: its card, whether it is done already, and starting from one."""

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from cellwise.domain.steps import Job
from cellwise.errors import BadOption, FormatError
from cellwise.learning.material import Material, Method
from cellwise.learning.plan import Plan, Trained
from cellwise.stages.train._levels import SiteLevels, Sources
from cellwise.stages.train._sources import Collection
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.models import (
    CARD_FILE,
    ModelCard,
    check_classes,
    read_beside,
    read_model,
)
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
    levels: SiteLevels | None = None,
    part: str = "",
    covariate: dict[str, Any] | None = None,
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
        **_of_parts(trained),
    }
    unseen = never_seen(material, found.classes.positive) if options.controls == "left_out" else []
    if options.only:
        unseen = [name for name in found.classes.positive if name not in options.only]
    if unseen:
        training["never_seen"] = unseen
    if options.pseudo_labels:
        places = np.unique(material.pool.site)
        training["pseudo_labelled_sites"] = int(found.free[places].sum())
    return ModelCard(
        classes=found.classes.positive,
        negative=found.classes.negative,
        channels=found.channels,
        normalisation={
            "mode": method.normalisation.mode,
            "mean": list(method.normalisation.mean),
            "std": list(method.normalisation.std),
            **({"sources": sources.card()} if sources else {}),
            **({"levels": levels.card()} if levels else {}),
        },
        net=options.net,
        task=options.task,
        unit=method.task.unit,
        crop=_crop(found, method),
        step=job.name,
        fold=fold,
        seed=job.seed,
        version=version("cellwise"),
        training=training,
        scales={} if found.length else learned_scales(RunFolder(job.run)),
        part={"column": options.per, "value": part} if part else {},
        covariate=covariate or {},
    )


def never_seen(material: Material, classes: Sequence[str]) -> list[str]:
    """The classes that no item of a training shows."""
    shown = np.flatnonzero(material.targets.any(axis=0)).tolist()
    return [name for place, name in enumerate(classes) if place not in set(shown)]


def _crop(found: Collection, method: Method) -> dict[str, Any]:
    if found.length:
        return {"length": found.length}
    tile = method.task.tile
    cut: dict[str, Any] = {"cut": found.cut} if found.cut else {}
    return {"size": found.size, **cut, **({"tile": tile} if tile else {})}


def _of_parts(trained: Trained) -> dict[str, Any]:
    """How epochs were judged for each cell type, and which was best for it."""
    if not trained.parts:
        return {}
    parts = [{k: round(v, 6) for k, v in part.items()} for part in trained.parts]
    best = {name: epoch + 1 for name, (epoch, _) in trained.best_of.items()}
    return {"parts": parts, **({"best_of": best} if best else {})}


def begin(net: nn.Module, folder: Path, *, found: Collection, part: str = "") -> None:
    """Put the weights of an earlier model into `net`: those that were best for `part`, if kept.

    Raises:
        BadOption: It reads other channels or is another network.
        PreflightError: It was trained on other classes.
    """
    card, weights = read_model(folder)
    weights = (read_beside(folder, part) if part else None) or weights
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
