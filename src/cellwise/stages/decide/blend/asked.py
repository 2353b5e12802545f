"""Which adjusters ask for weights that are found from the run itself."""

from collections.abc import Mapping, Sequence
from typing import Any

from cellwise.registry import split_spec

AUTO = "auto"
# By adjuster, the option that may be `auto`.
OPTION = {"field_score": "weight", "neighbours": "share"}

Spec = str | dict[str, Any]


def asks_auto(adjust: Sequence[Spec]) -> bool:
    """Whether an adjuster's weights are to be found from the run."""
    return any(is_auto(*split_spec(spec)) for spec in adjust)


def is_auto(name: str, options: Mapping[str, Any]) -> bool:
    """Whether this adjuster's are."""
    return name in OPTION and options.get(OPTION[name]) == AUTO
