"""What each of several score steps should weigh, from labelled fields that none has learned from.

Each member says of each field and class, by its highest cell, how likely the field has the label (a
logistic curve of its own brings members to one scale). The weights, at least 0 and adding up to 1,
make the squared error of the weighted mean smallest, over all fields with classes of equal weight.
That error is the mean error of the members less their ambiguity, the weighted variance of what they
say (Krogh and Vedelsby 1995, NIPS 7): a member that errs in its own way gets more weight than its
own error deserves. Few fields say little, so weights are pulled towards equal ones, or towards
those of all groups, as if a number of fields had shown these.
"""

from collections.abc import Sequence

import numpy as np
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression

from cellwise.contracts.decider import Evidence, Floats
from cellwise.errors import PreflightError
from cellwise.stages.decide.spec import NONE_SHARED

# The pull towards what is expected, in fields.
_PULL = 20.0
# A class tells something from so many fields with it, and without.
_LEAST = 2
_DIGITS = 4


def validated_weights(
    members: Sequence[Evidence], *, least: int = 0, towards: Sequence[float] = ()
) -> tuple[float, ...]:
    """Weights of the members, adding up to 1.

    Args:
        members: What each says of the same cells of the same fields.
        least: Fewer fields than this are refused.
        towards: What the weights are pulled to; equal ones where empty.

    Raises:
        PreflightError: There are too few fields.
    """
    count = len(members)
    expected = np.array(towards or [1 / count] * count, np.float64)
    labels = members[0].labels
    if len(labels) < least:
        raise PreflightError(f"decide: {NONE_SHARED}")
    fields = len(labels)
    told = (labels.sum(axis=0) >= _LEAST) & ((~labels).sum(axis=0) >= _LEAST)
    if not told.any():
        return tuple(expected.tolist())
    errors = np.stack([_errors(each, told) for each in members])
    # [member, member]: the mean product of errors, classes alike.
    shared = np.einsum("ifc,jfc->ij", errors, errors) / errors[0].size
    pull = _PULL / fields * float(np.diag(shared).mean())

    def cost(weights: Floats) -> tuple[float, Floats]:
        apart = weights - expected
        value = weights @ shared @ weights + pull * count * apart @ apart
        return float(value), 2 * (shared @ weights + pull * count * apart)

    found = minimize(
        cost, expected, jac=True, method="SLSQP", bounds=[(0, 1)] * count,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1, "jac": np.ones_like},
        options={"ftol": 1e-12, "maxiter": 500},
    )  # fmt: skip
    # So many digits as do not hang on the machine.
    weights = np.round(np.clip(found.x, 0, 1), _DIGITS)
    return tuple((weights / weights.sum()).tolist())


def _errors(evidence: Evidence, told: np.ndarray) -> Floats:
    """`[field, class]`: the label less what a member says of the field, for classes that tell."""
    highest = np.full(evidence.labels.shape, -np.inf)
    np.maximum.at(highest, evidence.field, evidence.logits.astype(np.float64))
    result = np.empty((len(highest), int(told.sum())))
    for place, c in enumerate(np.flatnonzero(told)):
        score, label = highest[:, c], evidence.labels[:, c]
        scaled = ((score - score.mean()) / (score.std() or 1.0))[:, None]
        said = LogisticRegression().fit(scaled, label).predict_proba(scaled)[:, 1]
        result[:, place] = label - said
    return result
