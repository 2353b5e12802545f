"""What is fitted to the labels of fields or other bags, as a decision."""

import json

import numpy as np
import numpy.typing as npt
import polars as pl

from cellwise.contracts.decider import Evidence, Fitted
from cellwise.domain.classes import ClassList
from cellwise.domain.units import SITE, bag_numbers
from cellwise.errors import BadOption
from cellwise.registry import did_you_mean, split_spec
from cellwise.stages.decide import deciders
from cellwise.stages.decide._decision import ONE_MINUS_MAX, Decision
from cellwise.stages.decide.spec import Options
from cellwise.store.run.reader import labels_matrix


def fit_decision(
    options: Options,
    classes: ClassList,
    sites: pl.DataFrame,
    cells: pl.DataFrame,
    logits: npt.NDArray[np.float32],
    clean: npt.NDArray[np.bool_],
) -> Decision:
    """The decision that labelled fields, or other bags, lead to.

    Args:
        options: Those of the step.
        classes: The classes of the run.
        sites: One row per site: `labels`, `fold`, `Metadata_*`.
        cells: One row per cell.
        logits: `[cell, positive class]`, adjusted.
        clean: `[cell]`, whether the cell is scored, and out of fold.

    Raises:
        BadOption: A threshold for a class that does not exist.
    """
    known = sites.filter((pl.col("labels").list.len() > 0) & pl.col("fold").is_not_null())
    held = cells.filter(pl.Series(clean)).select("site_id")
    known = known.join(held, on="site_id", how="semi", maintain_order="left")
    numbers = bag_numbers(known, options.level or SITE)
    index = dict(zip(known["site_id"].to_list(), numbers.tolist(), strict=True))
    field = np.array([index.get(site, -1) for site in cells["site_id"]], np.int64)
    _, firsts = np.unique(numbers, return_index=True)
    labels = labels_matrix(known["labels"][firsts.tolist()], classes.positive)
    used = (field >= 0) & clean
    none = (0.0,) * len(classes.positive)
    fitted = Fitted((1.0,) * len(none), none, "none", "noisy_or")
    if len(known):
        fitted = deciders.build(options.by)(Evidence(logits[used], field[used], labels))
    return Decision(
        classes=classes.names,
        negative=classes.negative,
        temperatures=fitted.temperatures,
        biases=fitted.biases,
        thresholds=_thresholds(options.threshold, classes.names),
        calibration=fitted.calibration,
        pooling=fitted.pooling,
        by=split_spec(options.by)[0],
        scores=options.scores,
        field=", ".join(options.fields),
        adjust=tuple(json.dumps(spec, sort_keys=True) for spec in options.adjust),
        n_fields=len(known),
        n_cells=int(used.sum()),
        positives=tuple(int(n) for n in labels.sum(axis=0)),
        curve=fitted.curve,
        negative_rule=options.negative or ONE_MINUS_MAX,
        combine=options.combine or "logits",
        weights=tuple(options.weights),
    )


def _thresholds(threshold: float | dict[str, float], names: tuple[str, ...]) -> tuple[float, ...]:
    if not isinstance(threshold, dict):
        return (float(threshold),) * len(names)
    for name in threshold:
        if name not in names:
            raise BadOption(
                f"decide: a threshold for {name!r}, which is no class."
                f"{did_you_mean(name, list(names))}"
            )
    return tuple(float(threshold.get(name, 0.5)) for name in names)
