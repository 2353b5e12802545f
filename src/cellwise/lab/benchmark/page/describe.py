"""What a row changes: its last training against that of its A_0, in words.

Every arm should have the same head, loss family and updates; where one has not, the table says so.
"""

from collections.abc import Mapping
from typing import Any

from cellwise.flow.recipe.resolve import Recipe, Step
from cellwise.lab.benchmark.merge import built_on, needed_steps

# Names of other steps, of which the number of trainings tells, and a folder.
_PASSED_OVER = ("labels", "start", "from", "model", "adapted", "field", "truth")


def changes(recipe: Recipe, floor: Recipe) -> tuple[str, ...]:
    """Sentences such as `train.loss: bce -> partial_label`; empty for the same learner."""
    own, other = needed_steps("", recipe), needed_steps("", floor)
    found = []
    for kind in ("label", "train", "adapt", "score", "decide", "assign"):
        mine, theirs = _last(own, kind), _last(other, kind)
        if mine is not None and theirs is not None:
            found += [f"{kind}.{text}" for text in _differing(mine.options, theirs.options)]
        elif mine is not None or theirs is not None:
            found.append(f"{kind}: {'one more' if theirs is None else 'none'}")
    counts = [sum(step.kind == "train" for step in steps) for steps in (own, other)]
    if counts[0] != counts[1]:
        found.append(f"trainings: {counts[1]} -> {counts[0]}")
    return tuple(found)


def _last(steps: list[Step], kind: str) -> Step | None:
    """The step of this kind that the decision rests on most directly."""
    wanted = [(steps[-1].kind, steps[-1].name)]
    seen: set[tuple[str, str]] = set()
    by_name = {(step.kind, step.name): step for step in steps}
    while wanted:
        key = wanted.pop(0)
        if key[0] == kind:
            return by_name[key]
        if key not in seen:
            seen.add(key)
            # A name may be of any kind that gives what is read; one of them is there.
            wanted += [found for found in built_on(by_name[key]) if found in by_name]
    return None


def _differing(own: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    names = [name for name in sorted({*own, *other}) if name not in _PASSED_OVER]
    return [
        f"{name}: {_said(other.get(name))} -> {_said(own.get(name))}"
        for name in names
        if own.get(name) != other.get(name)
    ]


def _said(value: Any) -> str:
    if isinstance(value, dict) and "name" in value:
        rest = ", ".join(f"{k} {v}" for k, v in value.items() if k != "name")
        return f"{value['name']}{f' ({rest})' if rest else ''}"
    if isinstance(value, list):
        return "[" + ", ".join(_said(entry) for entry in value) + "]"
    return str(value) if value not in (None, "") else "none"
