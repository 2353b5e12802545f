"""How many processor threads the steps of a new run take, where nobody says."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from cellwise.flow.recipe.resolve import Recipe, Step


def settle_threads(recipe: Recipe, earlier: Mapping[str, Any], free: int) -> Recipe:
    """The recipe with a number of threads in every step that has one.

    The number is part of a result, since sums in another order round differently: a run keeps to
    that which it began with, however busy the machine is when it goes on, and says it in `run.json`
    and in the cards of its models.

    Args:
        recipe: What was asked for. What it or the command line says of threads stays.
        earlier: The record of the run before; empty for a new folder.
        free: Threads that the machine has room for; of no effect above the default of a step.
    """
    begun = {
        (step["kind"], step["name"]): step["options"]
        for step in (earlier.get("recipe") or {}).get("steps", [])
    }

    def settled(step: Step) -> Step:
        option = step.spec.threads
        default = step.options.get(option)
        if default is None or step.origins.get(option) != "default":
            return step
        known = begun.get((step.kind, step.name), {}).get(option)
        options = {**step.options, option: known or max(1, min(default, free))}
        return replace(step, options=options, checked=step.spec.options.of(options))

    return replace(recipe, steps=tuple(settled(step) for step in recipe.steps))
