"""Treatments that differ from negative controls, by profiles of experiments that were not learned.

Of a treatment: on each of its plates the difference between its wells' mean profile and that of the
plate's negative controls; then the mean over plates, and its length. Under the hypothesis that
nothing was done, any well of the plate's treated and control wells might have been the treated one:
wells are permuted within plates, all ways where they are few. With few controls and plates no
p-value can be small, however far a treatment lies; the smallest that can be is said of each, and no
false discovery rate is given where it could reject nothing. Where every plate holds as many treated
wells as controls, exchanging all of them turns the difference round and leaves its length, so that
no way is the longest alone.

Source: permutation within strata, as Good 2005 (Permutation, Parametric and Bootstrap Tests), for
distances to controls as of Cell Painting profiles; p with one added, Phipson and Smyth 2010.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import product
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from cellwise.domain.screens.wells import NEGATIVE, TREATMENT
from cellwise.domain.units import PLATE

Floats = npt.NDArray[np.float64]

_LEVEL = 0.05
_DRAWS = 2000


def hits(profiles: pl.DataFrame, *, seed: int, draws: int = _DRAWS) -> dict[str, Any]:
    """Every treatment's distance to controls, its p-value and the smallest that it could have.

    Args:
        profiles: Rows of the table of profiles of wells that nothing was learned from, with their
            controls.
        seed: Of the draws.
        draws: Permutations of a treatment, where all ways are more.
    """
    control = (pl.col("well_type") == NEGATIVE).fill_null(value=False)
    plain = (pl.col("well_type") == TREATMENT).fill_null(value=True)
    plates = {
        str(plate): _vectors(rows) for (plate,), rows in profiles.filter(control).group_by(PLATE)
    }
    rows = profiles.filter(plain & pl.col("class").is_not_null() & pl.col(PLATE).is_in([*plates]))
    tested = []
    for number, ((name,), own) in enumerate(rows.group_by("class", maintain_order=True)):
        pools, sizes, networks = [], [], []
        for (plate,), here in own.sort(PLATE).group_by(PLATE, maintain_order=True):
            pools.append(np.concatenate([_vectors(here), plates[str(plate)]]))
            sizes.append(len(here))
            networks.append(str(here["model"][0]))
        random = np.random.default_rng([seed, number])
        tested.append((str(name), len(own), _test(pools, sizes, networks, random, draws)))
    tested.sort(key=lambda one: (one[2].p, -one[2].distance, one[0]))
    smallest = max((one.smallest_p for _, _, one in tested), default=1.0)
    enough = bool(tested) and smallest * len(tested) <= _LEVEL
    found = [{"treatment": name, "wells": wells, **asdict(one)} for name, wells, one in tested]
    if enough:
        rates = _benjamini_hochberg([one.p for _, _, one in tested])
        found = [{**one, "q": q} for one, q in zip(found, rates, strict=True)]
    return {
        "treatments": found,
        "controls": sum(map(len, plates.values())),
        "plates": len(plates),
        "smallest_p": smallest,
        "false_discovery_rate": enough,
    }


@dataclass(frozen=True, slots=True)
class _Tested:
    distance: float
    p: float
    smallest_p: float
    plates: int


def _vectors(rows: pl.DataFrame) -> Floats:
    return np.asarray(rows["vector"].to_numpy().astype(np.float64))


def _test(
    pools: list[Floats],
    sizes: list[int],
    networks: list[str],
    random: np.random.Generator,
    draws: int,
) -> _Tested:
    """Distance, p, and the smallest p; the treated wells stand first in each plate's pool."""
    ways = prod(_choices(len(pool), size) for pool, size in zip(pools, sizes, strict=True))
    single = all(size == 1 for size in sizes)
    least = _alike(pools, sizes, networks) / ways
    ours = [_differ(pool, np.arange(size)) for pool, size in zip(pools, sizes, strict=True)]
    of_network = np.unique(networks, return_inverse=True)[1]

    def length(way: Sequence[Floats]) -> float:
        """Numbers of two networks mean different things: the root mean square of their lengths."""
        each = [np.mean(np.asarray(way)[of_network == k], axis=0) for k in np.unique(of_network)]
        return float(np.sqrt(np.mean([np.square(mean).sum() for mean in each])))

    actual = length(ours)
    if ways <= draws and single:
        each = [[_differ(pool, np.array([k])) for k in range(len(pool))] for pool in pools]
        lengths = np.array([length(way) for way in product(*each)])
        p = float((lengths >= actual * (1 - 1e-9)).mean())
        return _Tested(actual, p, least, len(pools))
    above = 0
    for _ in range(draws):
        way = [
            _differ(pool, random.permutation(len(pool))[:size])
            for pool, size in zip(pools, sizes, strict=True)
        ]
        above += length(way) >= actual * (1 - 1e-9)
    p = (above + 1) / (draws + 1)
    return _Tested(actual, p, max(least, 1 / (draws + 1)), len(pools))


def _alike(pools: list[Floats], sizes: list[int], networks: list[str]) -> int:
    """How many ways have the same length whatever the profiles: the other side of each network."""
    halved: dict[str, bool] = {}
    for pool, size, network in zip(pools, sizes, networks, strict=True):
        halved[network] = halved.get(network, True) and len(pool) == 2 * size
    return int(2 ** sum(halved.values()))


def _choices(pool: int, size: int) -> int:
    found = 1
    for k in range(size):
        found = found * (pool - k) // (k + 1)
    return found


def _differ(pool: Floats, treated: npt.NDArray[np.integer[Any]]) -> Floats:
    rest = np.ones(len(pool), np.bool_)
    rest[treated] = False
    return np.asarray(pool[treated].mean(axis=0) - pool[rest].mean(axis=0))


def _benjamini_hochberg(p: list[float]) -> list[float]:
    """q-values of p-values in rising order (Benjamini and Hochberg 1995)."""
    raw = np.asarray(p) * len(p) / np.arange(1, len(p) + 1)
    return [float(q) for q in np.minimum(np.minimum.accumulate(raw[::-1])[::-1], 1)]
