"""What is said and refused once a folder is understood and before any work, for all commands.

Each step of a recipe may foresee something (`foresee` of its `step.py`, see `domain.steps`);
`check` shows what all of them say, `run` and `predict` say it and end where something is refused.
"""

import shutil
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from cellwise.domain.channels import Channel
from cellwise.domain.classes import ClassList
from cellwise.domain.foresight import ClassCount, FolderFacts, Foresight, Refusal
from cellwise.domain.plain_words import problems_said
from cellwise.domain.tables import SITES
from cellwise.errors import InputError, PreflightError
from cellwise.flow.pipeline.state import Request, State, log_name
from cellwise.flow.recipe.kinds import step_module
from cellwise.flow.recipe.resolve import Step
from cellwise.store.run.sites import sites_of
from cellwise.store.run.tables import read_table

# Below these nothing is said.
_MUCH, _MUCH_A_CELL = 10**9, 200_000
_NAMED = 3


def facts_of_reading(reading: Any) -> FolderFacts:
    """What steps are shown of a folder that was just read, a `stages.read` reading."""
    return FolderFacts(
        reading.usable, tuple(reading.channels), reading.classes, reading.labels_file
    )


def facts_of_run(state: State) -> FolderFacts:
    """The same from the tables of a run whose folder was read before."""
    reading = state.reading()
    listed = reading.get("classes")
    usable = read_table(state.run.sites, SITES)
    return FolderFacts(
        tuple(sites_of(usable.filter(usable["status"] == "ok"))),
        tuple(Channel(c["name"], c["role"]) for c in reading.get("channels", [])),
        None if listed is None else ClassList(tuple(listed["names"]), listed["negative"]),
        str(reading.get("labels_file") or ""),
    )


def foresee(request: Request, folder: FolderFacts, steps: Iterable[Step]) -> Foresight:
    """All that these steps say of a folder, each sentence once, in the order of the steps.

    What one step will set aside is not there for those after it.
    """
    refusals: dict[str, Refusal] = {}
    warnings: dict[str, None] = {}
    classes: tuple[ClassCount, ...] = ()
    kept: dict[str, int] = {}
    aside: dict[str, InputError] = {}
    passing = per_cell = 0
    roles, steps = {channel.role for channel in folder.channels}, tuple(steps)
    for step in steps:
        if not set(step.needs) <= roles:
            # It is passed over.
            continue
        ask = getattr(step_module(step.kind), "foresee", None)
        if ask is None or (request.fitted and step.spec.fits):
            continue
        said: Foresight = ask(request.job(step, ""), folder)
        if said.folds:
            folder = replace(folder, groups=said.groups, folds=said.folds)
        if said.aside:
            aside |= {error.path: error for error in said.aside}
            left = tuple(site for site in folder.sites if site.id not in aside)
            folder = replace(folder, sites=left)
        kept |= said.kept
        # Freed by one step before the next one begins.
        passing = max(passing, said.passing)
        per_cell += said.per_cell
        refusals |= {str(refusal): refusal for refusal in said.refusals if str(refusal)}
        warnings |= dict.fromkeys(said.warnings)
        classes = classes or said.classes
    if absent := wanted_from_outside(request, steps):
        names = ", ".join(absent)
        warnings[f"Not on this machine, and fetched before any work: {names}."] = None
    found = Foresight(
        tuple(refusals.values()), tuple(warnings), classes, kept=kept, passing=passing,
        per_cell=per_cell, aside=tuple(aside.values()),
    )  # fmt: skip
    return _with_disk(found, request)


def _with_disk(said: Foresight, request: Request) -> Foresight:
    """With what the disk has to hold: a refusal where it cannot, a warning where it is much."""
    place = next(p for p in (request.out, *request.out.absolute().parents) if p.exists())
    free = shutil.disk_usage(place).free
    if said.disk > free:
        reason = (
            f"The steps of this recipe keep {_size(said.disk)} of fields and models on disk, and "
            f"{_size(free)} are free in {place}."
        )
        cure = "Choose an --out with more space, or keep fields coarser: --set TRAIN.cache=uint8."
        return replace(said, refusals=(*said.refusals, Refusal(reason, cure, "disk")))
    if said.disk < _MUCH and said.per_cell < _MUCH_A_CELL:
        return said
    parts = [f"{_size(said.disk)} for fields and models"] if said.disk >= _MUCH else []
    parts += [f"{said.per_cell / 1e6:.1f} MB for each cell"] if said.per_cell else []
    warning = f"This recipe keeps {' and '.join(parts)} on disk ({_size(free)} free)."
    return replace(said, warnings=(*said.warnings, warning))


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB"


def wanted_from_outside(request: Request, steps: Iterable[Step]) -> dict[str, Step]:
    """What these steps need and this machine lacks, in words, and one step that needs it."""
    wanted: dict[str, Step] = {}
    for step in steps:
        ask = getattr(step_module(step.kind), "missing", None)
        if ask is not None and not (request.fitted and step.spec.fits):
            for name in ask(step.options):
                wanted.setdefault(name, step)
    return wanted


def fetch_before_work(request: Request, steps: Iterable[Step]) -> None:
    """Let steps bring what they need from outside, before any hour of work is lost for it.

    Raises:
        PreflightError: Something could not be had; names all that is needed.
    """
    wanted = wanted_from_outside(request, steps)
    for name, step in wanted.items():
        try:
            step_module(step.kind).fetch(step.options)
        except PreflightError as error:
            others = [other for other in wanted if other != name]
            also = f" Also needed: {', '.join(others)}." if others else ""
            raise PreflightError(f"Step {step.title!r}: {error}{also}") from error


def _aside_said(aside: tuple[InputError, ...]) -> list[str]:
    """One sentence on the fields that will be set aside, with the first of them."""
    if not aside:
        return []
    names = ", ".join(error.path for error in aside[:_NAMED]) + "..." * (len(aside) > _NAMED)
    kinds = ", ".join(problems_said(error.code for error in aside))
    return [f"Will be set aside: {kinds} ({names}). {aside[0].remedy}"]


def check_before_work(state: State) -> None:
    """Refuse to segment a whole folder for steps that then have nothing to work on.

    Steps that this run has begun before have shown that they can work. Warnings are told.

    Raises:
        PreflightError: Holds all reasons and remedies.
    """
    request = state.request
    steps = [step for step in request.recipe.steps if not state.log(log_name(step)).latest]
    if not any(hasattr(step_module(step.kind), "foresee") for step in steps):
        return
    said = foresee(request, facts_of_run(state), steps)
    if said.refusals:
        raise PreflightError("\n".join(map(str, said.refusals)))
    for warning in (*_aside_said(said.aside), *said.warnings):
        state.listener.message(warning)
    fetch_before_work(request, steps)
