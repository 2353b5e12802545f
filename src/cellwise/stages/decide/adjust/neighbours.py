"""A cell's probability moves towards the mean of the other cells of its field.

Where all cells of a field show the same, this averages noise away; where cells differ, it takes
away what makes them differ. The share to take depends on how alike the cells of a field are.

Source: the HPA 2021 system MILIMED (4th), 0.7 of the cell and 0.3 of the image's other cells.
"""

import numpy as np
from scipy.special import expit

from cellwise.contracts.adjuster import Adjuster, Cells, Floats
from cellwise.stages.decide._logits import logit
from cellwise.stages.decide.blend.weights import check_weight, class_weights


def build(share: float | str | dict[str, float] = 0.3) -> Adjuster:
    """Make the adjuster; the only cell of a field keeps its own score.

    Args:
        share: In 0..1, the part of the other cells, one for all or by class (others 0); `auto`
            finds one for each class from how far cells of a field differ in the run, for which
            decide names two score steps as `halves`.
    """
    check_weight(share, "neighbours: share")

    def neighbours(logits: Floats, cells: Cells) -> Floats:
        chance = expit(logits)
        count = np.bincount(cells.field)
        total = np.zeros((len(count), chance.shape[1]))
        np.add.at(total, cells.field, chance)
        others = count[cells.field] - 1
        mean = (total[cells.field] - chance) / np.maximum(others, 1)[:, None]
        part = class_weights(share, cells.classes, "neighbours: share")
        mixed = logit((1 - part) * chance + part * mean)
        return np.where((others > 0)[:, None], mixed, logits)

    return neighbours
