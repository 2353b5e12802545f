"""Two whole runs on one world, cell by cell: what the second is better by, with an interval.

    python benchmarks/paired_runs.py WORLD RUN_A RUN_B [--part test] [--draws 2000] [--json FILE]

Macro average precision over true cells (segmentation included: a cell that a run did not find ranks
last), over the positive classes that the world does not list as left out. Both runs are resampled
together, by whole fields and by whole groups (proteins).
"""

import argparse
import json
from pathlib import Path

import numpy as np

from cellwise.app.evaluate._run import known_cells
from cellwise.measures.average_precision import Floats, Groups, rank
from cellwise.stages.evaluate.known.cells import KnownCells
from cellwise.store.worlds.truth import read_truth

_LOWEST = -1e9


def macro_ap(cells: KnownCells, columns: list[int], groups: Groups, weights: Floats) -> Floats:
    """`[draw]` macro average precision under `[draw, group]` weights."""
    score = np.where(np.isfinite(cells.score), cells.score, _LOWEST)
    found = [
        rank(cells.truth[:, c], score[:, c], groups, count=weights.shape[1]).precision(weights)
        for c in columns
    ]
    mean: Floats = np.nanmean(np.stack(found), axis=0)
    return mean


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("world", type=Path)
    parser.add_argument("runs", type=Path, nargs=2)
    parser.add_argument("--part", default="test")
    parser.add_argument("--draws", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    truth = read_truth(given.world)
    left_out = truth.world.get("left_out", [])
    both = []
    for run in given.runs:
        cells, classes = known_cells(run, truth)
        both.append(cells.chosen((cells.part == given.part) & ~cells.ignored))
        kept = [
            k for k, n in enumerate(classes.names) if n in classes.positive and n not in left_out
        ]
    random, rows = np.random.default_rng(given.seed), []
    for unit in ("site_id", "group"):
        names, groups = np.unique(getattr(both[0], unit), return_inverse=True)
        drawn = random.multinomial(len(names), [1 / len(names)] * len(names), given.draws)
        weights = np.vstack([np.ones(len(names)), drawn]).astype(np.float64)
        first, second = (macro_ap(cells, kept, groups, weights) for cells in both)
        for what, values in (("first", first), ("second", second), ("difference", second - first)):
            low, high = np.nanpercentile(values[1:], [2.5, 97.5])
            figures = {"value": float(values[0]), "low": float(low), "high": float(high)}
            rows.append({"unit": unit, "what": what, "n": len(names), **figures})
            shown = f"{values[0]:+.3f} [{low:+.3f}, {high:+.3f}]"
            print(f"{unit:8s} n {len(names):4d}  {what:10s} {shown}")
    print(f"{len(both[0])} cells, {len(kept)} classes, part {given.part}")
    if given.json:
        given.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
