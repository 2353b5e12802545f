"""What each cell of a field shows, given that every label of the field is shown by some cell.

Source: the dynamic programming of Pham, Raich and Fern 2017 (IEEE TPAMI 39, 2381; arXiv
1411.4068): forward and backward over the cells, the state being the set of labels shown so far.
"""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

# There are 2 ** labels states; a field of more labels is left as it is.
MOST_LABELS = 12


def covering(chances: Floats, labels: int) -> Floats:
    """`[cell, answer]`: probability of each answer, given that each label has at least one cell.

    Fields with fewer cells than labels, and with more than 12 labels, are given back as they are.

    Args:
        chances: `[cell, answer]`, each cell's own probabilities, rows sum to 1; the first `labels`
            columns are the field's labels, others (such as "none") may stay without a cell.
        labels: How many answers are labels.
    """
    if labels > MOST_LABELS or len(chances) < labels or not labels:
        return chances
    states = 1 << labels
    before = np.zeros((len(chances) + 1, states))
    before[0, 0] = 1
    for cell, row in enumerate(chances):
        reached = _forward(before[cell], row, labels)
        before[cell + 1] = reached / reached.sum()
    result = np.empty_like(chances)
    after = np.zeros(states)
    after[-1] = 1
    for cell in range(len(chances) - 1, -1, -1):
        gains = np.stack([_shown(after, label, labels) for label in range(labels)])
        free = chances[cell, labels:]
        result[cell, :labels] = chances[cell, :labels] * (gains @ before[cell])
        result[cell, labels:] = free * (after @ before[cell])
        after = chances[cell, :labels] @ gains + free.sum() * after
        after /= after.max()
    total = result.sum(axis=1, keepdims=True)
    # No sum means that chances of 0 forbid what the labels demand.
    return np.asarray(np.where(total > 0, result / np.where(total > 0, total, 1), chances))


def _forward(reached: Floats, row: Floats, labels: int) -> Floats:
    """Probabilities of the sets shown after one more cell."""
    total: Floats = reached * float(row[labels:].sum())
    for label in range(labels):
        old, new = (v.reshape(-1, 2, 1 << label) for v in (reached, total))
        new[:, 1] += (old[:, 0] + old[:, 1]) * row[label]
    return total


def _shown(after: Floats, label: int, labels: int) -> Floats:
    """`[set]`: the value of `after` at the set with `label` in it."""
    view = after.reshape(-1, 2, 1 << label)
    return np.repeat(view[:, 1:], 2, axis=1).reshape(1 << labels)
