"""What the steps behind the scores cost for runs of up to a million cells; no pixels are needed.

    python -m benchmarks.large_runs [--json FILE] [--folder FOLDER] [--only "decide"]
        [--sizes 10000,19 100000,19 1000000,19 100000,1108]

Run folders are made by this script: sites of four channels on plates, twenty cells each, scores
that follow the labels of some of the cells, folds of whole wells, masks that are hard links to one
file per thousand sites. Then `decide`, `evaluate`, `report`, the exports and
the reading of a submission work on them, each in a process of its own. Given are wall and CPU
seconds, without the start of Python and its imports, and peak resident memory of the process, with
them. Sizes are `cells,classes`; submissions and the table of variability are of 19 classes.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from cellwise.domain.channels import Channel
from cellwise.domain.records import ChannelFile, Masks, Site
from cellwise.domain.steps import Job
from cellwise.domain.tables import CELLS, FOLDS, SCORES, SITES
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.masks import mask_path, write_masks
from cellwise.store.run.sites import sites_to_frame
from cellwise.store.run.tables import write_table
from cellwise.store.worlds.class_lists import class_list
from cellwise.store.worlds.submissions import HPA_COLUMNS

SIZES = ("10000,19", "100000,19", "1000000,19", "100000,1108")
CELLS_OF_SITE = 20
HPA_CLASSES = 19
FOLD_COUNT = 5
SIDE = 256
CHANNELS = (("red", "microtubule"), ("green", "protein"), ("blue", "nucleus"), ("yellow", "er"))
MEASURED = ("Cells_AreaShape_Area", "Cells_Intensity_MeanIntensity_green",
            "Nuclei_AreaShape_Area", "Nuclei_Intensity_MeanIntensity_blue")  # fmt: skip


def class_names(count: int) -> tuple[tuple[str, ...], str | None]:
    """The challenge's classes, or as many treatments."""
    if count == HPA_CLASSES:
        return class_list("hpa19").names, "Negative"
    return tuple(f"sirna_{k}" for k in range(count)), None


def make_run(folder: Path, *, cells: int, classes: int, seed: int = 0) -> None:
    """Write the tables and masks of a run as they lie before `decide`."""
    rng = np.random.default_rng(seed)
    run = RunFolder(folder)
    names, negative = class_names(classes)
    positive = tuple(name for name in names if name != negative)
    n_sites = cells // CELLS_OF_SITE
    site_ids = [f"s{k:07d}" for k in range(n_sites)]
    first = rng.integers(len(positive), size=n_sites)
    second = rng.integers(len(positive), size=n_sites)
    two = rng.random(n_sites) < 0.3
    test = np.arange(n_sites) % 2 == 1

    def labels_of(k: int) -> tuple[str, ...] | None:
        if test[k]:
            return None
        return tuple(sorted({positive[first[k]], *([positive[second[k]]] if two[k] else [])}))

    def place_of(k: int) -> dict[str, str]:
        well = k // 4 % 384
        return {"Plate": f"p{k // 4 // 384}", "Well": f"{chr(65 + well // 24)}{well % 24 + 1:02d}"}

    files = tuple(ChannelFile(Channel(n, r), (f"{n}.png",)) for n, r in CHANNELS)
    sites = [
        Site(name, name, files, "test" if test[k] else "train", labels_of(k), place_of(k))
        for k, name in enumerate(site_ids)
    ]
    header = {"size": 1, "mtime_ns": 1, "height": SIDE, "width": SIDE, "dtype": "uint8"}
    headers = {(site.id, channel): header for site in sites for channel, _ in CHANNELS}
    write_table(run.sites, SITES, sites_to_frame(sites, headers))
    listed = {"classes": {"names": list(names), "negative": negative}, "layout": "hpa"}
    run.reading.write_text(json.dumps(listed), encoding="utf-8")
    fold = np.where(test, -1, np.arange(n_sites) // 4 % FOLD_COUNT)
    folds = pl.DataFrame(
        {
            "site_id": site_ids,
            "fold": pl.Series(fold, dtype=pl.Int32).replace(-1, None),
            "group": [f"w{k // 4}" for k in range(n_sites)],
        }
    )
    write_table(run.folds, FOLDS, folds)
    site = np.repeat(np.arange(n_sites), CELLS_OF_SITE)
    number = np.tile(np.arange(1, CELLS_OF_SITE + 1), n_sites)
    _write_cells(run, site_ids, site, number, rng)
    _write_scores(run, site_ids, site, number, fold, (first, second, two), positive, rng)
    _write_masks(run, site_ids)
    steps = [
        {"kind": "score", "name": "cell", "options": {"by": "cell_net"}},
        {"kind": "decide", "name": "decide", "options": {"from": ["cell"]}},
    ]
    record = {"recipe": {"name": "large", "steps": steps}, "seed": seed, "status": "done",
              "inputs": {"folder": str(folder / "images")}}  # fmt: skip
    run.record.write_text(json.dumps(record), encoding="utf-8")
    (folder / "images").mkdir(exist_ok=True)
    wanted = [
        f"{name},{SIDE},{SIDE},0 1 eNo" for name, held in zip(site_ids, test, strict=True) if held
    ]
    asked = "\n".join([",".join(HPA_COLUMNS), *wanted])
    (folder / "images" / "sample_submission.csv").write_text(asked + "\n", encoding="utf-8")


def _write_cells(run: RunFolder, site_ids: list[str], site: Any, number: Any, rng: Any) -> None:
    count = len(site)
    top, left = (number - 1) // 5 * 60 + 2, (number - 1) % 5 * 50 + 2
    frame = pl.DataFrame(
        {
            "site_id": pl.Series(site_ids)[site],
            "cell_id": pl.Series(number, dtype=pl.Int32),
            **{n: pl.Series(v, dtype=pl.Int32) for n, v in
               (("y0", top), ("x0", left), ("y1", top + 40), ("x1", left + 40))},
            "x": pl.Series(left + 20.0, dtype=pl.Float32),
            "y": pl.Series(top + 20.0, dtype=pl.Float32),
            "area": pl.Series(np.full(count, 1600), dtype=pl.Int32),
            "border": np.zeros(count, bool),
            "flags": pl.Series([[]], dtype=pl.List(pl.String)).new_from_index(0, count),
            **{name: rng.random(count).astype(np.float32) for name in MEASURED},
        }
    )  # fmt: skip
    write_table(run.cells, CELLS, frame)


def _write_scores(
    run: RunFolder, site_ids: list[str], site: Any, number: Any, fold: Any,
    shown: tuple[Any, Any, Any], positive: tuple[str, ...], rng: Any,
) -> None:  # fmt: skip
    """Scores that tell two thirds of the cells that show the first label of their field."""
    first, second, two = shown
    count = len(site)
    scores = rng.standard_normal((count, len(positive)), dtype=np.float32) - 3
    told = rng.random(count) < 0.66
    scores[np.flatnonzero(told), first[site[told]]] += 4
    other = told & two[site] & (rng.random(count) < 0.5)
    scores[np.flatnonzero(other), second[site[other]]] += 4
    kind = pl.Array(pl.Float32, len(positive))
    frame = pl.DataFrame(
        {
            "unit": pl.repeat("cell", count, eager=True),
            "site_id": pl.Series(site_ids)[site],
            "cell_id": pl.Series(number, dtype=pl.Int32),
            "fold": pl.Series(fold[site], dtype=pl.Int32).replace(-1, None),
            "model": pl.repeat("cell/fold0", count, eager=True),
            "score": pl.Series(scores, dtype=kind),
            "spread": pl.Series(np.zeros_like(scores), dtype=kind),
        }
    )
    run.scores("cell").parent.mkdir(parents=True, exist_ok=True)
    write_table(run.scores("cell"), SCORES, frame, classes=positive)


def _write_masks(run: RunFolder, site_ids: list[str]) -> None:
    """Twenty squares in every site; a file of its own for every thousandth, links to it else."""
    labels = np.zeros((SIDE, SIDE), np.uint16)
    for k in range(CELLS_OF_SITE):
        y, x = k // 5 * 60 + 2, k % 5 * 50 + 2
        labels[y : y + 40, x : x + 40] = k + 1
    last = ""
    for k, name in enumerate(site_ids):
        if k % 1000 == 0:
            write_masks(run.masks, name, Masks(labels, labels * 0))
            last = name
            continue
        for part in ("cells", "nuclei"):
            os.link(mask_path(run.masks, last, part), mask_path(run.masks, name, part))


def _job(run: Path, name: str, options: dict[str, Any]) -> Job:
    return Job(run=run, images=run / "images", name=name, options=options, key="k", seed=0)


def _quiet(done: int, total: int, note: str) -> None:
    """Nobody looks."""


def decide(run: Path) -> None:
    """Probabilities, labels, and shares of wells."""
    from cellwise.stages.decide.step import work

    work(_job(run, "decide", {"from": ["cell"]}), _quiet)


def evaluate(run: Path) -> None:
    """Figures of fields and wells with intervals."""
    from cellwise.stages.evaluate.step import work

    work(_job(run, "evaluate", {}), _quiet)


def report(run: Path) -> None:
    """The page; images are not there."""
    from cellwise.stages.report.step import work

    work(_job(run, "report", {}), _quiet)


def _exported(to: str, ending: str) -> Callable[[Path], None]:
    def write(run: Path) -> None:
        from cellwise.app.api import open_run

        open_run(run).export(to, run / f"out.{ending}")

    return write


def check(run: Path) -> None:
    """The submission is read as `cellwise check` reads it, and held against a list of fields."""
    from cellwise.app.check_submission import check_submission

    facts = check_submission(run / "out.hpa.csv", against=run / "images")
    if facts["problems"]:
        raise SystemExit(f"check found {facts['problems'][:2]}")


CASES: dict[str, Callable[[Path], None]] = {
    "decide": decide,
    "evaluate": evaluate,
    "report": report,
    "export cells-csv": _exported("cells-csv", "csv"),
    "export anndata": _exported("anndata", "h5ad"),
    "export variability-csv": _exported("variability-csv", "var.csv"),
    "export hpa-csv": _exported("hpa-csv", "hpa.csv"),
    "check submission": check,
}
# With a column for each class.
OF_FEW_CLASSES = ("export variability-csv", "export hpa-csv", "check submission")


def peak_mb() -> int:
    """Largest resident memory of this process; `ru_maxrss` would count its parent's too."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return round(int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024)


def measure(case: str, run: Path) -> dict[str, Any]:
    """One case in this process."""
    import cellwise.app.api
    import cellwise.stages.decide.step
    import cellwise.stages.evaluate.step
    import cellwise.stages.report.step

    del cellwise
    start, cpu = time.perf_counter(), time.process_time()
    CASES[case](run)
    return {
        "wall_s": round(time.perf_counter() - start, 2),
        "cpu_s": round(time.process_time() - cpu, 2),
        "peak_mb": peak_mb(),
    }


def measured_apart(case: str, run: Path) -> dict[str, Any]:
    """One case in a process of its own.

    Raises:
        SystemExit: It failed.
    """
    command = [sys.executable, "-m", "benchmarks.large_runs", "--case", case, "--folder", str(run)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{case}: {done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--sizes", nargs="+", default=list(SIZES), help="cells,classes")
    parser.add_argument("--folder", type=Path, help="where run folders are made and kept")
    parser.add_argument("--only", default="", help="cases that begin so")
    parser.add_argument("--case", default="", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.case:
        print(json.dumps(measure(given.case, given.folder)))
        return
    lines = []
    with tempfile.TemporaryDirectory() as spare:
        for text in given.sizes:
            cells, classes = (int(part) for part in text.split(","))
            run = (given.folder or Path(spare)) / f"{cells}x{classes}"
            if not (run / "run.json").is_file():
                run.mkdir(parents=True, exist_ok=True)
                make_run(run, cells=cells, classes=classes)
            for case in CASES:
                if case in OF_FEW_CLASSES and classes != HPA_CLASSES:
                    continue
                if not case.startswith(given.only):
                    continue
                line = {"case": case, "who": "cellwise", "cells": cells, "classes": classes,
                        **measured_apart(case, run)}  # fmt: skip
                print(json.dumps(line), flush=True)
                lines.append(line)
    if given.json:
        told = {"machine": platform.processor() or platform.machine(), "lines": lines}
        given.json.write_text(json.dumps(told, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
