"""One model of a train step: what it learns from, its training, its bundle."""

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import torch

from cellwise.contracts.augmentation import Panel
from cellwise.domain.screens.groups import class_numbers, plate_groups
from cellwise.domain.screens.wells import wells_table
from cellwise.domain.steps import Job, Report
from cellwise.errors import BadOption
from cellwise.learning.fit import fit
from cellwise.learning.labelled import make_lesson
from cellwise.learning.material import Material
from cellwise.learning.plan import Place
from cellwise.learning.ranks import Ranks
from cellwise.parts.nets import begin_classifier, nets
from cellwise.parts.sites.covariates import covariates_of
from cellwise.parts.tasks import tasks
from cellwise.registry import did_you_mean
from cellwise.stages.train._bundle import begin, make_card
from cellwise.stages.train._empty import nothing_left
from cellwise.stages.train._levels import SiteLevels, Sources
from cellwise.stages.train._plan import (
    judging_sites,
    make_plan,
    total_batches,
    validation_sites,
)
from cellwise.stages.train._repeats import repeated
from cellwise.stages.train._sites import check_teachers
from cellwise.stages.train._sources import Choice, Collection, collect
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.models import write_model

_SAMPLE = 1024


def collected(job: Job, options: Any) -> Collection:
    """All items that the options say to learn from, whatever their fold."""
    choice = Choice(options.channels, tuple(options.without))
    return collect(
        job,
        tasks.build(options.task),
        labels=options.labels,
        choice=choice,
        embeddings=options.embeddings,
        may_miss=bool(options.learner) or options.normalise == "filled",
        cache=options.cache,
        controls=options.controls != "left_out",
        unlabelled=options.unlabelled,
        pseudo_labels=options.pseudo_labels,
    )


def parts_of(options: Any, found: Collection, fold: int | None) -> list[str]:
    """The values that have a model of their own without this fold; one empty text for none.

    Raises:
        BadOption: There is no such column.
    """
    if not options.per:
        return [""]
    inside = pl.Series(np.ones(len(found.sites), bool) if fold is None else found.fold != fold)
    known = column_of(options.per, found).filter(inside).drop_nulls()
    return sorted(value for value in known.unique().to_list() if value)


def column_of(name: str, found: Collection, what: str = "make models for") -> pl.Series:
    """The value of each site in a column, by which models are made or which they are told.

    Raises:
        BadOption: There is no such column.
    """
    if name not in found.facts.columns:
        there = [name for name in found.facts.columns if name.startswith("Metadata_")]
        raise BadOption(
            f"train: no column {name!r} to {what}.{did_you_mean(name, there)} "
            f"There is: {', '.join(there) or 'none'}."
        )
    column: pl.Series = found.facts[name].cast(pl.String)
    return column


def told(options: Any, found: Collection, material: Material) -> tuple[Material, dict[str, Any]]:
    """The material with the covariates of its items, and what the model's card says of them.

    The values are those of all sites that may be learned from, so that models of several folds and
    parts are alike.

    Raises:
        BadOption: There is no such column, or it is empty.
    """
    if not options.covariate:
        return material, {}
    column = column_of(options.covariate, found, "tell a network")
    values = sorted(value for value in column.unique().drop_nulls().to_list() if value)
    if not values:
        raise BadOption(f"train: the column {options.covariate!r} is empty: nothing to tell.")
    covariate = {"column": options.covariate, "values": values}
    rows = covariates_of(column.to_list(), covariate)
    return replace(material, covariates=rows[material.pool.site]), covariate


def train_beside(job: Job, options: Any, fold: int | None, part: str, report: Report) -> None:
    """One of several processes that train the same model, see `learning.ranks`."""
    found = collected(job, options)
    train_model(job, options, found=found, fold=fold, report=report, part=part)


def train_model(
    job: Job, options: Any, *, found: Collection, fold: int | None, report: Report, part: str = ""
) -> None:
    """Train the model that leaves `fold` out, None for the one of all, and write its bundle.

    Of several processes that share the training all call this, and the first one writes. With a
    `part` it learns from the sites that have this value only.

    Raises:
        PreflightError: Without the fold there is nothing to learn from.
        BadOption: A setting does not fit the data, or the loss diverged.
    """
    run = RunFolder(job.run)
    site = found.material.pool.site
    inside = np.ones(len(site), bool) if fold is None else found.fold[site] != fold
    if part:
        inside &= (column_of(options.per, found) == part).fill_null(value=False).to_numpy()[site]
    validation = validation_of(job, options, found, fold)
    material = found.material.leaving_out(fold)
    if options.unlabelled:
        inside &= material.labelled()
    taught = inside & ~validation[site]
    if not taught.any():
        raise nothing_left(fold, site)
    named = options.sources
    sources = Sources.of(run, named, found, taught, options.constants) if named else None
    if sources is not None:
        material = sources.levelled(material)
    material, covariate = told(options, found, material)
    levels = SiteLevels.of(run, options.levels, found, taught) if options.levels else None
    if levels is not None:
        material = levels.levelled(material)
    learned = material.part(taught)
    panel = Panel(tuple(found.channels), tuple(found.classes.positive), fold)
    if options.repeat:
        learned = repeated(learned, panel.classes, options.repeat, above=options.repeat_above)
    plan, method = make_plan(
        job, options, material=learned, panel=panel, fold=fold, sample=_SAMPLE,
        groups=groups_of(found),
    )  # fmt: skip
    net = _fresh_net(options, found, plan.seed, covariate)
    if options.start:
        begin(net, run.model(options.start, fold), found=found, part=part)
    lesson = make_lesson(
        learned,
        method,
        plan,
        validation=material.part(judging) if (judging := inside & validation[site]).any() else None,
    )
    total = total_batches(plan, lesson)
    name = run.model(job.name, fold, part).name
    trained = fit(
        net,
        lesson,
        plan,
        Place(
            run.temporary / f"{job.name}-{job.key}" / name,
            lambda done, note: report(done, total, note),
        ),
    )
    if Ranks.here().rank:
        return
    card = make_card(
        job, options, found=found, fold=fold, plan=plan, method=method, material=learned,
        trained=trained, sources=sources, levels=levels, part=part, covariate=covariate,
    )  # fmt: skip
    beside = {name: weights for name, (_, weights) in trained.best_of.items()}
    write_model(run.model(job.name, fold, part), trained.weights, card, beside)


def _fresh_net(
    options: Any, found: Collection, seed: int, covariate: dict[str, Any]
) -> torch.nn.Module:
    """The network as it begins, where no earlier step is named."""
    known = {"covariates": len(covariate["values"])} if covariate else {}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        make = nets.build(options.net)
        net: torch.nn.Module = make(found.inputs, len(found.classes.positive), **known)
        if options.classifier:
            begin_classifier(net, options.net, options.classifier, found.classes.positive)
    return net


def groups_of(found: Collection) -> list[int]:
    """The group of treatments that each class belongs to; empty where plates carry no groups."""
    # Groups are what people know of plates, not what models answer.
    groups = plate_groups(wells_table(found.facts.filter(~pl.Series(found.free))))
    return class_numbers(groups, found.classes.positive) if groups.is_partition else []


def validation_of(
    job: Job, options: Any, found: Collection, fold: int | None
) -> npt.NDArray[np.bool_]:
    """`[site]`: which of them judge epochs and are not learned from.

    Raises:
        BadOption: There are none of those that are wished.
        PreflightError: Pseudo-labels come from models that have learned from the fold.
    """
    if options.pseudo_labels:
        check_teachers(found.facts, fold, options.pseudo_labels)
    if options.validate_on:
        return judging_sites(found, fold, options.validate_on)
    return validation_sites(found, fold, options.validate_, job.seed)
