"""Kernel ridge on landmarks: accuracy beside the exact answer, and what half a million cells cost.

    OMP_NUM_THREADS=2 python benchmarks/learners.py [--cells 500000] [--numbers 400] [--json FILE]

Cells are made from a seed: each shows one of 19 classes, one in five of them a second; a class is
a place among 40 hidden quantities, which curved mixtures of them and noise turn into the numbers.
With `--vectors FILE` (an `.npz` with `X` `[cell, number]` and `T` `[cell, class]`, of measured
cells with known classes) half of those cells are repeated with noise of a third of a deviation, and
the other half judge. `--who` takes one learner; each is run in a process of its own, so that its
largest memory is its own. Time is CPU seconds of all threads; accuracy is macro average precision
of 10,000 new cells; out of fold it is that of the cells learned from, in five folds.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.metrics import average_precision_score

from cellwise.parts.learners import learners

CLASSES, HIDDEN, NEW, SMALL = 19, 40, 10_000, 5_000
Floats = npt.NDArray[np.float32]


def make_cells(count: int, numbers: int, seed: int) -> tuple[Floats, Floats]:
    """Vectors and labels; what a class is does not depend on `seed`."""
    fixed, random = np.random.default_rng(0), np.random.default_rng(seed)
    places = fixed.normal(size=(CLASSES, HIDDEN))
    first = fixed.normal(size=(HIDDEN, numbers)) / np.sqrt(HIDDEN)
    second = fixed.normal(size=(HIDDEN, numbers)) / np.sqrt(HIDDEN)
    shown = np.eye(CLASSES, dtype=bool)[random.integers(CLASSES, size=count)]
    twice = random.random(count) < 0.2
    shown[twice, random.integers(CLASSES, size=int(twice.sum()))] = True
    vectors = np.empty((count, numbers), np.float32)
    for begin in range(0, count, 20_000):
        rows = slice(begin, begin + 20_000)
        some = shown[rows]
        hidden = 0.9 * some @ places / some.sum(1, keepdims=True)
        hidden += random.normal(size=hidden.shape)
        curved = np.tanh(hidden @ first) + np.abs(hidden @ second)
        vectors[rows] = curved + 0.3 * random.normal(size=curved.shape)
    return vectors, shown.astype(np.float32)


def repeat_cells(path: Path, count: int) -> tuple[Floats, Floats, Floats, Floats]:
    """Half of the cells of a file repeated with noise, and the other half."""
    held = np.load(path, allow_pickle=False)
    vectors, labels = held["X"].astype(np.float32), held["T"].astype(np.float32)
    random = np.random.default_rng(0)
    order = random.permutation(len(vectors))
    taught, new = order[::2], order[1::2]
    chosen = random.choice(taught, count)
    spread = np.nanstd(vectors, axis=0)
    made = vectors[chosen]
    for begin in range(0, count, 20_000):
        some = made[begin : begin + 20_000]
        some += spread * random.normal(0, 0.3, some.shape).astype(np.float32)
    return made, labels[chosen], vectors[new], labels[new]


def measure(case: dict[str, Any]) -> dict[str, Any]:
    """One learner on one number of cells."""
    count, numbers = case["cells"], case["numbers"]
    if case["vectors"]:
        vectors, labels, new, truth = repeat_cells(Path(case["vectors"]), count)
    else:
        vectors, labels = make_cells(count, numbers, 1)
        new, truth = make_cells(NEW, numbers, 2)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    begun, clock = time.process_time(), time.perf_counter()
    learner = learners.build(case["who"])
    if case["out_of_fold"]:
        folds = np.arange(count)[None] % 5
        smoother = learner.out_of_fold(vectors, folds, 0)
        found, truth = smoother(labels), labels
        made = time.process_time() - begun
        smoother(labels)
        again = time.process_time() - begun - made
    else:
        found = learner.fit(vectors, labels, np.ones(count, np.float32), 0).predict(new)
        made, again = time.process_time() - begun, 0.0
    kept = (truth.sum(0) >= 5) & (truth.sum(0) < len(truth))
    return {
        **case,
        "cpu_s": round(made, 1),
        "round_cpu_s": round(again, 1),
        "wall_s": round(time.perf_counter() - clock, 1),
        "data_gib": round(before, 2),
        "peak_gib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2),
        "macro_ap": round(float(average_precision_score(truth[:, kept], found[:, kept])), 4),
    }


def cases(given: argparse.Namespace) -> list[dict[str, Any]]:
    """What is measured, in order."""
    ridge = {"name": "kernel_ridge", "exact": SMALL}
    marks = [{**ridge, "exact": 0, "landmarks": count} for count in (1000, 2000, 3000)]
    small = [(who, SMALL) for who in (ridge, *marks, "logistic", "perceptron")]
    wanted = [*small, (ridge, given.cells)]
    if given.who:
        wanted = [(json.loads(given.who), given.cells)]
    common = {"numbers": given.numbers, "vectors": given.vectors, "out_of_fold": given.out_of_fold}
    return [{"who": who, "cells": cells, **common} for who, cells in wanted]


def main() -> None:
    """Measure each case in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, default=500_000)
    parser.add_argument("--numbers", type=int, default=400)
    parser.add_argument("--vectors", default="")
    parser.add_argument("--who", default="", help="one learner, as JSON")
    parser.add_argument("--out-of-fold", action="store_true")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--case", default="", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.case:
        print(json.dumps(measure(json.loads(given.case))))
        return
    rows = []
    for case in cases(given):
        command = [sys.executable, __file__, "--case", json.dumps(case)]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        rows.append(json.loads(done.stdout.splitlines()[-1]))
        print(rows[-1], flush=True)
    if given.json:
        given.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
