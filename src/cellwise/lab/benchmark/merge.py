"""Many recipes become one: steps that are the same are done once, whatever rows they belong to.

Each step is renamed by a digest of its kind, its options and the (new) names of the steps that it
builds on. So two rows share a training exactly when nothing that leads to it differs, and the
pipeline resumes and reports the whole as it does any run. What no decision needs is left out, as
are evaluation, export and report.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from cellwise.errors import BadOption
from cellwise.flow.recipe.references import references
from cellwise.flow.recipe.resolve import Recipe, Step

FRONT = ("read", "statistics", "segment", "cells", "split")
LEARNING = ("embed", "label", "train", "adapt", "score", "decide", "assign")
# What cells, and what wells, are decided by.
_DECISIONS = ("decide", "assign")


@dataclass(frozen=True, slots=True)
class Strand:
    """What became of one row: its decision, and all its learning steps, as `kind name`."""

    row: str
    decide: str
    steps: tuple[str, ...]

    @property
    def of_wells(self) -> bool:
        """Whether it decides on wells, not on cells."""
        return self.steps[-1].startswith("assign ")


@dataclass(frozen=True, slots=True)
class Merged:
    """Rows with the same cells and folds, as one recipe; `front` is a digest of those steps."""

    front: str
    recipe: Recipe
    strands: tuple[Strand, ...]


def merge(rows: Mapping[str, Recipe]) -> list[Merged]:
    """One recipe for every way of reading, segmenting, cropping and splitting among the rows.

    Raises:
        BadOption: A recipe that decides nothing.
    """
    groups: dict[str, dict[str, Recipe]] = {}
    for name, recipe in rows.items():
        groups.setdefault(_front(recipe), {})[name] = recipe
    return [_merged(front, recipes) for front, recipes in groups.items()]


def _front(recipe: Recipe) -> str:
    steps = [step for step in recipe.steps if step.kind in FRONT]
    return _digest([[step.kind, step.name, step.options, step.needs] for step in steps])


def _merged(front: str, rows: Mapping[str, Recipe]) -> Merged:
    first = next(iter(rows.values()))
    steps = [step for step in first.steps if step.kind in FRONT]
    seen: set[str] = set()
    strands = []
    for name, recipe in rows.items():
        own = renamed(needed_steps(name, recipe))
        for step in own:
            if title(step) not in seen:
                seen.add(title(step))
                steps.append(step)
        strands.append(Strand(name, own[-1].name, tuple(title(step) for step in own)))
    return Merged(front, Recipe("ladder", "", tuple(steps)), tuple(strands))


def title(step: Step) -> str:
    """Kind and name: two kinds may use one name."""
    return f"{step.kind} {step.name}"


def needed_steps(row: str, recipe: Recipe) -> list[Step]:
    """The learning steps that lead to the recipe's decision, in order; the decision is the last.

    Raises:
        BadOption: The recipe decides nothing.
    """
    of_kinds = [recipe.of_kind(kind) for kind in _DECISIONS]
    decisions = next((found for found in of_kinds if found), None)
    if not decisions:
        raise BadOption(
            f"Row {row!r}: the recipe {recipe.name!r} has no decide or assign step to compare."
        )
    main = next((step for step in decisions if step.name == step.kind), decisions[0])
    wanted = {(main.kind, main.name)}
    chosen: list[Step] = []
    for step in reversed(recipe.steps):
        if step.kind in LEARNING and (step.kind, step.name) in wanted:
            chosen.append(step)
            wanted |= set(built_on(step))
    return [*(step for step in reversed(chosen) if step is not main), main]


def built_on(step: Step) -> list[tuple[str, str]]:
    """Kind and name of the earlier steps that a step names, in every kind that may be meant."""
    found = []
    for option, kinds in references(step.kind).items():
        named = _names(step.options.get(option))
        found += [(kind, name) for name in named for kind in kinds]
    return found


def renamed(steps: list[Step]) -> list[Step]:
    """The steps under names that say all that leads to them."""
    names: dict[tuple[str, str], str] = {}
    result = []
    for step in steps:
        options = dict(step.options)
        for option, kinds in references(step.kind).items():
            if option in options:
                options[option] = _translated(options[option], kinds, names)
        name = f"{step.kind}-{_digest([step.kind, options, step.needs])}"
        names[step.kind, step.name] = name
        checked = step.spec.options.of(options)
        result.append(replace(step, name=name, options=options, origins={}, checked=checked))
    return result


def _names(value: Any) -> list[str]:
    if not value:
        return []
    return [value] if isinstance(value, str) else [str(name) for name in value]


def _translated(value: Any, kinds: Sequence[str], names: Mapping[tuple[str, str], str]) -> Any:
    """The new names of the steps; of the kinds that write the like each is of one."""
    if not value:
        return value

    def new(name: str) -> str:
        return next(names[kind, name] for kind in kinds if (kind, name) in names)

    return new(value) if isinstance(value, str) else [new(str(name)) for name in value]


def _digest(content: Any) -> str:
    text = json.dumps(content, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:12]
