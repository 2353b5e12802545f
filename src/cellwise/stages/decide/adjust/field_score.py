"""A cell's score together with the score of its whole field.

A field that shows no Golgi has no cell with one; a network that sees the field, or the best of its
cells, says so with less noise than a single crop. The product demands both: `p = p_cell * p_field`.

Source: cell and image scores multiplied in the HPA 2021 systems of red.ai (2nd) and Tratz (12th,
who found the product better than the average); the average is from Riedel (21st).
"""

import numpy as np
from scipy.special import expit

from cellwise.contracts.adjuster import Adjuster, Cells, Floats
from cellwise.errors import BadOption
from cellwise.stages.decide._logits import log_chance, logit, logit_of_log
from cellwise.stages.decide.blend.asked import AUTO
from cellwise.stages.decide.blend.weights import check_weight, class_weights

NEEDS = ("field",)
_WAYS = ("product", "mean", "geometric")


def build(how: str = "product", weight: float | str | dict[str, float] = 0.5) -> Adjuster:
    """Make the adjuster.

    Args:
        how: `product` of the probabilities, their weighted `mean`, or their weighted `geometric`
            mean, which ranks as the product does where the weight is one half.
        weight: In 0..1, the share of the field in both means, one for all or by class (others 0);
            `auto` finds one for each class from how far cells of a field differ in the run, for
            which decide names two score steps as `halves`. The product has none.
    """
    if how not in _WAYS:
        raise BadOption(f"decide field_score: how is one of {_WAYS}, not {how!r}.")
    check_weight(weight, "field_score: weight")
    if how == "product" and (isinstance(weight, dict) or weight == AUTO):
        raise BadOption("decide field_score: a product has no weight; say how: mean or geometric.")

    def field_score(logits: Floats, cells: Cells) -> Floats:
        if cells.field_logits is None:
            raise BadOption("decide field_score: name the score of fields, 'field: <score step>'.")
        of_field = cells.field_logits
        own_weight = class_weights(weight, cells.classes, "field_score: weight")
        if how == "mean":
            return logit((1 - own_weight) * expit(logits) + own_weight * expit(of_field))
        own, whole = log_chance(logits), log_chance(of_field)
        if how == "product":
            return logit_of_log(own + whole)
        return logit_of_log(np.asarray((1 - own_weight) * own + own_weight * whole))

    return field_score
