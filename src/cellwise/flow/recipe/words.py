"""Words of recipes that have a better one by now: both are taken, and runs record the old one.

So a finished run has the same keys whichever word its recipe uses.
"""

from collections.abc import Mapping
from typing import Any

from cellwise.domain.specs import StepSpec
from cellwise.errors import BadOption


def recorded(spec: StepSpec, options: Mapping[str, Any]) -> dict[str, Any]:
    """Options of a step as runs record them.

    Raises:
        BadOption: One option stands there under both of its names.
    """
    found = dict(options)
    for one in spec.renamed:
        if not one.old and one.new in found:
            if one.option in found:
                raise BadOption(f"{one.option!r} and {one.new!r} are one option; give one of them.")
            found = {one.option if key == one.new else key: found[key] for key in found}
        elif one.old and found.get(one.option) == one.new:
            found[one.option] = one.old
    return found


def spoken(spec: StepSpec, options: Mapping[str, Any]) -> dict[str, Any]:
    """Recorded options in the words of today."""
    found = dict(options)
    for one in spec.renamed:
        if one.old and found.get(one.option) == one.old:
            found[one.option] = one.new
        elif not one.old and one.option in found:
            found = {one.new if key == one.option else key: found[key] for key in found}
    return found


def notices(spec: StepSpec, kind: str, options: Mapping[str, Any]) -> list[str]:
    """A line for each old word among options as somebody wrote them."""
    return [
        f"{kind}: {one.old or one.option!s} is called {one.new} by now; the old word is taken too."
        for one in spec.renamed
        if one.option in options and (not one.old or options[one.option] == one.old)
    ]


def part_name(what: str, spec: StepSpec, name: Any) -> str:
    """The part that a step is.

    Args:
        what: The step, for messages.
        spec: What the step declares.
        name: What its option `name` holds.

    Raises:
        BadOption: It is written as a mapping, as parts that are one option of a step are.
    """
    if not isinstance(name, dict):
        return str(name)
    word = next(iter(spoken(spec, {"name": name})))
    beside = ", ".join(f"{word if option == 'name' else option}: {v}" for option, v in name.items())
    raise BadOption(
        f"{what}: {word!r} is the name alone; options of the part are options of the step: "
        f"{{{beside}}}, and each of them a --set of its own."
    )
