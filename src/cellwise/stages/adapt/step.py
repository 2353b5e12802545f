"""Adapt: trained networks take the statistics of the plates or experiments they will judge.

Reads sites, folds, models and images; writes `adapted/<step>.safetensors`, which the step `score`
takes by its option `adapted`. No label is looked at. Which sites go through the networks together
follows from their names, so that the statistics depend on which sites a group has and on nothing
else; once they are taken they are frozen, and an answer does not depend on its company.
"""

import hashlib
from typing import TYPE_CHECKING, Any

import polars as pl

from cellwise.domain.foresight import FolderFacts, Foresight
from cellwise.domain.screens.needs import refused_without, refused_without_controls
from cellwise.domain.screens.wells import NEGATIVE, POSITIVE, well_types
from cellwise.domain.steps import Job, Report
from cellwise.domain.units import places
from cellwise.errors import BadOption, PreflightError
from cellwise.stages.adapt.spec import Options
from cellwise.store.run.adapted import write_adapted
from cellwise.store.run.folder import RunFolder, model_place
from cellwise.store.run.reader import RunReader
from cellwise.store.run.sites import read_sites

if TYPE_CHECKING:
    from cellwise.domain.trial import Trial
    from cellwise.parts.panel import Model, Panel

# The fold of a site, and its value in the column by which there are models of their own.
Kind = tuple[int | None, str | None]
_SHOWN = 3


def work(job: Job, report: Report) -> dict[str, Any]:
    """Write the statistics; returns counts.

    Raises:
        PreflightError: No site lies in such a group, or one has no control wells where these are
            asked for.
        BadOption: The models are none of tiles, or have no batch normalisation.
    """
    from cellwise.parts.panel import load_panel, steady
    from cellwise.parts.whole_sites import adapt_to, site_loader

    options, run = Options.of(job.options), RunFolder(job.run)
    panel = load_panel(RunFolder(job.fitted or job.run), options.model, job.device)
    _check_models(panel, options)
    reader = RunReader(run)
    groups, asked = _groups(reader, options, panel.column, fitted=job.fitted is not None)
    sites = {site.id: site for site in read_sites(run.sites)}
    load = site_loader(job, list(sites.values()), panel.card)
    found, looked = {}, 0
    with steady(options.threads):
        for done, (group, names) in enumerate(sorted(groups.items())):
            report(done, len(groups), group)
            own = [sites[name] for name in names]
            for model in _asked(panel, asked[group]):
                found[group, model_name(model)] = adapt_to(model, own, load, batch=options.batch)
            looked += len(own)
    write_adapted(run.adapted(job.name), found, by=options.by)
    report(len(groups), len(groups), "done")
    return {f"{options.by}s": len(groups), "sites": looked, "models": len(panel.models)}


def foresee(job: Job, folder: FolderFacts) -> Foresight:
    """Refuse a folder that names no plates or experiments, or lacks controls that are asked for."""
    options = Options.of(job.options)
    said = refused_without(folder.sites, options.by, step=job.name, cure="or leave the step out.")
    if not said and options.on == "controls":
        setting = f"{job.name}.on=all"
        said = refused_without_controls(
            folder.sites, options.by, step=job.name, cure=f"give --set {setting}.",
            settings=(setting,),
        )  # fmt: skip
    return Foresight(said)


def forecast(job: Job, trial: "Trial") -> float:
    """Seconds of one core: each field is looked at once; fewer are where `sites` bounds them."""
    from cellwise.parts.sites.tile_cost import seconds_per_site

    options = Options.of(job.options)
    took = seconds_per_site(trial, options.model, device=job.device, threads=options.threads)
    return trial.sites * (trial.decode + took) if took else 0.0


def model_name(model: "Model") -> str:
    """What a model is called in the file."""
    return model_place(model.card.fold, model.card.part.get("value", ""))


def _check_models(panel: "Panel", options: Options) -> None:
    from cellwise.parts.adapted_norm import layers_of

    if "tile" not in panel.card.crop:
        raise BadOption(
            f"adapt: model {options.model!r} does not learn tiles of whole sites (task tile)."
        )
    if not layers_of(panel.models[0].network.net):
        raise BadOption(
            f"adapt: the network of {options.model!r} has no batch normalisation to adapt. Leave "
            "the step out, or train a backbone that has it, such as efficientnet_b0."
        )


def _groups(
    reader: RunReader, options: Options, column: str, *, fitted: bool
) -> tuple[dict[str, list[str]], dict[str, set[Kind]]]:
    """Names of the sites of each group, in order; fold and value in `column` of all its sites."""
    table = reader.sites().filter(pl.col("status") == "ok")
    frame = table.select("site_id").with_columns(
        places(table)[options.by].alias("group"),
        kind=well_types(table),
        value=table[column] if column in table.columns else pl.lit(None, pl.String),
    )
    frame = frame.filter(pl.col("group").is_not_null()).sort("site_id")
    if frame.is_empty():
        raise PreflightError(
            f"adapt: no field names its {options.by}. Give it in the labels file (column "
            f"{options.by.capitalize()}), or leave the step out."
        )
    folds = dict(reader.folds().select("site_id", "fold").iter_rows()) if not fitted else {}
    asked: dict[str, set[Kind]] = {}
    for site, group, value in frame.select("site_id", "group", "value").iter_rows():
        asked.setdefault(group, set()).add((folds.get(site), value))
    chosen = frame
    if options.on == "controls":
        chosen = frame.filter(pl.col("kind").is_in([POSITIVE, NEGATIVE]))
        without = sorted(set(asked) - set(chosen["group"]))
        if without:
            some = ", ".join(without[:_SHOWN]) + ", ..." * (len(without) > _SHOWN)
            raise PreflightError(
                f"adapt: {len(without)} of {len(asked)} {options.by}s have no control wells "
                f"({some}). Name controls in a column WellType, or give --set adapt.on=all."
            )
    groups = {
        str(group): _mixed(rows["site_id"].to_list(), options.sites)
        for (group,), rows in chosen.group_by("group", maintain_order=True)
    }
    return groups, asked


def _mixed(names: list[str], most: int) -> list[str]:
    """At most so many of them (0 for all), in an order that says nothing of place or treatment."""
    mixed = sorted(names, key=lambda name: hashlib.sha256(name.encode()).digest())
    return mixed[:most] if most else mixed


def _asked(panel: "Panel", kinds: set[Kind]) -> list["Model"]:
    """The models that judge any site of these folds and values."""
    chosen = [
        model
        for fold, value in kinds
        if not panel.lacks(fold)
        for model in panel.choose(fold, value).models
    ]
    return [model for model in panel.models if any(model is one for one in chosen)]
