"""The options of the step with a number for each class where they say `auto`."""

import json

import numpy as np
import polars as pl

from cellwise.domain.units import group_numbers
from cellwise.stages.decide._decision import Decision
from cellwise.stages.decide._scores import Scores, member_logits
from cellwise.stages.decide.blend.asked import asks_auto
from cellwise.stages.decide.blend.weights import variability_of, with_weights
from cellwise.stages.decide.spec import Options


def weighed(
    options: Options,
    fitted: Decision | None,
    scores: Scores,
    cells: pl.DataFrame,
    classes: tuple[str, ...],
) -> tuple[Options, dict[str, float | None] | None]:
    """The options with numbers in place of `auto`; and how far cells of a field differ, by class.

    New cells are weighed as those of the finished run were.

    Args:
        options: Those of the step.
        fitted: The decision of a finished run that is applied; None where one is fitted.
        scores: The rows of a score set by its name.
        cells: One row per cell.
        classes: The positive classes.
    """
    if not asks_auto(options.adjust):
        return options, None
    if fitted is not None:
        return as_fitted(options, fitted), None
    halves, _ = member_logits(scores, options.halves, cells, classes)
    field = group_numbers([cells["site_id"]], cells["site_id"])
    both = np.isfinite(halves).all(axis=(0, 2))
    found = variability_of(halves[:, both].astype(np.float64), field[both], classes)
    return options.model_copy(update={"adjust": with_weights(options.adjust, found)}), found


def as_fitted(options: Options, decision: Decision) -> Options:
    """The options with the weights of a decision in place of `auto`."""
    if not asks_auto(options.adjust):
        return options
    return options.model_copy(update={"adjust": [json.loads(spec) for spec in decision.adjust]})
