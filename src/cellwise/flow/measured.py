"""Options that a recipe leaves to the images (`auto`): settled once, before a run begins.

What was settled stands in `run.json`, so that a run goes on with it and `predict` takes it too.
"""

from dataclasses import replace
from typing import Any

from cellwise.domain.nouns import MASKS
from cellwise.domain.steps import Report
from cellwise.flow.looks import Look, look_at
from cellwise.flow.pipeline.state import Request
from cellwise.flow.preflight import facts_of_reading, foresee
from cellwise.flow.recipe.kinds import step_module
from cellwise.flow.recipe.references import writer
from cellwise.flow.recipe.resolve import Recipe, Step

AUTO = "auto"


def is_open(step: Step) -> bool:
    """Whether an option of this step waits for a look at the images."""
    return any(step.options.get(option) == AUTO for option in step.spec.measured)


def settled(request: Request, reading: Any, *, report: Report | None = None) -> Request:
    """The request with every such option settled; the recipe's notices say how.

    Where the folder will be refused nothing is looked at.

    Args:
        request: Of a run that has done nothing yet.
        reading: The folder as it was read.
        report: Called before each field that is looked at.
    """
    steps = request.recipe.steps
    if not any(map(is_open, steps)):
        return request
    refused = foresee(request, facts_of_reading(reading), steps).refusals
    known = reading.usable and not refused
    look = Look()
    if known:
        look = look_at(request, list(reading.usable), writer(MASKS, steps), report=report)
    return replace(request, recipe=with_look(request.recipe, look))


def with_look(recipe: Recipe, look: Look) -> Recipe:
    """The recipe with what it leaves to the images settled from a look at some of them."""
    notices = list(recipe.notices)
    steps = []
    for step in recipe.steps:
        if is_open(step):
            found, said = step_module(step.kind).measure(step.options, look.sides)
            step = replace(step, options={**step.options, **found})
            notices.append(f"{step.title}: {said}")
        steps.append(step)
    return replace(recipe, steps=tuple(steps), notices=tuple(notices))
