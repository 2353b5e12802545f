"""What the methods paragraph says of a screen, whose wells are answered and not its cells."""

from collections.abc import Sequence
from pathlib import PurePath
from typing import Any

from cellwise.domain.plain_words import counted
from cellwise.domain.screens.wells import NEGATIVE, POSITIVE, well_types
from cellwise.stages.report.material import Material

_FREE = "A well was given the treatment with the largest mean logit over its fields"
_DESIGN = {
    "off": _FREE,
    "groups": f"{_FREE}, among those of its plate's group",
    "one_to_one": "Treatments of a plate's group were given to its wells one to one, by their mean "
    "logits over fields",
}


def of_wells(material: Material, steps: Sequence[dict[str, Any]], fitted: str) -> list[str]:
    """Who learned from what, by which statistics wells were judged, and how they were answered.

    Args:
        material: Of the run.
        steps: Of its recipe.
        fitted: The run whose networks judged these wells; empty for its own.
    """
    words = []
    networks = "Its networks"
    if fitted:
        networks = f"The networks of the run '{PurePath(fitted).name}'"
    elif material.has_labels and material.sites is not None:
        known = material.sites["labels"].is_not_null()
        left_out = _options(steps, "train", "controls") == ["left_out"]
        if left_out:
            known &= ~well_types(material.sites).is_in([POSITIVE, NEGATIVE]).fill_null(value=False)
        without = ", control wells left out" if left_out else ""
        parts = _options(steps, "train", "per")
        each = f", one for each value of {parts[0].removeprefix('Metadata_')}" if parts else ""
        words.append(
            f"Networks were trained on {counted(int(known.sum()), 'fields')} with a label"
            f"{without}{each}; wells are judged only by networks that have not learned from them."
        )
    by = _options(steps, "adapt", "by")
    if by:
        words.append(
            f"{networks} normalised by statistics of each {' and of each '.join(by)}, taken from "
            "its images without their labels."
        )
    design = _options(steps, "assign", "design")
    combined = [way for way in _options(steps, "assign", "combine") if way != "mean"]
    how = f" (networks combined by '{combined[-1]}')" if combined else ""
    words.append(f"{_DESIGN[design[-1] if design else 'off']}{how}.")
    return words


def _options(steps: Sequence[dict[str, Any]], kind: str, option: str) -> list[str]:
    """What the steps of a kind say of an option, each once, where they say anything."""
    said = [(step.get("options") or {}).get(option) for step in steps if step.get("kind") == kind]
    return list(dict.fromkeys(str(value) for value in said if value))
