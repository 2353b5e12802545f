"""Scores are scaled within their own field, and the sigmoid of that is the probability.

    p = sigmoid(factor * (scaled - shift))

`scaled` is the score less the median of all cells and classes of the field, over the distance of
their quartiles (or, where not `robust`, less the mean and over the standard deviation). It needs no
labels, and says for each field which of its cells and classes stand out; it cannot say that a field
shows nothing.

Source: the HPA 2021 system of Riedel (21st), whose code takes median and quartiles where its text
speaks of mean and standard deviation; factor 2 and shift 0.2 are theirs.
"""

from cellwise.contracts.curves import InField
from cellwise.contracts.decider import Decider, Evidence, Fitted
from cellwise.errors import BadOption


def build(factor: float = 2.0, shift: float = 0.2, *, robust: bool = True) -> Decider:
    """Make the decider.

    Args:
        factor: Above 0.
        shift: In scaled units.
        robust: Whether median and quartiles scale, or mean and standard deviation.
    """
    if not factor > 0:
        raise BadOption(f"decide in_field: factor is above 0, not {factor}.")

    def in_field(evidence: Evidence) -> Fitted:
        count = evidence.logits.shape[1]
        curve = InField(float(factor), float(shift), bool(robust))
        return Fitted((1.0,) * count, (0.0,) * count, "none", "mean", curve)

    return in_field
