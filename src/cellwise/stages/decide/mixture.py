"""The weighted mean of the probabilities of several deciders, over the same scores.

Source: the HPA 2021 system of Riedel (21st): half of `in_field`, half of `boosting`.
"""

from collections.abc import Sequence
from math import inf
from typing import Any

from cellwise.contracts.curves import Mixture
from cellwise.contracts.decider import Decider, Evidence, Fitted
from cellwise.errors import BadOption
from cellwise.stages.decide import deciders


def build(
    of: Sequence[str | dict[str, Any]] = ("in_field", "boosting"), weights: Sequence[float] = ()
) -> Decider:
    """Make the decider.

    Args:
        of: Two or more deciders.
        weights: One for each, at least 0, not all 0; equal where not said. They are divided by
            their sum.
    """
    if len(of) < 2:
        raise BadOption(f"decide mixture: of names two or more deciders, not {list(of)}.")
    given = [float(weight) for weight in weights] or [1.0] * len(of)
    if len(given) != len(of) or min(given) < 0 or not 0 < sum(given) < inf:
        raise BadOption(
            f"decide mixture: one weight for each of {len(of)} deciders, none below 0, not all 0 "
            f"and all finite: {list(weights)}."
        )
    parts = [deciders.build(spec) for spec in of]
    share = tuple(weight / sum(given) for weight in given)

    def mixture(evidence: Evidence) -> Fitted:
        found = [part(evidence) for part in parts]
        count = evidence.logits.shape[1]
        said = "weak" if any(each.calibration == "weak" for each in found) else "none"
        curve = Mixture(tuple(each.as_curve for each in found), share)
        return Fitted((1.0,) * count, (0.0,) * count, said, "mean", curve)

    return mixture
