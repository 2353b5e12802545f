"""What is fitted to the labels of fields or other bags, as a decision."""

import json
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from cellwise.contracts.decider import Evidence, Fitted
from cellwise.domain.classes import ClassList
from cellwise.domain.units import SITE, bag_numbers
from cellwise.errors import BadOption
from cellwise.registry import did_you_mean, split_spec
from cellwise.stages.decide import deciders
from cellwise.stages.decide._decision import Decision
from cellwise.stages.decide._joined import Joined
from cellwise.stages.decide.negative.rules import LEARNED, fit_negative
from cellwise.stages.decide.spec import Options
from cellwise.store.run.reader import labels_matrix


def fit_decision(
    options: Options,
    classes: ClassList,
    sites: pl.DataFrame,
    cells: pl.DataFrame,
    logits: npt.NDArray[np.float32],
    clean: npt.NDArray[np.bool_],
    joined: Joined,
) -> Decision:
    """The decision that labelled fields, or other bags, lead to.

    Args:
        options: Those of the step.
        classes: The classes of the run.
        sites: One row per site: `labels`, `fold`, `Metadata_*`.
        cells: One row per cell.
        logits: `[cell, positive class]`, adjusted.
        clean: `[cell]`, whether the cell is scored, and out of fold.
        joined: How the score sets became one.

    Raises:
        BadOption: A threshold for a class that does not exist, or see `negative.rules`.
    """
    evidence, count = evidence_of(options, classes, sites, cells, logits, clean)
    fitted = fitted_by(options.by, evidence)
    chance = fitted.as_curve(evidence.logits.astype(np.float64), evidence.field)
    rest = fit_negative(
        options.negative,
        lowers=options.negative_lowers_others,
        chance=np.clip(chance, 0, 1).astype(np.float32),
        evidence=evidence,
        has_negative=classes.negative is not None,
    )
    said = fitted.calibration
    if said == "none" and joined.calibrated:
        said = "weak"
    return Decision(
        classes=classes.names,
        negative=classes.negative,
        temperatures=fitted.temperatures,
        biases=fitted.biases,
        thresholds=_thresholds(options.threshold, classes.names),
        calibration=said,
        pooling=fitted.pooling,
        by=split_spec(options.by)[0],
        scores=options.scores,
        field=", ".join(options.fields),
        adjust=tuple(json.dumps(spec, sort_keys=True) for spec in options.adjust),
        n_fields=count,
        n_cells=len(evidence.field),
        positives=tuple(int(n) for n in evidence.labels.sum(axis=0)),
        curve=fitted.curve,
        negative_rule=rest.rule,
        negative_fit=(rest.temperature, rest.bias) if rest.rule == LEARNED else (),
        negative_lowers=rest.lowers,
        combine=joined.combination.how,
        weights=joined.combination.weights,
        member_curves=joined.combination.curves,
        per=options.per,
        group_weights=joined.combination.groups,
    )


def evidence_of(
    options: Options,
    classes: ClassList,
    sites: pl.DataFrame,
    cells: pl.DataFrame,
    logits: npt.NDArray[np.floating[Any]],
    clean: npt.NDArray[np.bool_],
) -> tuple[Evidence, int]:
    """Clean scores of cells of labelled bags; and how many labelled fields there are.

    Args: as of `fit_decision`.
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
    return Evidence(logits[used].astype(np.float32), field[used], labels), len(known)


def fitted_by(by: str | dict[str, Any], evidence: Evidence) -> Fitted:
    """What a decider makes of scores; of none at all, nothing."""
    if not len(evidence.labels):
        count = evidence.logits.shape[1]
        return Fitted((1.0,) * count, (0.0,) * count, "none", "noisy_or")
    fitted: Fitted = deciders.build(by)(evidence)
    return fitted


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
