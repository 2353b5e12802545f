"""`cellwise predict` over a folder of fields, beside the first HPA system's way at equal backbone.

    python benchmarks/predict.py --work FOLDER [--fields 200] [--first 20] [--backbone resnet18]
                                 [--json FILE]

Two runs learn for one epoch from the same small simulated folder: ours from crops of single cells,
theirs from whole fields of 512 pixels. Then both predict new fields, theirs fewer of them as it
takes long, each as a user gives the command: reading, segmentation, crops, probabilities, decisions
and report. Theirs shows the network each cell alone in an otherwise black field, in single
precision, as that system does; ours shows it the crop, with what `--runtime auto` finds fastest.
Segmentation is the same for both, so what is compared is all of `predict`. Weights are by chance,
so answers mean nothing. CPU seconds are those of the command and all its processes.

The pair is also held against each other's runtime: our run once more in single precision, its
probabilities beside those of `auto`. A command that was finished is not given again.
"""

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import polars as pl

ROOT = Path(__file__).resolve().parents[1]
SIDE, LABELLED = 512, 40
_STEPS = """format: 1
steps:
  - read:
  - segment: {{name: small_unet}}
  - cells: {{size: {size}, policy: {policy}}}
  - split: {{by: auto, folds: 2}}
  - label: {{as: inherited}}
  - train: {{as: net, task: {task}, labels: {labels}, epochs: 1, batch: 8, folds: [0],
            net: {{name: backbone, model: {backbone}, pretrained: false}}}}
  - score: {{as: net, model: net, by: {by}}}
  - decide: {{from: [net]}}
  - evaluate:
  - report:
"""
WAYS = {
    "ours": {
        "size": 128,
        "policy": "mask_others",
        "task": "cell",
        "by": "cell_net",
        "labels": "inherited",
    },
    "first system": {
        "size": 64,
        "policy": "mask_all",
        "task": f"{{name: image, size: {SIDE}}}",
        "by": "masked_view",
        "labels": '""',
    },
}


def command(log: Path, *words: str) -> float:
    """Give a command and return its CPU seconds; stop where it fails."""
    around = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{os.environ.get('PYTHONPATH', '')}"}
    call = [sys.executable, "-c", "from cellwise.app.cli import main; main()", *words]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with log.open("a", encoding="utf-8") as stream:
        done = subprocess.run(call, env=around, stdout=stream, stderr=stream, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode not in (0, 3):
        raise SystemExit(f"cellwise {' '.join(words)}: exit {done.returncode}, see {log}")
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def predicted(work: Path, way: str, runtime: str) -> dict[str, Any]:
    """One line of the result, made once."""
    name = f"{way.replace(' ', '-')}-{runtime}"
    done, log = work / f"{name}.json", work / f"{name}.log"
    if done.exists():
        return dict(json.loads(done.read_text(encoding="utf-8")))
    out = work / f"{name}.predicted"
    folder = work / ("new" if way == "ours" else "fewer")
    words = ("predict", str(work / f"{way.replace(' ', '-')}.run"), str(folder))
    begun = time.monotonic()
    used = command(
        log, *words, "--out", str(out), "--workers", "1", "--device", "cpu", "--runtime", runtime
    )
    record = json.loads((out / "run.json").read_text(encoding="utf-8"))
    cells = len(pl.read_parquet(out / "predictions.parquet", columns=["cell_id"]))
    row = {
        "way": way,
        "runtime": runtime,
        "fields": record["counts"]["sites"],
        "cells": cells,
        "cpu_s": round(used, 1),
        "wall_s": round(time.monotonic() - begun, 1),
        "cells_per_cpu_s": round(cells / used, 2),
        "steps_wall_s": {step["name"]: round(step["seconds"], 1) for step in record["steps"]},
        "runtimes": next(s["counts"] for s in record["steps"] if s["kind"] == "score"),
    }
    done.write_text(json.dumps(row), encoding="utf-8")
    return row


def difference(work: Path) -> float:
    """The largest difference of a probability between our two runtimes."""
    one, other = (
        pl.read_parquet(work / f"ours-{name}.predicted" / "predictions.parquet").sort(
            "site_id", "cell_id"
        )
        for name in ("auto", "fp32")
    )
    columns = [name for name in one.columns if name.startswith("Prob_")]
    return float((one.select(columns) - other.select(columns)).to_numpy().__abs__().max())


def main() -> None:
    """Make the runs that are not there, predict, and print one line for each way."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--fields", type=int, default=200)
    parser.add_argument("--first", type=int, default=20)
    parser.add_argument("--backbone", default="resnet18")
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    work: Path = asked.work
    work.mkdir(parents=True, exist_ok=True)
    worlds = {"taught": (LABELLED, 1), "new": (asked.fields, 2), "fewer": (asked.first, 3)}
    for name, (sites, seed) in worlds.items():
        if not (work / name).exists():
            sizes = ("--sites", str(sites), "--size", str(SIDE), "--seed", str(seed))
            world = ("--world", "hpa", "--severity", "default")
            command(work / "worlds.log", "simulate", str(work / name), *world, *sizes)
    for way, options in WAYS.items():
        name = way.replace(" ", "-")
        if (work / f"{name}.trained").exists():
            continue
        recipe = work / f"{name}.yaml"
        recipe.write_text(_STEPS.format(backbone=asked.backbone, **options), encoding="utf-8")
        given = (str(work / "taught"), "--recipe", str(recipe), "--out", str(work / f"{name}.run"))
        command(work / f"{name}.log", "run", *given, "--workers", "1", "--device", "cpu")
        (work / f"{name}.trained").touch()
    machine = f"{platform.machine()}, {os.cpu_count()} processors"
    found: dict[str, Any] = {"machine": machine, "load": os.getloadavg()[0], "rows": []}
    for way, runtime in (("ours", "auto"), ("ours", "fp32"), ("first system", "fp32")):
        found["rows"].append(predicted(work, way, runtime))
        print(json.dumps(found["rows"][-1]), flush=True)
        if asked.json:
            asked.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    ours, _, theirs = found["rows"]
    found["times"] = round(ours["cells_per_cpu_s"] / theirs["cells_per_cpu_s"], 1)
    found["largest_difference"] = difference(work)
    print(json.dumps({name: found[name] for name in ("times", "largest_difference")}))
    if asked.json:
        asked.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
