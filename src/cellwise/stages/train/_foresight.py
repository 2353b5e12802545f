"""What can be said of a training before any work: groups it needs, and what it takes on disk."""

import numpy as np

from cellwise.domain.foresight import FolderFacts, Foresight, Refusal
from cellwise.domain.plain_words import counted
from cellwise.domain.screens.names import present
from cellwise.domain.screens.needs import refused_without_controls, site_columns
from cellwise.domain.screens.wells import NEGATIVE, POSITIVE
from cellwise.domain.steps import Job
from cellwise.domain.units import EXPERIMENT, PLATE
from cellwise.registry import Registry, split_spec
from cellwise.stages.train._only import refused_classes
from cellwise.stages.train.spec import SHELVES, Options

_SIDES = {"image": 256, "puzzle": 256}
# Bytes of a number as it is kept: of the step alone, and of all steps.
_HALF_PRECISION = 2
# Of weights: a checkpoint holds them and two moments of each, and an old one goes after the new.
_CHECKPOINTS = 6
_SHOWN = 6


def training_foresight(job: Job, folder: FolderFacts) -> Foresight:
    """Refuse what a folder of so many groups and folds cannot meet; tell of fields on disk."""
    options = Options.of(job.options)
    refusals = []
    if folder.folds and options.folds and max(options.folds) >= folder.folds:
        refusals.append(
            Refusal(
                f"Step {job.name!r} leaves fold {max(options.folds)} out, and the split makes "
                f"{folder.folds} folds, from 0.",
                f"Give --set split.folds={max(options.folds) + 1}.",
                "folds",
                (f"split.folds={max(options.folds) + 1}",),
            )
        )
    # The fullest fold holds so many groups at least.
    left = folder.groups - -(-folder.groups // folder.folds) if folder.folds > 1 else 2
    if options.validate_ and left < 2:
        refusals.append(
            Refusal(
                f"Step {job.name!r} sets whole groups of fields aside to judge its epochs "
                f"(validate={options.validate_:g}), and of {folder.groups} groups in "
                f"{folder.folds} folds only {left} is left beside one of the folds.",
                f"Label fields of more groups, or give --set {job.name}.validate=0.",
                "validate",
                (f"{job.name}.validate=0",),
            )
        )
    refusals += [*_of_controls(job, options, folder), *_of_judges(job, options, folder)]
    refusals += _of_covariate(job, options, folder)
    refusals += refused_classes(job.name, options.only, folder)
    kept, passing = _fields_on_disk(job, options, folder)
    weights, checkpoints = _models_on_disk(job, options, folder)
    return Foresight(tuple(refusals), kept=kept | weights, passing=passing + checkpoints)


def _of_controls(job: Job, options: Options, folder: FolderFacts) -> list[Refusal]:
    """Controls that are left out and all there is, or asked for and not on every plate."""
    said = []
    if options.controls == "left_out":
        kinds = site_columns([s for s in folder.sites if s.labels is not None])["well_type"]
        if kinds.is_in([POSITIVE, NEGATIVE]).fill_null(value=False).all():
            setting = f"{job.name}.controls="
            said.append(
                Refusal(
                    f"Step {job.name!r} leaves control wells out, and all "
                    f"{counted(len(kinds), 'labelled fields')} lie in such wells.",
                    f"Label treated wells too, or give --set {setting} to learn controls.",
                    "only_controls",
                    (setting,),
                )
            )
    if options.normalise == "controls":
        setting = f"{job.name}.normalise=plate"
        said += refused_without_controls(
            folder.sites, PLATE, step=job.name, cure=f"give --set {setting}.", settings=(setting,)
        )
    if split_spec(options.task)[1].get("control"):
        setting = f"{job.name}.task.control=0"
        labelled = [site for site in folder.sites if site.labels is not None]
        cure = f"give --set {setting}."
        said += refused_without_controls(
            labelled, EXPERIMENT, step=job.name, cure=cure, settings=(setting,)
        )
    return said


def _of_covariate(job: Job, options: Options, folder: FolderFacts) -> list[Refusal]:
    """A column that networks are to be told of, and that no field has a value in."""
    column = options.covariate.removeprefix("Metadata_")
    if not column or any(site.metadata.get(column) for site in folder.sites):
        return []
    there = sorted({name for site in folder.sites for name in site.metadata})
    setting = f"{job.name}.covariate="
    return [
        Refusal(
            f"Step {job.name!r} tells its networks {options.covariate}, and no field has a value "
            f"there (there is {', '.join(there) or 'no metadata'}).",
            f"Give the column {column} in the labels file, or give --set {setting}.",
            "no_covariate",
            (setting,),
        )
    ]


def _of_judges(job: Job, options: Options, folder: FolderFacts) -> list[Refusal]:
    """Experiments that are to judge epochs, and none of which is there."""
    if not isinstance(options.validate_on, list) or not options.validate_on:
        return []
    labelled = [site for site in folder.sites if site.labels is not None]
    names = set(site_columns(labelled)[EXPERIMENT].drop_nulls())
    if present(options.validate_on, names):
        return []
    there = ", ".join(sorted(names)[:_SHOWN]) + ", ..." * (len(names) > _SHOWN)
    setting = f"{job.name}.validate_on"
    return [
        Refusal(
            f"Step {job.name!r} judges its epochs on {', '.join(options.validate_on)}, and the "
            f"labelled fields lie in {there or 'no experiment that is named'}.",
            f"Name some of these: --set {setting}=[...], or give --set {setting}=[] to judge none.",
            "validate_on",
            (f"{setting}=[]",),
        )
    ]


def _fields_on_disk(job: Job, options: Options, folder: FolderFacts) -> tuple[dict[str, int], int]:
    """Bytes of whole fields that are kept, by what is shared, and of those freed with the step."""
    name, own = split_spec(options.task)
    needs = Registry("task", SHELVES["task"]).page(name).needs
    if not {"fields", "tiles"} & set(needs):
        return {}, 0
    side = int(own.get("size", _SIDES.get(name, 256)))
    labelled = sum(site.labels is not None for site in folder.sites)
    numbers = labelled * len(folder.channels) * side**2
    if not options.cache:
        return {}, numbers * _HALF_PRECISION
    return {f"fields {side} {options.cache}": numbers * np.dtype(options.cache).itemsize}, 0


def _models_on_disk(job: Job, options: Options, folder: FolderFacts) -> tuple[dict[str, int], int]:
    """Bytes of the models that a step keeps, and of checkpoints while one of them is learned."""
    if options.learner or split_spec(options.task)[0] == "vectors" or folder.classes is None:
        return {}, 0
    from cellwise.parts.nets import weight_bytes

    channels, classes = len(folder.channels), len(folder.classes.positive)
    one = weight_bytes(options.net, channels, classes)
    models = len(options.folds) or max(folder.folds, 1)
    if options.per:
        column = options.per.removeprefix("Metadata_")
        models *= max(len({site.metadata.get(column) for site in folder.sites} - {None}), 1)
    return {f"models of {job.name}": models * one}, _CHECKPOINTS * one
