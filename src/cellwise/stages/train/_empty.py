"""What is said where a fold leaves nothing to learn from."""

import numpy as np
import numpy.typing as npt

from cellwise.domain.plain_words import counted
from cellwise.errors import PreflightError


def nothing_left(fold: int | None, site: npt.NDArray[np.integer]) -> PreflightError:
    """Why a model cannot be learned, with what there was.

    Args:
        fold: The fold that is left out; None where none is.
        site: The field of each item that could be learned from, folds aside.
    """
    have = f"{counted(len(site), 'items')} of {counted(len(np.unique(site)), 'fields')}"
    where = "no item may be used" if fold is None else f"without fold {fold} none is left"
    return PreflightError(
        f"train: there is nothing to learn from: of {have} with labels {where}. Label more fields, "
        "see that an embed step has vectors of most cells (it says how many are without), or take "
        "fewer folds: --set split.folds=2."
    )
