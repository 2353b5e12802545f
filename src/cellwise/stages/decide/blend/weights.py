"""How much of a field's score each class's cells are given: numbers, or from the run's own cells.

How far cells of one field differ is measured before any posterior and blend, on two score steps
that share no feature or view (`halves`): what both see differing between the cells of a field is of
the cells, while noise that either has alone is not in their covariance.

    variability = covariance within fields / covariance of all cells     (0 alike, 1 as strangers)
    weight      = steepness * (1 - variability / crossing), from 0 to the most that is taken

A class's own variability is uncertain, so three quarters of it are the mean of all classes. The
three numbers were found on simulated worlds whose cells differ in all degrees and judged on others
(`benchmarks/blend.py`); see docs/explain/decisions.md.

Source: the covariance of disjoint halves as the variance that they share is the split-half
reliability of Spearman 1910 and Brown 1910 (British Journal of Psychology 3:271, 296); shrinkage
towards the group by the share of variance within it as in Efron and Morris 1973.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cellwise.contracts.adjuster import Floats
from cellwise.errors import BadOption
from cellwise.registry import did_you_mean, split_spec
from cellwise.stages.decide.blend.asked import AUTO, OPTION, Spec, is_auto

_OWN = 0.25
# Fields and cells that a covariance is taken from.
_FEWEST_FIELDS = 10


@dataclass(frozen=True, slots=True)
class Rule:
    """How a weight follows from variability.

    Args:
        most: The most that is taken.
        steepness: The weight without variability, were it not limited.
        crossing: The variability from which nothing is taken.
    """

    most: float
    steepness: float
    crossing: float

    def __call__(self, variability: float) -> float:
        """The weight."""
        found = self.steepness * (1 - variability / self.crossing)
        return round(min(self.most, max(0.0, found)), 4)


RULES = {"field_score": Rule(0.5, 1.0, 0.9), "neighbours": Rule(0.6, 2.0, 0.8)}

Weight = float | str | dict[str, float]


def with_weights(adjust: Sequence[Spec], variability: Mapping[str, float | None]) -> list[Spec]:
    """The adjusters with a number for each class in place of `auto`.

    Args:
        adjust: Adjusters as a recipe names them.
        variability: By class, 0..1; None where it is not known. A class without gets the weight
            of the mean, and where none is known half of the most is taken.
    """
    found: list[Spec] = []
    for spec in adjust:
        name, options = split_spec(spec)
        if not is_auto(name, options):
            found.append(spec)
            continue
        each = _each(RULES[name], variability)
        found.append({"name": name, **options, OPTION[name]: each})
    return found


def _each(rule: Rule, variability: Mapping[str, float | None]) -> dict[str, float]:
    known = [value for value in variability.values() if value is not None]
    if not known:
        return dict.fromkeys(variability, rule.most / 2)
    mean = float(np.mean(known))
    return {
        name: rule(mean if value is None else mean + _OWN * (value - mean))
        for name, value in variability.items()
    }


def variability_of(
    halves: Floats, field: npt.NDArray[np.int64], classes: Sequence[str]
) -> dict[str, float | None]:
    """How far the cells of one field differ, by class, 0..1; None where nothing varies.

    Args:
        halves: `[2, cell, class]`, logits of two score steps that share nothing.
        field: `[cell]`, a number for the field of each.
        classes: The positive classes.
    """
    number = np.unique(field, return_inverse=True)[1].reshape(-1)
    n = np.bincount(number)
    if len(n) < _FEWEST_FIELDS or len(number) <= len(n):
        return dict.fromkeys(classes)
    found: dict[str, float | None] = {}
    for column, name in enumerate(classes):
        a, b = halves[0, :, column], halves[1, :, column]
        apart = [one - (np.bincount(number, one) / n)[number] for one in (a, b)]
        within = float(apart[0] @ apart[1]) / (len(number) - len(n))
        whole = float((a - a.mean()) @ (b - b.mean())) / (len(number) - 1)
        found[name] = float(np.clip(within / whole, 0, 1)) if whole > 1e-9 else None
    return found


def class_weights(weight: Weight, classes: Sequence[str], what: str) -> Floats:
    """`[class]`: the weight of each, in 0..1.

    Args:
        weight: One for all, or by class name, where 0 counts for the others.
        classes: The positive classes; empty where nobody knows their names.
        what: The option, for messages.

    Raises:
        BadOption: A weight outside 0..1, of no class, or `auto` that nobody has found yet.
    """
    if isinstance(weight, str):
        raise BadOption(
            f"decide {what}: a number, a number for each class, or auto, not {weight!r}."
        )
    if not isinstance(weight, dict):
        return np.array([float(weight)])
    for name in weight:
        if name not in classes:
            raise BadOption(
                f"decide {what}: {name!r} is no class with a score."
                f"{did_you_mean(name, list(classes))}"
            )
    return np.array([float(weight.get(name, 0.0)) for name in classes])


def check_weight(weight: Weight, what: str) -> None:
    """Refuse weights outside 0..1.

    Raises:
        BadOption: As it says.
    """
    if weight == AUTO:
        return
    values = weight.values() if isinstance(weight, dict) else [weight]
    for value in values:
        if isinstance(value, bool | str) or not 0 <= value <= 1:
            raise BadOption(f"decide {what} lies in 0..1, or is auto, not {weight!r}.")
