"""Classes that exclude each other: a cell's score for one class counts against all others.

The logit of each class becomes that of its share in the softmax over all classes and "none", whose
score is 0:

    new = score - log(1 + sum over the other classes of exp(score))

A network that learned with losses `softmax` or `partial_label` means its scores so: by themselves
they say nothing, only their differences do, and cells ranked by them are out of order.

Source: the softmax of multinomial logistic regression, read one class against the rest.
"""

import numpy as np

from cellwise.contracts.adjuster import Adjuster, Cells, Floats


def build(*, none: bool = True) -> Adjuster:
    """Make the adjuster.

    Args:
        none: Whether "none of the classes" is an answer.
    """

    def exclusive(logits: Floats, cells: Cells) -> Floats:
        result = np.empty_like(logits)
        for c in range(logits.shape[1]):
            others = np.delete(logits, c, axis=1)
            if none:
                others = np.concatenate([others, np.zeros((len(others), 1))], axis=1)
            # A class without a rival would be certain: it keeps its score.
            rest = np.logaddexp.reduce(others, axis=1) if others.shape[1] else 0
            result[:, c] = logits[:, c] - rest
        return result

    return exclusive
