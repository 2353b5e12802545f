"""Logits of wells on plates of a known design, with planted batch effects."""

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class World:
    """Wells `[well]`, plates `[plate]`; every plate holds each treatment of its group once."""

    logits: np.ndarray
    truth: np.ndarray
    plate: np.ndarray
    position: np.ndarray
    experiment: np.ndarray
    group: np.ndarray
    group_of_class: np.ndarray


def make_world(
    seed: int, *, experiments: int = 2, size: int = 8, groups: int = 4, signal: float = 2.0,
    missing: float = 0.0, shift: float = 1.0,
) -> World:  # fmt: skip
    """Each experiment has one plate per group, in a cyclic order; `shift` is its preference."""
    rng = np.random.default_rng(seed)
    group_of_class = rng.permutation(np.repeat(np.arange(groups), size))
    classes = groups * size
    rows: list[tuple[Any, ...]] = []
    for e in range(experiments):
        start = rng.integers(groups)
        bias = shift * rng.normal(size=classes)
        for p in range(groups):
            own = np.flatnonzero(group_of_class == (start + p) % groups)
            members = rng.permutation(own)
            for place, truth in enumerate(members):
                if rng.random() >= missing:
                    logits = rng.normal(size=classes) + bias
                    logits[truth] += signal
                    rows.append((logits, truth, e * groups + p, place, (start + p) % groups))
    columns = [np.array(column) for column in zip(*rows, strict=True)]
    logits, answer, plate, position, group = columns
    of_plate = np.zeros(experiments * groups, np.int64)
    of_plate[plate] = group
    experiment = np.repeat(np.arange(experiments), groups)
    return World(
        logits.astype(np.float32), answer, plate, position, experiment, of_plate, group_of_class
    )
