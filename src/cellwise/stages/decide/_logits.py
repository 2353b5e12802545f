"""Probabilities near 0 and 1 in logarithms."""

import numpy as np

from cellwise.contracts.adjuster import Floats

# A probability closer to 0 or 1 than this makes no difference that could be told.
_EDGE = 1e-12


def log_chance(logits: Floats) -> Floats:
    """Logarithm of the probability of a logit."""
    return -np.logaddexp(0, -logits)


def logit_of_log(log_probability: Floats) -> Floats:
    """The logit of a probability given by its logarithm."""
    capped = np.minimum(log_probability, -_EDGE)
    return np.asarray(capped - np.log(-np.expm1(capped)))


def logit(probability: Floats) -> Floats:
    """The logit of a probability."""
    held = np.clip(probability, _EDGE, 1 - _EDGE)
    return np.asarray(np.log(held) - np.log1p(-held))
