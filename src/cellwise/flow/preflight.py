"""What is refused once a folder is understood and before any work: one place for all commands.

Each step of a recipe may refuse (`refusals` of its `step.py`, see `domain.steps`); `check` shows
what all of them say, `run` and `predict` end with it.
"""

from collections.abc import Iterable
from typing import Any

from cellwise.domain.channels import Channel
from cellwise.domain.classes import ClassList
from cellwise.domain.refusals import FolderFacts, Refusal
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


def find_refusals(request: Request, folder: FolderFacts, steps: Iterable[Step]) -> list[Refusal]:
    """All that these steps refuse of a folder, each sentence once, in the order of the steps."""
    found: dict[str, Refusal] = {}
    for step in steps:
        refusals = getattr(step_module(step.kind), "refusals", None)
        if refusals is not None and not (request.fitted and step.spec.fits):
            for refusal in refusals(request.job(step, ""), folder):
                found.setdefault(str(refusal), refusal)
    return list(found.values())


def check_before_work(state: State) -> None:
    """Refuse to segment a whole folder for steps that then have nothing to work on.

    Steps that this run has done before have shown that they can work.

    Raises:
        PreflightError: Holds all reasons and remedies.
    """
    request = state.request
    steps = [step for step in request.recipe.steps if not state.log(log_name(step)).latest]
    if not any(hasattr(step_module(step.kind), "refusals") for step in steps):
        return
    refuse(find_refusals(request, facts_of_run(state), steps))


def refuse(found: Iterable[Refusal]) -> None:
    """End with these refusals, if there are any.

    Raises:
        PreflightError: Holds all of them.
    """
    sentences = [str(refusal) for refusal in found]
    if sentences:
        raise PreflightError("\n".join(sentences))
