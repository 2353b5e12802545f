"""The spread of the demo's figures over seeds: folds, weights, order and augmentation drawn anew.

    python benchmarks/demo_seeds.py [--seeds 5] [--json FILE] [--keep DIR]

Each seed is a whole demo (half a minute on two idle cores). The check figures are printed one line
per seed, then their smallest, median and largest value, beside the limit that the demo checks.
"""

import argparse
import json
import statistics
import tempfile
from pathlib import Path
from typing import Any

from cellwise.app.demo import LIMITS, run_demo
from cellwise.flow.pipeline.events import Silent


def figures(result: dict[str, Any]) -> dict[str, float]:
    """The figures of one demo, the worse of the two drugs where there are two."""
    drugs = result["drugs"]
    away = [abs(d["midpoint"] - d["reference_midpoint"]) for d in drugs]
    return {
        "r2": min(d["r2"] for d in drugs),
        "midpoint_distance": max(away),
        "dose_spearman": min(abs(d["dose_spearman"]) for d in drugs),
        "z_prime": result["z_prime"],
        "cell_ratio_spearman": result["cell_ratio_spearman"],
        "control_spearman": abs(result["negative_control"]["dose_spearman"]),
        "control_z_prime": result["negative_control"]["z_prime"],
    }


def measure(seeds: int, folder: Path) -> list[dict[str, float]]:
    """Run the demo with seeds 0..seeds-1 below `folder`."""
    rows = []
    for seed in range(seeds):
        _, result = run_demo(
            folder / f"seed{seed}",
            workers=2,
            command=["benchmarks/demo_seeds.py"],
            listener=Silent(),
            seed=seed,
        )
        rows.append({"seed": seed, **figures(result)})
        print("  ".join(f"{name} {value:.3g}" for name, value in rows[-1].items()), flush=True)
    return rows


def summary(rows: list[dict[str, float]]) -> list[str]:
    """One line per figure: smallest, median, largest, limit."""
    lines = []
    for name, limit in LIMITS.items():
        values = [row[name] for row in rows]
        spread = f"{min(values):.3g} / {statistics.median(values):.3g} / {max(values):.3g}"
        lines.append(f"{name:22s} {spread:26s} limit {limit:g}")
    return lines


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--keep", type=Path, help="Folder for the runs; deleted without it.")
    given = parser.parse_args()
    if given.keep:
        rows = measure(given.seeds, given.keep)
    else:
        with tempfile.TemporaryDirectory() as folder:
            rows = measure(given.seeds, Path(folder))
    print(f"\nsmallest / median / largest of {given.seeds} seeds")
    print("\n".join(summary(rows)))
    if given.json:
        given.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
