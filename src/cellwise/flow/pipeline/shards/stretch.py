"""Which steps shards can do one after the other, before the results of all sites are merged."""

from collections.abc import Sequence

from cellwise.domain.nouns import SET_ASIDE
from cellwise.domain.specs import Read
from cellwise.flow.recipe.references import named_steps, uses, writer
from cellwise.flow.recipe.resolve import Step


def stretches(steps: Sequence[Step]) -> list[list[Step]]:
    """All stretches of per-site steps of a recipe, in order."""
    found: list[list[Step]] = []
    taken = 0
    for place, step in enumerate(steps):
        if place >= taken and step.spec.grain == "site":
            found.append(stretch_from(step, steps))
            taken = place + len(found[-1])
    return found


def stretch_from(first: Step, steps: Sequence[Step]) -> list[Step]:
    """A per-site step, and those after it that need no table which is merged from results of all.

    Args:
        first: The step.
        steps: All steps of the recipe.
    """
    place = [step.title for step in steps].index(first.title)
    found = [first]
    for step in steps[place + 1 :]:
        if step.spec.grain != "site" or _needs_merged(step, found, steps):
            break
        found.append(step)
    return found


def _needs_merged(step: Step, stretch: Sequence[Step], steps: Sequence[Step]) -> bool:
    """Whether a step reads something of these that is whole only after the merge."""
    before = list(steps[: [other.title for other in steps].index(step.title)])
    titles = {other.title for other in stretch}
    for read in step.spec.reads:
        if not uses(step, read) or read.noun.loose:
            continue
        if read.noun == SET_ASIDE or titles & _writers(step, read, before):
            return True
    return False


def _writers(step: Step, read: Read, before: list[Step]) -> set[str]:
    names = [name for _, name in named_steps(step, read)] if read.by else [""]
    return {found.title for name in names if (found := writer(read.noun, before, name))}
