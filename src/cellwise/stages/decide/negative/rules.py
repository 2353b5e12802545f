"""The probability of the negative class, taken from those of all others by one of three rules.

`one_minus_max` is one minus the largest of the others (HPA 2021 system "Raman", 23rd), `product`
the product of one minus each of them, as if they were independent. `learned` begins with the
product, r:

    P(negative) = 1 - sigmoid(log((1 - r) / r) / T + b)

with T and b such that fields get the label Negative where they have it. A field has it where all of
its cells are negative, so its probability is the product of theirs, and the fit is that of the
decider `temperature` with a bias, over one class, "shows something". So it is `weak` as that is: it
answers to labels of fields, and a field may hold cells without signal beside others.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from cellwise.contracts.decider import Evidence
from cellwise.errors import BadOption
from cellwise.stages.decide import deciders

ONE_MINUS_MAX, PRODUCT, LEARNED = RULES = ("one_minus_max", "product", "learned")
# Keeps logarithms finite; a product closer to 0 or 1 than this says nothing more.
_EDGE = 1e-9

Floats32 = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Negative:
    """How the negative class gets its probability, and whether that lowers the others.

    Args:
        rule: One of `RULES`.
        temperature: T of `learned`, above 0; 1 for the others.
        bias: b of `learned`; 0 for the others.
        lowers: Whether each other class is then multiplied by one minus this probability.
    """

    rule: str = ONE_MINUS_MAX
    temperature: float = 1.0
    bias: float = 0.0
    lowers: bool = False

    def __post_init__(self) -> None:
        if self.rule not in RULES or not self.temperature > 0:
            raise ValueError(f"Unknown rule {self.rule!r}, or temperature {self.temperature}.")

    def __call__(self, chance: Floats32) -> tuple[Floats32, Floats32]:
        """`[cell, other class]` probabilities to theirs, perhaps lowered, and `[cell]` negative."""
        # Taken from the stored float32 values, so that anyone can recompute it from the table.
        if self.rule == ONE_MINUS_MAX:
            rest = 1 - chance.max(axis=1, initial=0)
        elif self.rule == PRODUCT:
            rest = np.prod(1 - chance, axis=1)
        else:
            shown = shown_logit(chance) / self.temperature + self.bias
            rest = expit(-shown).astype(np.float32)
        return (chance * (1 - rest)[:, None] if self.lowers else chance), rest


def shown_logit(chance: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """`[cell]` logit of showing something, where classes are independent."""
    rest = np.clip(np.prod(1 - chance.astype(np.float64), axis=1), _EDGE, 1 - _EDGE)
    return np.asarray(np.log1p(-rest) - np.log(rest))


def fit_negative(
    rule: str, *, lowers: bool, chance: Floats32, evidence: Evidence, has_negative: bool
) -> Negative:
    """The rule, with what it learns from labelled fields.

    Args:
        rule: One of `RULES`, or empty for the first.
        lowers: See `Negative`.
        chance: `[cell, other class]` probabilities of the cells of `evidence`.
        evidence: Cells that no model has seen, and the labels of their fields.
        has_negative: Whether the run has such a class.

    Raises:
        BadOption: Something is asked of a class that does not exist, or nothing can be learned.
    """
    if not has_negative and (rule == LEARNED or lowers):
        raise BadOption(
            "decide: this run has no negative class, so 'negative: learned' and "
            "'negative_lowers_others' have nothing to work on. Leave them out."
        )
    if rule != LEARNED:
        return Negative(rule or ONE_MINUS_MAX, lowers=lowers)
    shows: npt.NDArray[np.bool_] = evidence.labels.sum(axis=1) > 0
    if not 0 < shows.sum() < len(shows):
        raise BadOption(
            "decide: negative=learned learns from scored fields that are labelled negative and "
            f"from others, and of {len(shows)} fields {int((~shows).sum())} are. Take "
            "negative=product or one_minus_max."
        )
    logits = shown_logit(chance).astype(np.float32)[:, None]
    fitted = deciders.build({"name": "temperature", "bias": True})(
        Evidence(logits, evidence.field, shows[:, None])
    )
    return Negative(rule, fitted.temperatures[0], fitted.biases[0], lowers)
