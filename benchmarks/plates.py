"""Decisions on plates and replicate retrieval at full size: CPU seconds and the largest memory.

    python benchmarks/plates.py [--wells 1000000] [--retrieval 36517] [--json FILE]

`decide`: logits of two sites per well, 1,108 classes in four groups of 277, plates of 277 wells,
averaged to wells, masked, and assigned in four ways. Plates are made one after the other from a
seed, outside the clock. `retrieve`: wells of 51 experiments times four plates, vectors of 512
numbers. One thread; memory is the largest resident size of the process. Goals: a million wells
within 5 minutes; 36,517 wells x 512 in under 60 s and 4 GB.
"""

import argparse
import json
import platform
import resource
import time
from pathlib import Path

import numpy as np

from cellwise.kernels.assignment import balanced, best, greedy, optimal
from cellwise.kernels.retrieval import retrieve

GROUP, GROUPS, SITES = 277, 4, 2


def decide(wells: int) -> dict[str, float]:
    """CPU seconds of each part, over as many plates as hold the wells."""
    rng = np.random.default_rng(0)
    spent = dict.fromkeys(("mean of sites", "mask", "greedy", "balance", "optimal"), 0.0)
    plates = -(-wells // GROUP)
    noise = rng.standard_normal((64, GROUPS * GROUP)).astype(np.float32)
    for plate in range(plates):
        group = plate % GROUPS
        logits = np.tile(noise, (SITES * GROUP // 64 + 1, 1))[: SITES * GROUP].copy()
        logits += rng.standard_normal((SITES * GROUP, 1)).astype(np.float32)
        own = group * GROUP + rng.permutation(GROUP)
        logits[np.arange(SITES * GROUP), np.repeat(own, SITES)] += 2.5
        mark = time.process_time()
        mean = logits.reshape(GROUP, SITES, -1).mean(axis=1)
        mark = _count(spent, "mean of sites", mark)
        votes = np.bincount(best(mean) // GROUP, minlength=GROUPS)
        kept = mean[:, votes.argmax() * GROUP : (votes.argmax() + 1) * GROUP]
        mark = _count(spent, "mask", mark)
        greedy(kept)
        mark = _count(spent, "greedy", mark)
        even = balanced(kept)
        mark = _count(spent, "balance", mark)
        optimal(np.log(np.maximum(even, 1e-12)))
        _count(spent, "optimal", mark)
    return {**spent, "wells": plates * GROUP, "all": sum(spent.values())}


def _count(spent: dict[str, float], name: str, since: float) -> float:
    now = time.process_time()
    spent[name] += now - since
    return now


def retrieval(wells: int) -> dict[str, float]:
    """CPU seconds of replicate retrieval."""
    rng = np.random.default_rng(1)
    treatment = rng.integers(0, GROUPS * GROUP, wells)
    vectors = rng.standard_normal((wells, 512)).astype(np.float32)
    vectors += 0.3 * rng.standard_normal((GROUPS * GROUP, 512)).astype(np.float32)[treatment]
    plate, position = rng.integers(0, 51 * 4, wells), rng.integers(0, 308, wells)
    few = slice(0, 64)
    retrieve(vectors[few], treatment[few], plate[few], position[few])
    mark = time.process_time()
    found = retrieve(vectors, treatment, plate, position)
    spent = time.process_time() - mark
    return {"wells": wells, "cpu_s": spent, "mean": float(np.nanmean(found.precision))}


def main() -> None:
    """Run both and print them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--wells", type=int, default=1_000_000)
    parser.add_argument("--retrieval", type=int, default=36_517)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    decide(GROUP)
    result = {
        "retrieve": retrieval(asked.retrieval),
        "decide": decide(asked.wells),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "machine": platform.processor() or platform.machine(),
    }
    text = json.dumps(result, indent=1)
    if asked.json:
        asked.json.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
