"""Whether the files that a step promises are there."""

from typing import Any

from cellwise.flow.pipeline.state import State
from cellwise.flow.recipe.kinds import step_module
from cellwise.flow.recipe.references import place_of
from cellwise.flow.recipe.resolve import Step


def outputs_there(step: Step, *, state: State, counts: dict[str, Any]) -> bool:
    """Whether all that the step writes is there; `counts` is what it recorded.

    Where a finished run is applied, what is learned lies in that one. What each site has of its own
    is looked for site by site.
    """
    for noun in step.spec.writes:
        if (noun.learned and state.request.fitted) or _of_sites_only(noun.place):
            continue
        place = place_of(noun, step)
        there = any(state.run.path.glob(place))
        if not there:
            return False
    whole = getattr(step_module(step.kind), "whole", None)
    return whole is None or bool(whole(state.request.job(step, ""), counts))


def step_facts(
    step: Step, *, key: str, seconds: float, counts: dict[str, Any], state: str
) -> dict[str, Any]:
    """What `run.json` says of a step."""
    return {
        "name": step.name,
        "kind": step.kind,
        "version": step.spec.version,
        "key": key,
        "seconds": round(seconds, 3),
        "counts": counts,
        "state": state,
    }


def _of_sites_only(place: str) -> bool:
    """Whether a noun is a folder with files of each site, which may also be none."""
    return "." not in place
