"""Answers that are not bounded become probabilities without losing their order."""

import numpy as np

from cellwise.contracts.learner import Floats

# From here to the end of the range answers are bent.
_BEND = 0.02


def into_range(answers: Floats) -> Floats:
    """`answers` in 0..1; those within 0.02 of 0 or 1 and beyond bend towards them.

    A smooth bend in place of a cut: among thousands of cells that do not show a class, a cut would
    make equals of cells that are not, and their order is what average precision sees.
    """
    low = np.minimum(answers, np.float32(_BEND))
    high = np.minimum(1 - answers, np.float32(_BEND))
    middle = np.clip(answers, _BEND, 1 - _BEND)
    bent: Floats = middle + (_bent(low) - _BEND) - (_bent(high) - _BEND)
    return np.clip(bent, 0, 1).astype(np.float32)


def _bent(part: Floats) -> Floats:
    """The same slope and value at the bend, and above 0 for any number."""
    bent: Floats = _BEND * np.exp(part / _BEND - 1)
    return bent
