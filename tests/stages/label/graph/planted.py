"""Made-up cells whose true classes are known, with errors of two kinds planted in their labels."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

CLASSES = 19


@dataclass(frozen=True)
class Planted:
    """`vectors` `[cell, number]`, `true` and `given` `[cell, class]`, `site` `[cell]`."""

    vectors: npt.NDArray[np.float32]
    true: npt.NDArray[np.bool_]
    given: npt.NDArray[np.bool_]
    site: npt.NDArray[np.int64]


def by_cell(
    count: int, seed: int, *, numbers: int = 1024, clusters: int = 60, right: float = 0.82
) -> Planted:
    """Each cell shows the class of its cluster; labels are wrong by chance, cell by cell."""
    rng = np.random.default_rng(seed)
    mixed = rng.normal(size=(40, numbers)) / np.sqrt(40)
    places = rng.normal(size=(clusters, 40))
    cluster = rng.integers(clusters, size=count)
    true = (rng.permutation(clusters) % CLASSES)[cluster]
    hidden = places[cluster] + 0.6 * rng.normal(size=(count, 40))
    vectors = (hidden @ mixed).astype(np.float32)
    vectors += 0.1 * rng.normal(size=vectors.shape).astype(np.float32)
    given = np.where(rng.random(count) < right, true, rng.integers(CLASSES, size=count))
    classes = np.eye(CLASSES, dtype=bool)
    return Planted(vectors, classes[true], classes[given], np.arange(count))


def by_field(
    fields: int, each: int, seed: int, *, shift: float = 0.5, companions: float = 0.6
) -> Planted:
    """Cells inherit the labels of their field, which has a class and often its companion.

    Each cell shows one of its field's labels. Cells of one field look more alike than their classes
    say, by `shift`, so that neighbours share what is wrong.
    """
    rng = np.random.default_rng(seed)
    mixed = rng.normal(size=(40, 256)) / np.sqrt(40)
    places = 0.45 * rng.normal(size=(60, 40))
    of_cluster = rng.permutation(60) % CLASSES
    site = np.repeat(np.arange(fields), each)
    first = rng.integers(CLASSES, size=fields)
    two = rng.random(fields) < companions
    given = np.zeros((fields, CLASSES), bool)
    given[np.arange(fields), first] = True
    given[np.flatnonzero(two), (first[two] + 1) % CLASSES] = True
    shown = (first[site] + (two[site] & (rng.random(len(site)) < 0.5))) % CLASSES
    chosen = np.array([[rng.choice(np.flatnonzero(of_cluster == c)) for c in range(CLASSES)]
                       for _ in range(fields)])  # fmt: skip
    hidden = places[chosen[site, shown]] + shift * rng.normal(size=(fields, 40))[site]
    hidden += 0.7 * rng.normal(size=hidden.shape)
    vectors = hidden @ mixed + 0.15 * rng.normal(size=(len(site), 256))
    return Planted(
        vectors.astype(np.float32), np.eye(CLASSES, dtype=bool)[shown], given[site], site
    )
