"""Options become a plan: parts built, statistics taken from the training part, groups set aside."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from cellwise.contracts.augmentation import Change, ForPanel, Panel, bound
from cellwise.contracts.loss import ForTwoHeads, Loss, bound_loss
from cellwise.contracts.task import Task
from cellwise.domain.screens.names import present
from cellwise.domain.steps import Job
from cellwise.domain.units import places as places_of
from cellwise.errors import BadOption
from cellwise.learning.lesson import Lesson
from cellwise.learning.material import Material, Method, class_weights_of
from cellwise.learning.plan import Plan
from cellwise.learning.seeds import derived_seed, drawn_corners
from cellwise.parts.augment import augmentations
from cellwise.parts.losses import losses
from cellwise.parts.normalise import fit as fit_normalisation
from cellwise.parts.optimisers import optimisers
from cellwise.parts.precision import resolve
from cellwise.parts.predictor import NEVER
from cellwise.parts.published_levels import published
from cellwise.parts.schedules import schedules
from cellwise.parts.tasks import tasks
from cellwise.stages.train._only import columns_of

if TYPE_CHECKING:
    from cellwise.stages.train._sources import Collection

_ALL = 10**6
# Vectors are small: statistics are taken from so many.
_VECTORS = 65_536


def make_plan(
    job: Job,
    options: Any,
    *,
    material: Material,
    panel: Panel,
    fold: int | None,
    sample: int,
    groups: Sequence[int] = (),
) -> tuple[Plan, Method]:
    """Plan and method of one training; brightness statistics from at most `sample` of its items.

    Args:
        job: The job.
        options: Of the step.
        material: What is learned from.
        panel: Channels and classes.
        fold: That is left out.
        sample: Items that statistics are taken from.
        groups: The group of plates that each class belongs to, -1 for none; empty where unknown.

    Raises:
        BadOption: An augmentation that does not fit the channels, the classes or the task.
    """
    task = tasks.build(options.task)
    count = len(material.pool)
    some = min(_VECTORS if task.items == "vectors" else sample, count)
    places = np.unique(np.linspace(0, count - 1, some).astype(np.int64))
    if options.constants:
        normalisation = published(first_set(options.constants), panel.channels)
    else:
        sampled = _sample(material, places, task)
        normalisation = fit_normalisation(sampled, options.mode)
    first, second = losses_of(options, material, groups)
    method = Method(
        task=task,
        loss=first,
        augment=_changes(options.augment, panel, task),
        normalisation=normalisation,
        class_weights=class_weights_of(material, options.balance),
        batch=options.batch,
        second=second,
        columns=columns_of(options.only, panel.classes),
    )
    plan = Plan(
        epochs=options.epochs,
        learning_rate=options.learning_rate,
        weight_decay=options.weight_decay,
        optimiser=optimisers.build(options.optimiser),
        schedule=schedules.build(options.schedule),
        accumulate=options.accumulate,
        average=options.average,
        keep=options.keep,
        not_finite=options.not_finite,
        clip=options.clip,
        patience=options.patience,
        patient_above=options.patient_above,
        judge_weights=options.judge_weights,
        keep_parts=options.keep_parts,
        average_from=options.average_from,
        precision=resolve(options.precision, job.device),
        threads=options.threads,
        device=job.device,
        loaders=job.loaders,
        devices=job.devices,
        seed=_seed(job.seed, fold, options.draw),
        advice=(
            f"Lower the learning rate: --set train.learning_rate={options.learning_rate / 3:.2g}."
        ),
    )
    return plan, method


def _seed(root: int, fold: int | None, draw: int) -> int:
    """Of a training; draw 0 is what it was before there were others."""
    return derived_seed(root, _ALL if fold is None else fold, *([draw] if draw else []))


def first_set(constants: str | dict[str, str]) -> str:
    """The set of constants of all sources, or of the first one."""
    return constants if isinstance(constants, str) else next(iter(constants.values()))


def _sample(material: Material, places: npt.NDArray[np.int64], task: Task) -> torch.Tensor:
    """Some items to take statistics from; of sites that are cut, a tile of each."""
    if not task.tile or task.size is None:
        return torch.from_numpy(material.read(places))
    corners = drawn_corners(places, 0, 0, size=task.size, tile=task.tile)
    return torch.from_numpy(material.read_tiles(places, corners, task.tile))


def losses_of(
    options: Any, material: Material, groups: Sequence[int]
) -> tuple[Loss, tuple[Loss, tuple[float, float]] | None]:
    """The loss of logits, and for networks of two heads that of cosines and what both weigh.

    Raises:
        BadOption: A loss inside groups of plates, where plates carry none.
    """
    made = losses.build(options.loss)
    unseen = torch.from_numpy(~material.targets.any(axis=0))
    if options.controls != "left_out":
        unseen[:] = False
    if not isinstance(made, ForTwoHeads):
        return _over_seen(bound_loss(made, groups), unseen), None
    both = [_over_seen(bound_loss(part, groups), unseen) for part in (made.first, made.second)]
    return both[0], (both[1], made.weights)


def _over_seen(loss: Loss, unseen: Tensor) -> Loss:
    """The loss over the classes that are learned, where some are left out on purpose."""
    if not unseen.any():
        return loss

    def over_seen(logits: Tensor, targets: Tensor) -> Tensor:
        return loss(logits.masked_fill(unseen.to(logits.device), NEVER), targets)

    return over_seen


def _changes(specs: Sequence[Any], panel: Panel, task: Task) -> tuple[Change, ...]:
    """The augmentations; those that a recipe has by itself are of pixels, so vectors get none."""
    if task.items == "pixels":
        return tuple(_change(spec, panel, task) for spec in specs)
    if list(specs) not in ([], ["dihedral", "affine"]):
        raise BadOption("train: augmentations are of pixels; leave them out with task: vectors.")
    return ()


def _change(spec: Any, panel: Panel, task: Task) -> Change:
    augment = augmentations.build(spec)
    in_bags = task.unit == "cell" and task.cell_labels != "needed"
    if isinstance(augment, ForPanel) and augment.relabels and in_bags:
        raise BadOption(
            f"train: {spec!r} changes the label of one cell; a bag has the label of its field. "
            "Leave it out, or learn from cells or images."
        )
    return bound(augment, panel)


def total_batches(plan: Plan, lesson: Lesson) -> int:
    """Batches of the whole training, if nothing stops it early."""
    return plan.epochs * len(lesson.order(0))


def judging_sites(found: "Collection", fold: int | None, wanted: Any) -> npt.NDArray[np.bool_]:
    """Which sites judge epochs where experiments are named, or those of the next fold.

    Raises:
        BadOption: None of them is in the training part.
    """
    inside = np.ones(len(found.sites), bool) if fold is None else found.fold != fold
    # Nothing is judged by labels that models gave.
    inside &= ~found.free
    if wanted == "next_fold":
        known = [k for k in found.folds() if k is not None]
        if fold is None or len(known) < 3:
            raise BadOption("train: validate_on: next_fold takes three folds or more.")
        return np.asarray(inside & (found.fold == known[(known.index(fold) + 1) % len(known)]))
    names = places_of(found.facts)["experiment"].fill_null("").to_list()
    chosen = set(present(wanted, set(names)))
    judging: npt.NDArray[np.bool_] = inside & np.array([name in chosen for name in names])
    if not judging.any():
        known_names = sorted(set(names) - {""})
        raise BadOption(
            f"train: validate_on names {', '.join(wanted)}, and the training part has "
            f"{', '.join(known_names[:6]) or 'no experiment'}{', ...' * (len(known_names) > 6)}."
        )
    return judging


def validation_sites(
    found: "Collection", fold: int | None, share: float, seed: int
) -> npt.NDArray[np.bool_]:
    """Which sites of the training part are set aside to judge epochs: whole groups, by chance.

    Raises:
        BadOption: Setting aside is wished, and the training part has only one group.
    """
    inside = np.ones(len(found.sites), bool) if fold is None else found.fold != fold
    inside &= ~found.free
    result = np.zeros(len(found.sites), bool)
    if share <= 0:
        return result
    groups = np.array(found.group)
    names = np.unique(groups[inside])
    if len(names) < 2:
        raise BadOption(
            f"train: validate={share} sets whole groups aside, and without fold {fold} there is "
            "only one. Leave it at 0."
        )
    order = np.random.default_rng(derived_seed(seed, _ALL if fold is None else fold)).permutation(
        len(names)
    )
    for name in names[order[:-1]]:
        result |= inside & (groups == name)
        if result.sum() >= share * inside.sum():
            break
    return result
