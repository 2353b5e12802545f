"""Rules of options that say what a sample is, how epochs are judged, and which weights are kept."""

from typing import Any

from cellwise.registry import split_spec


def sample_rules(options: Any) -> list[tuple[bool, str]]:
    """Whether each rule holds, and what it says."""
    beside = split_spec(options.task)[1].get("control")
    return [
        (
            options.controls != "left_out" or not beside,
            "the task's control learns control wells beside treated ones, and controls are left "
            "out",
        ),
        (
            not options.covariate or split_spec(options.task)[0] == "tile",
            "covariate is of the task tile; other tasks tell their networks nothing",
        ),
        (
            split_spec(options.loss)[0] != "two_heads" or _has_two_heads(options),
            "the loss two_heads is of the task tile, image or cell and a network with the head "
            "softmax_and_arcface",
        ),
        (
            not options.only
            or (
                split_spec(options.task)[0] in ("cell", "bag", "image")
                and split_spec(options.loss)[0] != "two_heads"
            ),
            "only goes with the tasks cell, bag and image and one loss",
        ),
        (len(set(options.only)) == len(options.only), "only names each class once"),
        (
            not options.pseudo_labels or split_spec(options.task)[0] in ("tile", "image", "puzzle"),
            "pseudo_labels are of wells; take a task that learns whole sites, such as tile",
        ),
    ]


def _has_two_heads(options: Any) -> bool:
    head = split_spec(options.net)[1].get("head", "")
    fits = split_spec(options.task)[0] in ("tile", "image", "cell")
    return fits and bool(head) and split_spec(head)[0] == "softmax_and_arcface"


def judging_rules(options: Any) -> list[tuple[bool, str]]:
    """Whether each rule holds, and what it says."""
    weights = options.judge_weights.values()
    return [
        (not (options.validate_ and options.validate_on), "give validate or validate_on, not both"),
        (
            isinstance(options.validate_on, list) or options.validate_on == "next_fold",
            "validate_on is a list of experiments, or 'next_fold'",
        ),
        (options.patient_above >= 0, "patient_above is not negative"),
        (options.average_from >= 0, "average_from is not negative"),
        (
            not (options.average and options.average_from),
            "give average or average_from, not both",
        ),
        (all(weight >= 0 for weight in weights), "judge_weights are not negative"),
        (not weights or any(weights), "one of judge_weights is above 0"),
    ]
