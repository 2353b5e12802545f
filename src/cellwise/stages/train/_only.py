"""Networks that are taught some of the classes.

Source: the HPA 2021 system "Raman" (23rd) had one for the mitotic spindle alone.
"""

from collections.abc import Sequence

from cellwise.domain.foresight import FolderFacts, Refusal
from cellwise.errors import BadOption
from cellwise.registry import did_you_mean


def columns_of(only: Sequence[str], classes: Sequence[str]) -> tuple[int, ...]:
    """Places of the classes that are taught, rising; none where all are.

    Raises:
        BadOption: A class that is none of the run's.
    """
    for name in only:
        if name not in classes:
            raise BadOption(f"train: {_reason(name, classes)}")
    return tuple(sorted(list(classes).index(name) for name in only))


def refused_classes(step: str, only: Sequence[str], folder: FolderFacts) -> list[Refusal]:
    """Refusals of classes that the folder does not have, before any work."""
    if folder.classes is None:
        return []
    classes = folder.classes.positive
    return [
        Refusal(
            f"Step {step!r}: {_reason(name, classes)}",
            "Take a recipe without this step, or the classes that are meant: "
            f"--set {step}.only=[{classes[0]}].",
            "only",
            (f"{step}.only=[{classes[0]}]",),
        )
        for name in only
        if name not in classes
    ]


def _reason(name: str, classes: Sequence[str]) -> str:
    hint = did_you_mean(name, list(classes))
    return f"only names {name!r}, which is no class here.{hint} There is: {', '.join(classes)}."
