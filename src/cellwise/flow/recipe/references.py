"""What steps name of earlier steps, and whether the two fit."""

from typing import TYPE_CHECKING, Any

from cellwise.errors import BadOption
from cellwise.registry import Registry, did_you_mean, split_spec

if TYPE_CHECKING:
    from cellwise.flow.recipe.resolve import Step

# What a step names of earlier steps: option -> kind of the step that must come before.
REFERENCES = {
    "label": {"from": "score"},
    "train": {"labels": "label", "start": "train"},
    "score": {"model": "train"},
    "decide": {"from": "score", "field": "score"},
}
_SEEN = {"crops": "crops of cells", "fields": "whole fields"}


def check_references(steps: "tuple[Step, ...]") -> None:
    """Refuse names of steps that do not come before, and scorers of models that see other pixels.

    Raises:
        BadOption: With both steps named.
    """
    before: dict[str, dict[str, Step]] = {}
    for step in steps:
        for option, kind in REFERENCES.get(step.kind, {}).items():
            for name in _names(step, option, kind):
                known = before.get(kind, {})
                if name and name not in known:
                    raise BadOption(
                        f"Step {step.name!r}: {option}: {name!r} is no {kind} step before it."
                        f"{did_you_mean(name, list(known))}"
                    )
        if step.kind == "score":
            _check_scorer(step, before["train"][step.options["model"]])
        before.setdefault(step.kind, {})[step.name] = step


def _names(step: "Step", option: str, kind: str) -> list[str]:
    value: Any = step.options.get(option)
    names = [value] if isinstance(value, str) else value or []
    if not isinstance(names, list | tuple) or not all(isinstance(n, str) for n in names):
        raise BadOption(f"Step {step.name!r}: {option} names {kind} steps, not {value!r}.")
    return list(names)


def _check_scorer(step: "Step", model: "Step") -> None:
    """Parts say in their source what they look at, so nothing is imported and no hour is lost."""
    scorer, _ = split_spec(step.options["by"])
    task, _ = split_spec(model.options["task"])
    looks = set(Registry("scorer", "cellwise.stages.score").page(scorer).needs) & set(_SEEN)
    learned = set(Registry("task", "cellwise.parts.tasks").page(task).needs) & set(_SEEN)
    if looks and learned and not looks & learned:
        raise BadOption(
            f"Step {step.name!r}: the scorer {scorer!r} shows {_SEEN[min(looks)]}, and model "
            f"{model.name!r} learns {_SEEN[min(learned)]} (task {task!r})."
        )
