"""What an evaluation gives: figures, the tables behind them, and warnings."""

from dataclasses import dataclass, field
from typing import Any

from cellwise.store.run.metrics import Metric


@dataclass(frozen=True, slots=True)
class Results:
    """Figures for `metrics.json`, tables for `evaluation.json`, sentences for the reader."""

    metrics: dict[str, Metric] = field(default_factory=dict)
    detail: dict[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
