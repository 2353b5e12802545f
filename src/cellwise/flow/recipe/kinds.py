"""Kinds of steps by name: the stages of cellwise, and those that other packages add."""

import importlib
import importlib.util
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from cellwise.domain.specs import StepSpec
from cellwise.errors import BadOption, BrokenContract, UnknownName
from cellwise.flow.recipe.words import spoken
from cellwise.registry import NO_DEFAULT, Option, did_you_mean, offered

GROUP = "cellwise.stages"


def kinds() -> list[str]:
    """All kinds of steps, sorted; nothing is imported."""
    return sorted({*_own(), *_foreign()})


def spec_of(kind: str) -> StepSpec:
    """What a kind of step declares.

    Raises:
        UnknownName: No such kind; the message names the nearest.
        BadOption: The package that offers it declares no `SPEC`, or a name that is taken.
        BrokenContract: A package offers it that cannot be found.
    """
    module = _module(kind, "spec")
    spec = getattr(module, "SPEC", None)
    if not isinstance(spec, StepSpec):
        raise BadOption(f"{module.__name__} holds no SPEC of a step (kind {kind!r}).")
    return spec


def step_module(kind: str) -> Any:
    """The module that does the work of a kind of step; see `domain.steps` for its functions.

    Raises:
        BrokenContract: A package offers it that has no such module.
    """
    return _module(kind, "step")


def _module(kind: str, file: str) -> Any:
    name = f"{package_of(kind)}.{file}"
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        rule = "its entry point names a package with spec.py and step.py"
        raise BrokenContract(f"step {kind!r}", rule, f"{name!r}: {error}") from error


def package_of(kind: str) -> str:
    """The package of a kind of step.

    Raises:
        UnknownName: No such kind.
        BadOption: Another package offers a kind of step that is already there.
    """
    foreign = _foreign()
    if kind in _own():
        return f"{GROUP}.{kind}"
    if kind in foreign:
        return foreign[kind]
    known = kinds()
    raise UnknownName(
        f"No step is of kind {kind!r}.{did_you_mean(kind, known)} There is: {', '.join(known)}."
    )


def writers_of(noun: str) -> list[str]:
    """The kinds of steps that write a noun."""
    return [kind for kind in kinds() if noun in {one.name for one in spec_of(kind).writes}]


@dataclass(frozen=True, slots=True)
class OptionPage:
    """What documents show of one option of a step."""

    option: Option
    doc: str


def option_pages(spec: StepSpec) -> list[OptionPage]:
    """The options of a step in order, with defaults as written in a recipe."""
    found = []
    for name, field in spec.options.model_fields.items():
        kind = str(field.annotation).replace("typing.", "")
        shown = field.annotation.__name__ if isinstance(field.annotation, type) else kind
        written = {field.alias or name: None if field.is_required() else plain(field.default)}
        ((word, value),) = spoken(spec, written).items()
        option = Option(word, shown, NO_DEFAULT if field.is_required() else repr(value))
        found.append(OptionPage(option, " ".join((field.description or "").split())))
    return found


def defaults(spec: StepSpec) -> dict[str, Any]:
    """Every option that has a default, with it, as a recipe would write it."""
    return {
        field.alias or name: plain(field.default)
        for name, field in spec.options.model_fields.items()
        if not field.is_required()
    }


def plain(value: Any) -> Any:
    """A default as YAML has it; a list of its own, which may be changed."""
    return list(value) if isinstance(value, list | tuple) else value


@cache
def _own() -> frozenset[str]:
    folder = importlib.util.find_spec(GROUP)
    places = (folder.submodule_search_locations if folder else None) or ()
    return frozenset(p.parent.name for place in places for p in Path(place).glob("*/spec.py"))


def _foreign() -> dict[str, str]:
    found: dict[str, str] = {}
    for point in offered(GROUP):
        # The same package may be found in two places of the path.
        if point.name in _own() or found.get(point.name, point.value) != point.value:
            raise BadOption(
                f"A package offers a step of kind {point.name!r}, a name already taken."
            )
        found[point.name] = point.value
    return found
