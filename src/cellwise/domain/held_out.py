"""Labels of cells that a fold's own fields took no part in, and whether a run's labels are such."""

from collections.abc import Iterable, Mapping
from typing import Any

# The word of a label that follows from what was learned of cells, in labels and in counts.
SUPPORTED = "supported"

_WITHOUT = "label_without_"

# Said wherever such figures are shown.
TOO_GOOD = (
    "Figures of labelled fields are somewhat too good: the label of each field took part in "
    "labelling the cells that its models learned from. Judge by fields whose labels no step was "
    "given, or have labels made without each fold: label.by=posterior with label.embeddings, the "
    "name of an embed step, in place of label.from."
)


def label_without(fold: int) -> str:
    """The column of a labels table with labels that no field of this fold took part in.

    It is null for the fold's own cells, so that a model of it cannot learn from them.
    """
    return f"{_WITHOUT}{fold}"


def folds_left_out(columns: Iterable[str]) -> list[int]:
    """The folds that a labels table with these columns has labels without, in order."""
    found = [name.removeprefix(_WITHOUT) for name in columns if name.startswith(_WITHOUT)]
    return sorted(int(fold) for fold in found if fold.isdigit())


def labels_pass_on(steps: Iterable[Mapping[str, Any]]) -> bool:
    """Whether cells were labelled by what was learned from the labels of all fields.

    Models that leave a fold out then learn from labels which that fold's fields took part in: from
    vectors, unless labels were made without each fold; from scores always, for they are those of
    models that learned from the other folds. How much it is stands in `docs/explain/held-out.md`.

    Args:
        steps: Those that `run.json` tells of: `kind` and `counts`.
    """
    counts = [step.get("counts") or {} for step in steps if step.get("kind") == "label"]
    return any(_learned(count) and not count.get("made_without_each_of") for count in counts)


def _learned(counts: Mapping[str, Any]) -> bool:
    """Whether labels came of learning: the step counts cells that were supported, or a method."""
    return bool(counts.get(SUPPORTED)) or "method" in counts
