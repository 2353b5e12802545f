"""Graphs of up to half a million cells: CPU time, memory, the source's way and faiss beside ours.

    OMP_NUM_THREADS=1 python benchmarks/graph.py [--sizes 5000,200 20000,200 100000,20 500000,20]
                                                 [--source 5000] [--json FILE] [--plot FILE.svg]

Cells are made from a seed: 1,024 numbers, a class of 19 for each of 60 clusters, labels 82 % right.
Each case is a process of its own, warmed on a few cells, so that its largest memory is its own: it
holds the vectors (4 KiB a cell) and this program's libraries. Time is CPU seconds of one thread.
Recall is the share of the nearest of all 1,024 numbers that were found, of 200 cells; the floor is
what their exact distances would take at the speed of this machine's matrix products.

The source's way is a ball tree, ARPACK and ADMM for each class, as published, at `--source` cells.
Where faiss is installed (no part of cellwise), its inverted lists search the same 64 numbers.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array, diags_array
from scipy.sparse.linalg import eigsh

from cellwise.kernels.graphs.adjacency import join
from cellwise.kernels.graphs.neighbours import in_lists, nearest
from cellwise.kernels.graphs.principal import principal
from cellwise.kernels.graphs.smooth import smoothest
from cellwise.stages.label.graph._alternation import alternated

CLASSES, NUMBERS, CLUSTERS, FUNCTIONS = 19, 1024, 60, 50
PENALTY, SLACK = 0.001, 0.12
Floats = npt.NDArray[np.float32]
Numbers = npt.NDArray[np.int64]


def make_cells(count: int) -> tuple[Floats, Numbers, Floats]:
    """Vectors, true classes, and what is said of the cells with a last column "nothing"."""
    random = np.random.default_rng(0)
    mixed = (random.normal(size=(40, NUMBERS)) / np.sqrt(40)).astype(np.float32)
    places = random.normal(size=(CLUSTERS, 40))
    cluster = random.integers(CLUSTERS, size=count)
    true = (random.permutation(CLUSTERS) % CLASSES)[cluster]
    vectors = np.empty((count, NUMBERS), np.float32)
    for begin in range(0, count, 10_000):
        some = cluster[begin : begin + 10_000]
        hidden = places[some] + 0.6 * random.normal(size=(len(some), 40))
        vectors[begin : begin + 10_000] = hidden.astype(np.float32) @ mixed
        noise = random.standard_normal((len(some), NUMBERS), dtype=np.float32)
        vectors[begin : begin + 10_000] += np.float32(0.1) * noise
    wrong = random.random(count) >= 0.82
    given = np.where(wrong, random.integers(CLASSES, size=count), true)
    said = np.full((count, CLASSES + 1), 0.05, np.float32)
    said[np.arange(count), given] = 0.8
    said[:, -1] = 1 - said[:, :-1].max(axis=1)
    return vectors, true, said


def ours(vectors: Floats, said: Floats, neighbours: int) -> tuple[dict[str, Any], Floats]:
    """Seconds of each part, and the labels."""
    marks = [time.process_time()]
    points = principal(vectors, 64, scale=False)
    marks.append(time.process_time())
    lists = in_lists(points)
    points = points[lists.order]
    found = nearest(points, neighbours, lists)
    marks.append(time.process_time())
    graph = join(found)
    marks.append(time.process_time())
    functions = smoothest(graph, FUNCTIONS, more=10)
    marks.append(time.process_time())
    labels, rounds = alternated(
        functions, said[lists.order], penalty=PENALTY, slack=SLACK, rounds=100
    )
    marks.append(time.process_time())
    back = np.empty_like(labels)
    back[lists.order] = labels
    parts = dict(zip(("components", "search", "graph", "functions", "alternation"),
                     np.diff(marks).round(2).tolist(), strict=True))  # fmt: skip
    facts = {
        **parts,
        "cpu_s": round(marks[-1] - marks[0], 2),
        "residual": float(f"{functions.residual:.1g}"),
        "functions_taken": len(functions.values),
        "rounds": rounds,
        **_recall(vectors, lists.order, found),
    }
    return facts, back


def _recall(vectors: Floats, order: Numbers, found: npt.NDArray[np.int32]) -> dict[str, float]:
    """Found neighbours against those of all numbers, of 200 cells, and the floor of exact ones."""
    some = np.linspace(0, len(order) - 1, 200).astype(np.int64)
    asked = vectors[order[some]]
    begun = time.process_time()
    products = asked @ vectors.T
    floor = (time.process_time() - begun) * len(vectors) / 200
    far = np.einsum("ij,ij->i", vectors, vectors) - 2 * products
    far[np.arange(200), order[some]] = np.inf
    count = found.shape[1]
    near = np.argpartition(far, count, axis=1)[:, :count]
    shared = [len(set(a) & set(order[b])) for a, b in zip(near, found[some], strict=True)]
    return {"recall": round(float(np.mean(shared)) / count, 3), "exact_floor_s": round(floor, 1)}


def the_source(vectors: Floats, said: Floats, neighbours: int) -> tuple[dict[str, Any], Floats]:
    """The published way: a ball tree, one eigenvector at a time, ADMM class by class."""
    from sklearn.neighbors import BallTree

    marks = [time.process_time()]
    near = BallTree(vectors).query(vectors, neighbours + 1, return_distance=False)
    marks.append(time.process_time())
    count = len(vectors)
    rows = np.repeat(np.arange(count), neighbours + 1)
    ones = coo_array((np.ones(near.size), (rows, near.ravel())), shape=(count, count)).tocsr()
    joined = ones.maximum(ones.T)
    joined.setdiag(0)
    roots = diags_array(1 / np.sqrt(joined.sum(1)))
    start = np.random.default_rng(0).normal(size=count)
    values, functions = eigsh(roots @ joined @ roots, FUNCTIONS, which="LA", v0=start)
    weights = PENALTY * np.sqrt(np.maximum(1 - values, 0))
    marks.append(time.process_time())
    labels = said.astype(np.float64)
    rounds = 0
    while rounds < 100:
        rounds += 1
        columns = [_pursuit(functions, labels[:, k], weights) for k in range(labels.shape[1])]
        smooth = functions @ np.stack(columns, axis=1)
        above = np.maximum(smooth - SLACK, said)
        below = np.maximum(0, np.minimum(smooth + SLACK, said))
        cost = [(z - smooth) ** 2 / 2 + SLACK * np.abs(z - said) for z in (above, below)]
        before, labels = labels, np.where(cost[0] < cost[1], above, below)
        if np.mean(np.isclose(labels, before, rtol=0.01, atol=0)) >= 0.999:
            break
    marks.append(time.process_time())
    parts = dict(zip(("search", "functions", "alternation"), np.diff(marks).round(2).tolist(),
                     strict=True))  # fmt: skip
    return {**parts, "cpu_s": round(marks[-1] - marks[0], 2), "rounds": rounds}, labels.astype(
        np.float32
    )


def _pursuit(functions: Any, signal: Any, weights: Any) -> npt.NDArray[np.float64]:
    """Weighted basis pursuit of one column by ADMM: up to 1,000 rounds, until 1e-5."""
    inverse = np.linalg.inv(functions.T @ functions + np.eye(len(weights)))
    seen = functions.T @ signal
    kept, left = np.zeros(len(weights)), np.zeros(len(weights))
    for _ in range(1000):
        moved = inverse @ (seen + kept - left)
        before = kept
        kept = np.sign(moved + left) * np.maximum(np.abs(moved + left) - weights, 0)
        left += moved - kept
        far = [float(np.linalg.norm(one)) for one in (moved - kept, kept - before, kept)]
        if max(far[:2]) < 1e-5 * max(far[2], 1e-12):
            break
    return kept


def with_faiss(vectors: Floats, neighbours: int) -> dict[str, Any]:
    """Inverted lists of faiss on the same 64 numbers."""
    import faiss  # type: ignore[import-not-found]

    faiss.omp_set_num_threads(1)
    points = principal(vectors, 64, scale=False)
    begun = time.process_time()
    lists = max(1, len(points) // 384)
    coarse = faiss.IndexFlatL2(64)
    index = faiss.IndexIVFFlat(coarse, 64, lists)
    index.train(points[np.random.default_rng(0).permutation(len(points))[: lists * 40]])
    index.add(points)
    index.nprobe = 16
    _, found = index.search(points, neighbours + 1)
    seconds = time.process_time() - begun
    order = np.arange(len(points))
    own = [row[row != i][:neighbours] for i, row in enumerate(found[:, : neighbours + 1])]
    every = np.stack([np.pad(row, (0, neighbours - len(row)), mode="edge") for row in own])
    recall = _recall(vectors, order, every.astype(np.int32))
    return {"cpu_s": round(seconds, 2), **recall}


def measure(case: dict[str, Any]) -> dict[str, Any]:
    """One way on one number of cells."""
    way, count, neighbours = case["way"], case["cells"], case["neighbours"]
    small, _, soft = make_cells(300)
    ours(small, soft, 10)
    vectors, true, said = make_cells(count)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    facts: dict[str, Any]
    if way == "faiss":
        facts = with_faiss(vectors, neighbours)
    else:
        facts, labels = (ours if way == "ours" else the_source)(vectors, said, neighbours)
        facts["right_before"] = round(float((said[:, :-1].argmax(1) == true).mean()), 3)
        facts["right"] = round(float((labels[:, :-1].argmax(1) == true).mean()), 3)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return {**case, **facts, "before_gib": round(before, 2), "peak_gib": round(peak, 2)}


def plot(found: list[dict[str, Any]], path: Path) -> None:
    """CPU seconds over cells, both by powers of ten, as an image in SVG."""
    texts = []

    def place(cells: float, seconds: float) -> tuple[float, float]:
        return 60 + 170 * (np.log10(cells) - 3), 300 - 65 * (np.log10(seconds) + 1)

    for power in range(3, 7):
        across, _ = place(10.0**power, 1)
        texts.append(f'<text x="{across:.0f}" y="328" text-anchor="middle">{10**power:,}</text>')
        texts.append(f'<path d="M{across:.0f} 40V310" stroke="#ddd"/>')
    for power in range(-1, 4):
        _, down = place(1000, 10.0**power)
        texts.append(f'<text x="52" y="{down + 4:.0f}" text-anchor="end">{10.0**power:g}</text>')
        texts.append(f'<path d="M60 {down:.0f}H570" stroke="#ddd"/>')
    ends = [place(cells, cells * 1e-4) for cells in (1e3, 1e6)]
    line = " ".join(f"{x:.0f},{y:.0f}" for x, y in ends)
    texts.append(f'<polyline points="{line}" stroke="#888" stroke-dasharray="4 4"/>')
    for row in found:
        x, y = place(row["cells"], row["cpu_s"])
        colour = {"ours": "#06c", "source": "#c40"}.get(row["way"])
        if colour:
            texts.append(f'<circle cx="{x:.0f}" cy="{y:.0f}" r="5" fill="{colour}"/>')
            words = f"{row['way']}, k {row['neighbours']}"
            texts.append(f'<text x="{x + 9:.0f}" y="{y + 4:.0f}">{words}</text>')
    texts.append('<text x="60" y="22">CPU seconds over cells; dashed: 0.1 ms a cell</text>')
    head = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 640 340" fill="none">'
    style = "<style>text{font:12px sans-serif;fill:#333}</style>"
    back = '<rect width="640" height="340" fill="#fff"/>'
    path.write_text("\n".join([head, style, back, *texts, "</svg>"]) + "\n", encoding="utf-8")


def cells_and_neighbours(text: str) -> tuple[int, int]:
    """`5000,200` as 5,000 cells of which each is joined with 200 others."""
    try:
        cells, neighbours = map(int, text.split(","))
    except ValueError as error:
        raise argparse.ArgumentTypeError(
            f"a case is cells and neighbours such as 5000,200, not {text!r}"
        ) from error
    return cells, neighbours


def main() -> None:
    """Measure each case in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--sizes", nargs="*", type=cells_and_neighbours, metavar="CELLS,NEIGHBOURS",
        default=[(5000, 200), (20000, 200), (100000, 20), (500000, 20)],
        help="one case each: number of cells, a comma, neighbours of each cell, such as 5000,200",
    )  # fmt: skip
    parser.add_argument(
        "--source", type=int, default=5000, help="cells of the source's way; 0 leaves it out"
    )
    parser.add_argument("--json", default="", help="file that all figures are written to")
    parser.add_argument("--plot", default="", help="picture of time over cells, an SVG")
    parser.add_argument("--case", default="", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.case:
        sys.stdout.write(json.dumps(measure(json.loads(given.case))) + "\n")
        return
    cases = [{"way": "ours", "cells": n, "neighbours": k - (k == 200)} for n, k in given.sizes]
    cases += [dict(case, way="faiss") for case in cases if find_spec("faiss")]
    cases += [{"way": "source", "cells": given.source, "neighbours": 199}] if given.source else []
    found = []
    for case in cases:
        command = [sys.executable, __file__, "--case", json.dumps(case)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        found.append(json.loads(done.stdout.splitlines()[-1]))
        sys.stdout.write(json.dumps(found[-1]) + "\n")
        sys.stdout.flush()
    if given.json:
        Path(given.json).write_text(json.dumps(found, indent=1), encoding="utf-8")
    if given.plot:
        plot(found, Path(given.plot))


if __name__ == "__main__":
    main()
