"""A recipe of full size from images to a checked submission on a few fields: times, disk, memory.

    python benchmarks/full_size_recipes.py hpa-cam-cycles --work FOLDER [--json FILE]

Networks and images have the sizes that the recipe says and weights by chance; learning is cut to
one epoch, small batches and bags, and two batches to a step, so that two cores and a few GB of
memory do. What such networks find is worth nothing; that every step does its work, what it takes,
and how much disk, is what is seen.

The folder: simulated fields of 512 pixels in the challenge's layout, the fewest of which every
class is on two and missing on two, and few enough for five folds. Of each field a few whole cells
are kept, and all else is filled with its background, so that fields are sparse and the recipe's
own segmentation finds about as many cells.

The work is done by `cellwise simulate`, `check`, `run`, `export` and `check --against` as a user
gives them; only `run` is watched. CPU seconds are those of the command and all its processes
(Linux only). Given again, the same words go on with a run that was stopped, and add to its times.
"""

import argparse
import csv
import json
import os
import platform
import random
import resource
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
COLOURS = ("red", "green", "blue", "yellow")
# Each class on so many fields, and so many without it: what a split needs.
NEEDED = 2
WORLD = ("--world", "hpa", "--severity", "default", "--sites", "24", "--size", "512")
WORLD_SEED = ("--seed", "1", "--test-share", "0.1")
# Whole fields in a batch, bags, cells, and cells of a bag: what a few GB of memory hold. Of fields
# three, so that none is left over for a batch of one.
MOST = {"cell": 4, "bag": 2}
FIELDS, OF_A_BAG, BATCHES = 3, 4, 2
_MIB = 2**20
_EVERY = 5.0


def command(*words: str, log: Path | None = None) -> subprocess.CompletedProcess[str]:
    """A command as a user gives it; its words and answer go to the log."""
    around = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    call = [sys.executable, "-c", "from cellwise.app.cli import main; main()", *words]
    done = subprocess.run(call, env=around, capture_output=True, text=True, check=False)
    if log is not None:
        with log.open("a", encoding="utf-8") as stream:
            stream.write(f"$ cellwise {' '.join(words)}\n{done.stdout}{done.stderr}\n")
    return done


def chosen_fields(rows: Sequence[dict[str, str]], least: int) -> list[dict[str, str]]:
    """The fewest fields, `least` or more, on which each class is twice: two of each set of labels.

    Raises:
        SystemExit: There are not enough fields with the same labels.
    """
    by_labels: dict[str, list[dict[str, str]]] = {}
    for row in rows:
        by_labels.setdefault(row["Label"], []).append(row)
    few = sorted(by_labels.items(), key=lambda item: (item[0].count("|"), item[0]))
    pairs = [found[:NEEDED] for _, found in few if len(found) >= NEEDED]
    taken = [row for pair in pairs for row in pair][: least + least % NEEDED]
    counts = Counter(label for row in taken for label in row["Label"].split("|"))
    if len(taken) < least or min(counts.values()) < NEEDED:
        raise SystemExit(f"only {len(taken)} fields have labels that another one has too")
    if max(counts.values()) > len(taken) - NEEDED:
        raise SystemExit("a class lies on nearly all fields")
    return taken


def read(path: Path) -> np.ndarray:
    """An image as it lies on the disk."""
    found = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if found is None:
        raise SystemExit(f"{path} cannot be read")
    return np.asarray(found)


def thin(field: np.ndarray, cells: np.ndarray, keep: int, seed: str) -> np.ndarray:
    """`[channel, y, x]` with `keep` whole cells of the field; all else is its background."""
    edge = {*cells[0], *cells[-1], *cells[:, 0], *cells[:, -1]}
    whole = sorted({*np.unique(cells).tolist()} - {0} - {int(number) for number in edge})
    random.Random(seed).shuffle(whole)
    kept = np.isin(cells, whole[:keep])
    behind = [np.median(channel[cells == 0]) for channel in field]
    levels = np.array(behind).astype(field.dtype)[:, None, None]
    return np.where(kept, field, levels)


def make_folder(world: Path, folder: Path, fields: int, cells: int) -> dict[str, Any]:
    """Write the small folder from a world, and say what is in it."""
    with (world / "train.csv").open(encoding="utf-8") as stream:
        rows = chosen_fields(list(csv.DictReader(stream)), fields)
    with (world / "sample_submission.csv").open(encoding="utf-8") as stream:
        asked = list(csv.DictReader(stream))
    for part, names in (("train", [r["ID"] for r in rows]), ("test", [r["ID"] for r in asked])):
        (folder / part).mkdir(parents=True)
        for name in names:
            paths = [f"{name}_{colour}.png" for colour in COLOURS]
            field = np.stack([read(world / part / path) for path in paths])
            masks = read(world / "truth" / "masks" / f"{name}_cells.tif")
            for path, channel in zip(paths, thin(field, masks, cells, name), strict=True):
                cv2.imwrite(str(folder / part / path), channel)
    with (folder / "train.csv").open("w", encoding="utf-8", newline="") as stream:
        table = csv.writer(stream)
        table.writerow(["ID", "Label"])
        table.writerows([row["ID"], row["Label"]] for row in rows)
    submission = (world / "sample_submission.csv").read_text(encoding="utf-8")
    (folder / "sample_submission.csv").write_text(submission, encoding="utf-8")
    counts = Counter(label for row in rows for label in row["Label"].split("|"))
    return {
        "labelled": len(rows),
        "new": len(asked),
        "fields_of_class": dict(sorted(counts.items())),
    }


def settings(recipe: str) -> list[str]:
    """What is made smaller, as `--set` words: nothing that a network or an image is."""
    from cellwise.flow.recipe.load import load_recipe
    from cellwise.flow.recipe.resolve import resolve
    from cellwise.registry import split_spec

    said = []
    for step in resolve(load_recipe(recipe)).of_kind("train"):
        options, name = step.options, step.name
        task, own = split_spec(options["task"])
        most = MOST.get(task, FIELDS)
        if task == "bag" and int(own.get("cells", 0)) > OF_A_BAG:
            said.append(f"{name}.task.cells={OF_A_BAG}")
        said += [f"{name}.epochs=1"] if options["epochs"] > 1 else []
        said += [f"{name}.batch={most}"] if options["batch"] > most else []
        more = options["accumulate"] > BATCHES
        said += [f"{name}.accumulate={BATCHES}"] if more else []
        if split_spec(options["net"])[1].get("pretrained"):
            said.append(f"{name}.net.pretrained=false")
    return said


def on_disk(folder: Path) -> int:
    """Bytes of all files below a folder, as the disk counts them."""
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.lstat().st_blocks * 512
        except OSError:
            continue
    return total


def watched_run(ledger: Path, words: Sequence[str]) -> None:
    """Be the command `run`; the ledger says after each step what it took, sittings added up."""
    from benchmarks.forecast import cpu

    from cellwise.app.cli import main
    from cellwise.flow.pipeline import run

    told: dict[str, Any] = {"steps": {}, "peak_disk_mb": 0.0, "peak_memory_mb": 0.0, "sittings": 0}
    told = json.loads(ledger.read_text(encoding="utf-8")) if ledger.exists() else told
    told["sittings"] += 1
    out = Path(words[words.index("--out") + 1])
    before: Any = run._one_step

    def note() -> None:
        told["peak_disk_mb"] = max(told["peak_disk_mb"], round(on_disk(out) / _MIB, 1))
        who = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
        peak = max(resource.getrusage(one).ru_maxrss for one in who) / 1024
        told["peak_memory_mb"] = max(told["peak_memory_mb"], round(peak))

    def watch() -> None:
        while True:
            time.sleep(_EVERY)
            note()

    def one(step: Any, state: Any, options: str) -> Any:
        used, begun = cpu(), time.monotonic()
        try:
            return before(step, state, options)
        finally:
            known = told["steps"].setdefault(step.title, {"cpu_s": 0.0, "wall_s": 0.0})
            known["cpu_s"] = round(known["cpu_s"] + cpu() - used, 1)
            known["wall_s"] = round(known["wall_s"] + time.monotonic() - begun, 1)
            known["disk_mb"] = round(on_disk(out) / _MIB, 1)
            note()
            ledger.write_text(json.dumps(told, indent=1), encoding="utf-8")

    run._one_step = one
    threading.Thread(target=watch, daemon=True).start()
    sys.argv = ["cellwise", *words]
    main()


def measure(recipe: str, asked: argparse.Namespace) -> Iterator[tuple[str, Any]]:
    """What was done with a recipe, piece by piece: name and value."""
    work = asked.work
    world, folder, log = work / "world", work / "folder", work / f"{recipe}.log"
    if not world.exists():
        command("simulate", str(world), *WORLD, *WORLD_SEED, "--workers", "1", log=log)
    about = work / "folder.json"
    if not about.exists():
        made = make_folder(world, folder, asked.fields, asked.cells)
        about.write_text(json.dumps(made), encoding="utf-8")
    yield "folder", json.loads(about.read_text(encoding="utf-8"))
    words = [word for each in settings(recipe) for word in ("--set", each)]
    words += [word for each in asked.set for word in ("--set", each)]
    yield "set", words[1::2]
    given = (str(folder), "--recipe", recipe, *words)
    if asked.check:
        found = command("check", *given, "--json", log=log)
        yield "said_before", json.loads(found.stdout)["cost"]
    run, ledger = work / f"{recipe}.run", work / f"{recipe}.steps.json"
    rest = ("--out", str(run), "--workers", "1", "--device", "cpu", "--seed", "0")
    with log.open("a", encoding="utf-8") as stream:
        call = [sys.executable, __file__, "--watch", str(ledger), "run", *given, *rest]
        around = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}
        done = subprocess.run(call, env=around, stdout=stream, stderr=stream, check=False)
    yield "exit_of_run", done.returncode
    if ledger.exists():
        yield "run", json.loads(ledger.read_text(encoding="utf-8"))
    if done.returncode not in (0, 3):
        return
    yield "disk_mb_at_end", round(on_disk(run) / _MIB, 1)
    record = json.loads((run / "run.json").read_text(encoding="utf-8"))
    yield "counts", record["counts"]
    table = work / f"{recipe}.csv"
    table.unlink(missing_ok=True)
    sent = command("export", str(run), "--to", "hpa-csv", "--out", str(table), log=log)
    yield "exit_of_export", sent.returncode
    held = command("check", str(table), "--against", str(folder), log=log)
    yield "exit_of_check_against", held.returncode


def main() -> None:
    """Run recipes one after another, and write what each took."""
    if sys.argv[1:2] == ["--watch"]:
        watched_run(Path(sys.argv[2]), sys.argv[3:])
        return
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recipes", nargs="+")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--fields", type=int, default=10)
    parser.add_argument("--cells", type=int, default=4)
    parser.add_argument("--set", nargs="*", default=[])
    parser.add_argument("--check", action="store_true", help="ask `check` for its forecast first")
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    asked.work.mkdir(parents=True, exist_ok=True)
    found: dict[str, Any] = {
        "machine": f"{platform.machine()}, {os.cpu_count()} processors",
        "load": os.getloadavg()[0],
    }
    for recipe in asked.recipes:
        found[recipe] = {}
        for name, value in measure(recipe, asked):
            found[recipe][name] = value
            print(json.dumps({recipe: {name: value}}), flush=True)
            if asked.json:
                asked.json.write_text(json.dumps(found, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
