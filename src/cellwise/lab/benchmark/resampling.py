"""Hierarchical bootstrap: worlds are drawn, then seeds in each, then whole groups of its cells.

One draw takes as many worlds as there are, with replacement; in each taken world as many seeds as
it has, and as many groups. Two places that take the same world draw its seeds and groups anew. All
arms see the same draws, so differences and ratios of arms are resampled together.

Where the groups are the same things in every world (the plates of real cells, put into new bags for
each world), they are drawn once for all worlds of a draw: the worlds are then no new plates.

Source: nested bootstrap, Davison and Hinkley 1997, section 3.8; percentile intervals.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cellwise.measures.average_precision import Floats
from cellwise.measures.bootstrap import drawn


@dataclass(frozen=True, slots=True)
class Shape:
    """One world: how many groups its cells come in, and how many seeds were run on it."""

    groups: int
    seeds: int


@dataclass(frozen=True, slots=True)
class Places:
    """Where one world was taken.

    Args:
        draw: `[place]`, the number of the draw.
        groups: `[place, group]`, how often each group was drawn there.
        seeds: `[place, seed]`, the share of each seed; each row adds up to 1.
    """

    draw: npt.NDArray[np.int64]
    groups: Floats
    seeds: Floats


def resample(
    worlds: Sequence[Shape], *, draws: int, seed: int, shared_groups: bool = False
) -> list[Places]:
    """The places of each world, in the order of `worlds`.

    Args:
        worlds: At least one; with `shared_groups` all have the same number of groups.
        draws: Bootstrap draws.
        seed: Root of the randomness.
        shared_groups: Whether group g is the same thing in every world.
    """
    random = np.random.default_rng(seed)
    taken = random.integers(0, len(worlds), (draws, len(worlds)))
    common = _often(random, worlds[0].groups, draws) if shared_groups else None
    found = []
    for number, world in enumerate(worlds):
        draw, _ = np.nonzero(taken == number)
        own = _often(random, world.groups, len(draw)) if common is None else common[draw]
        seeds = _often(random, world.seeds, len(draw)) / world.seeds
        found.append(Places(draw.astype(np.int64), own, seeds))
    return found


def as_is(worlds: Sequence[Shape]) -> list[Places]:
    """A single draw in which every world, group and seed counts once: the value itself."""
    return [
        Places(
            np.zeros(1, np.int64),
            np.ones((1, world.groups)),
            np.full((1, world.seeds), 1.0 / world.seeds),
        )
        for world in worlds
    ]


def gathered(places: Sequence[Places], values: Sequence[Floats], *, draws: int) -> Floats:
    """`[draw]`: the mean over a draw's worlds of the mean over the seeds taken there.

    A world without a value (no cell of a class that counts) is left out of the draw's mean; NaN
    where none has one.

    Args:
        places: As made by `resample`.
        values: Of each world, `[seed, place]`.
        draws: Bootstrap draws.
    """
    total, count = np.zeros(draws), np.zeros(draws)
    for place, value in zip(places, values, strict=True):
        of_world = (place.seeds.T * value).sum(axis=0)
        known = np.isfinite(of_world)
        np.add.at(total, place.draw[known], of_world[known])
        np.add.at(count, place.draw[known], 1.0)
    found: Floats = np.full(draws, np.nan)
    np.divide(total, count, out=found, where=count > 0)
    return found


def _often(random: np.random.Generator, count: int, draws: int) -> Floats:
    """`[draw, thing]`: how often each of `count` things is drawn in as many drawings."""
    return drawn(random, count, draws=draws).astype(np.float64)
