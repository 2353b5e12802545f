"""What is said and refused once a folder is understood and before any work, for all commands.

Each step of a recipe may foresee something (`foresee` of its `step.py`, see `domain.steps`);
`check` shows what all of them say, `run` and `predict` say it and end where something is refused.
"""

from collections.abc import Iterable
from typing import Any

from cellwise.domain.channels import Channel
from cellwise.domain.classes import ClassList
from cellwise.domain.foresight import ClassCount, FolderFacts, Foresight, Refusal
from cellwise.domain.tables import SITES
from cellwise.errors import PreflightError
from cellwise.flow.pipeline.state import Request, State, log_name
from cellwise.flow.recipe.kinds import step_module
from cellwise.flow.recipe.resolve import Step
from cellwise.store.run.sites import sites_of
from cellwise.store.run.tables import read_table


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
    """All that these steps say of a folder, each sentence once, in the order of the steps."""
    refusals: dict[str, Refusal] = {}
    warnings: dict[str, None] = {}
    classes: tuple[ClassCount, ...] = ()
    roles = {channel.role for channel in folder.channels}
    for step in steps:
        if not set(step.needs) <= roles:
            # It is passed over.
            continue
        ask = getattr(step_module(step.kind), "foresee", None)
        if ask is None or (request.fitted and step.spec.fits):
            continue
        said: Foresight = ask(request.job(step, ""), folder)
        refusals |= {str(refusal): refusal for refusal in said.refusals if str(refusal)}
        warnings |= dict.fromkeys(said.warnings)
        classes = classes or said.classes
    return Foresight(tuple(refusals.values()), tuple(warnings), classes)


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
    for warning in said.warnings:
        state.listener.message(warning)
