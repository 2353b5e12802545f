"""`metrics.json`: every headline figure with its interval, its n, and what n counts."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cellwise.errors import FormatError
from cellwise.store.atomic import write_text
from cellwise.store.run.folder import read_json


@dataclass(frozen=True, slots=True)
class Metric:
    """One figure.

    Args:
        value: The figure; None where it is not defined (also given as NaN or infinity).
        low: Lower end of the 95 % interval, None where there is none.
        high: Upper end.
        n: How many units it rests on.
        unit: What `n` counts: `cell`, `site`, `well`, `field`...
    """

    value: float | None
    low: float | None
    high: float | None
    n: int
    unit: str

    def __post_init__(self) -> None:
        # JSON has no NaN: what is not a number is stored as null.
        for name in ("value", "low", "high"):
            given = getattr(self, name)
            number = None if given is None or not math.isfinite(given) else float(given)
            object.__setattr__(self, name, number)


def write_metrics(path: Path, metrics: Mapping[str, Metric]) -> None:
    """Write the file whole, names sorted."""
    write_text(path, to_json({"metrics": as_content(metrics)}))


def as_content(metrics: Mapping[str, Metric]) -> dict[str, dict[str, Any]]:
    """What stands in the file under `metrics`, names sorted."""
    return {name: asdict(metrics[name]) for name in sorted(metrics)}


def to_json(content: Mapping[str, Any]) -> str:
    """Readable JSON text; numbers that JSON cannot hold become null."""
    plain = _without_nan(content)
    return json.dumps(plain, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def read_metrics(path: Path) -> dict[str, Metric]:
    """Read what `write_metrics` wrote.

    Raises:
        FormatError: The file is torn or of another shape.
    """
    content = read_json(path)
    try:
        return {name: Metric(**entry) for name, entry in content["metrics"].items()}
    except (KeyError, TypeError, AttributeError) as error:
        raise FormatError(f"{path} does not hold metrics: {error}") from error


def _without_nan(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_nan(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
