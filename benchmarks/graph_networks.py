"""Vectors of several networks: one graph, a graph each, shared cells between, or spaces turned.

    OMP_NUM_THREADS=1 python benchmarks/graph_networks.py [--seeds 3]

Out-of-fold vectors come from the network that left a cell's field out. Cells of 60 clusters and 19
classes are made from seeds, labels 82 % right; three networks see the same 40 hidden quantities,
each weighted a little otherwise (by `differ`), bent, turned at random and scaled. Beside the
labelled cells there are unlabelled ones that all networks see. Printed is the share of right labels
after `spectral` on 20 neighbours:

* mixed: one graph over vectors of all networks as they are;
* each: a graph for each network, which is what the labeller does;
* each, shared: the same with the unlabelled cells in every graph, which start from the mean over
  the networks of what walks from them end at;
* turned: one graph, spaces brought together by orthogonal Procrustes (Schoenemann 1966) on the
  unlabelled cells;
* one: all cells by the first network, which no run has of cells that it learned from.
"""

import argparse
import sys

import numpy as np
import numpy.typing as npt

from cellwise.kernels.graphs.adjacency import join
from cellwise.kernels.graphs.neighbours import in_lists, nearest
from cellwise.kernels.graphs.principal import principal
from cellwise.kernels.graphs.smooth import smoothest
from cellwise.stages.label.graph._alternation import alternated
from cellwise.stages.label.graph._diffusion import diffused

CLUSTERS, CLASSES, NETWORKS, NUMBERS, NEIGHBOURS = 60, 19, 3, 128, 20
Floats = npt.NDArray[np.float32]
Numbers = npt.NDArray[np.int64]


def make_cells(count: int, seed: int, differ: float) -> tuple[list[Floats], Numbers]:
    """What each network sees of all cells, and their classes."""
    random = np.random.default_rng(seed)
    places = 0.55 * random.normal(size=(CLUSTERS, 40))
    cluster = random.integers(CLUSTERS, size=count)
    true = (random.permutation(CLUSTERS) % CLASSES)[cluster]
    hidden = places[cluster] + 0.6 * random.normal(size=(count, 40))
    mixed = random.normal(size=(40, NUMBERS)) / np.sqrt(40)
    seen = []
    for _ in range(NETWORKS):
        weight = 1 + differ * random.normal(size=40)
        bent = np.tanh((hidden * weight) @ mixed) + 0.1 * random.normal(size=(count, NUMBERS))
        turn = np.linalg.qr(random.normal(size=(NUMBERS, NUMBERS)))[0]
        seen.append((bent @ turn * random.uniform(0.7, 1.4)).astype(np.float32))
    return seen, true


def turned(vectors: Floats, own: Floats, theirs: Floats) -> Floats:
    """`vectors` moved, turned and scaled as brings `own` nearest to `theirs`, the same cells."""
    here, there = own - own.mean(axis=0), theirs - theirs.mean(axis=0)
    left, sizes, right = np.linalg.svd(here.T.astype(np.float64) @ there)
    turn = left @ right * (sizes.sum() / float((here**2).sum()))
    moved = (vectors - own.mean(axis=0)) @ turn + theirs.mean(axis=0)
    return np.asarray(moved, np.float32)


def smooth(vectors: Floats, start: Floats, labelled: int | None = None) -> Floats:
    """Labels made smooth on the graph; cells after the first `labelled` start from a walk's end."""
    points = principal(vectors, 64, scale=False)
    lists = in_lists(points)
    graph = join(nearest(points[lists.order], NEIGHBOURS, lists))
    if labelled is not None:
        known = (lists.order < labelled).astype(np.float32)
        ends = np.nan_to_num(diffused(graph, start[lists.order], known, 0.5))
        result = np.empty_like(start)
        result[lists.order] = ends
        return result
    found = smoothest(graph, min(50, len(points) // 4), more=10)
    labels, _ = alternated(found, start[lists.order], penalty=0.001, slack=0.12, rounds=100)
    result = np.empty_like(labels)
    result[lists.order] = labels
    return result


def measure(count: int, shared: int, seed: int, differ: float) -> dict[str, float]:
    """The share of right labels, by way."""
    seen, true = make_cells(count + shared, seed, differ)
    random = np.random.default_rng(seed + 100)
    maker = random.integers(NETWORKS, size=count)
    wrong = random.random(count) >= 0.82
    given = np.where(wrong, random.integers(CLASSES, size=count), true[:count])
    start = np.full((count, CLASSES), 0.05, np.float32)
    start[np.arange(count), given] = 0.8
    own = np.stack([seen[network][cell] for cell, network in enumerate(maker)])

    each, between, together = np.zeros_like(start), np.zeros_like(start), own.copy()
    rows = [np.flatnonzero(maker == network) for network in range(NETWORKS)]
    blank = np.zeros((shared, CLASSES), np.float32)
    both = [np.concatenate([own[r], seen[k][count:]]) for k, r in enumerate(rows)]
    ends = [smooth(both[k], np.concatenate([start[r], blank]), len(r)) for k, r in enumerate(rows)]
    mean = np.mean([end[len(r) :] for end, r in zip(ends, rows, strict=True)], axis=0)
    for network, some in enumerate(rows):
        each[some] = smooth(own[some], start[some])
        joined = np.concatenate([start[some], mean.astype(np.float32)])
        between[some] = smooth(both[network], joined)[: len(some)]
        if network:
            together[some] = turned(own[some], seen[network][count:], seen[0][count:])
    ways = {
        "before": start,
        "mixed": smooth(own, start),
        "each": each,
        "each, shared": between,
        "turned": smooth(together, start),
        "one": smooth(seen[0][:count], start),
    }
    return {
        name: float((labels.argmax(axis=1) == true[:count]).mean()) for name, labels in ways.items()
    }


def main() -> None:
    """Means over seeds for few and more cells, and for networks alike and unlike."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    seeds = range(parser.parse_args().seeds)
    for count, shared in ((1500, 500), (1500, 2000), (6000, 2000)):
        for differ in (0.0, 0.3, 0.6):
            every = [measure(count, shared, seed, differ) for seed in seeds]
            means = {name: round(float(np.mean([e[name] for e in every])), 3) for name in every[0]}
            sys.stdout.write(f"{count} labelled, {shared} shared, differ {differ}: {means}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
