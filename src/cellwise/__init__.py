"""cellwise: field-level labels in, per-cell labels with stated probabilities out.

The Python API; nothing heavy is imported before it is used:

    import cellwise
    run = cellwise.run("plate1", labels="labels.csv", out="plate1.run")
    run.cells.head()
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cellwise.app.api import Predictor, Run, check, open_run, predict, run, simulate

__version__ = "0.1.0"
__all__ = ["Predictor", "Run", "__version__", "check", "open_run", "predict", "run", "simulate"]


def __getattr__(name: str) -> object:
    if name in __all__:
        return getattr(import_module("cellwise.app.api"), name)
    raise AttributeError(f"module 'cellwise' has no attribute {name!r}")
