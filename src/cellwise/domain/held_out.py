"""Whether figures of labelled fields are those of fields that nothing was learned from."""

from collections.abc import Iterable, Mapping
from typing import Any

# Said wherever such figures are shown.
TOO_GOOD = (
    "Figures of labelled fields are somewhat too good: the label of each field took part in "
    "labelling the cells that its models learned from. Judge by fields whose labels no step was "
    "given."
)


def labels_pass_on(steps: Iterable[Mapping[str, Any]]) -> bool:
    """Whether cells were labelled in rounds that the labels of all fields enter.

    Models that leave a fold out then learn from labels which that fold's fields took part in. On
    labels by chance the fields' area under the curve was .53 to .64 in place of .5; see the page on
    the posterior.

    Args:
        steps: Those of the recipe in `run.json`: `kind` and `options`.
    """
    labels = [step.get("options") or {} for step in steps if step.get("kind") == "label"]
    return any(options.get("embeddings") for options in labels)
