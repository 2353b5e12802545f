"""Whether figures of labelled fields are held out: how well fields are ranked by labels of chance.

    python benchmarks/chance_labels.py vectors [--seeds 20] [--fields 80]
    python benchmarks/chance_labels.py run WORLD RECIPE OUT [--seeds 5] [--set cells.size=48]

Labels drawn by chance say nothing of any field, so models that met no label of a fold rank its
fields with an area under the curve of .5 on average. More shows that labels of the fold took part
in what they learned from. Given is the mean over classes and folds, each field judged by its best
cell and by the mean of its cells, and over seeds with Student's 95 % interval.

`vectors` makes cells of chance too (8 to a field, 30 numbers, half of whose variance is the
field's) and has kernel ridge learn from labels that are inherited, made by the hedge of all fields
at once, without each fold, or from out-of-fold scores of such a learner; or made in the rounds of
`hpa-quick` and `one-class`, as they are and nested: labels without fold k by models without k and
without the cell's own fold. `run` goes
through the images of a simulated world with its `train.csv` once, and through the rest of the
recipe for each seed; its rows are the score steps, the first of them what inherited labels say.
"""

import argparse
import csv
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.stats import rankdata
from scipy.stats import t as student

from cellwise.contracts.labeller import Bags, Floats
from cellwise.parts.learners import kernel_ridge
from cellwise.stages.label import labellers
from cellwise.stages.label._per_fold import labels_without_folds
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.reader import RunReader, labels_matrix

CLASSES = ("0", "4", "8", "12")
ROUNDS: dict[str, tuple[int, list[Any]]] = {
    "hpa-quick": (2, [{"name": "assign", "sharpen": 2.0}, "soft"]),
    "one-class": (4, ["assign", "assign"]),
}
Numbers = npt.NDArray[np.int64]
Row = dict[str, tuple[float, float]]


def area(labels: npt.NDArray[np.bool_], values: npt.NDArray[Any]) -> float:
    """Area under the curve; NaN where all labels are alike."""
    some, others = int(labels.sum()), int((~labels).sum())
    if not some or not others:
        return float("nan")
    return float((rankdata(values)[labels].sum() - some * (some + 1) / 2) / (some * others))


def ranked(
    found: Floats, site: Numbers, fold: Numbers, labels: npt.NDArray[np.bool_]
) -> tuple[float, float]:
    """By the best cell of each field and by the mean of its cells, within folds.

    Args:
        found: `[cell, class]`.
        site: `[cell]`, the field of each.
        fold: `[field]`.
        labels: `[field, class]`.
    """
    best = np.full(labels.shape, -np.inf)
    np.maximum.at(best, site, found)
    mean = np.zeros(labels.shape)
    np.add.at(mean, site, found)
    mean /= np.bincount(site, minlength=len(labels))[:, None].clip(1)
    held = [np.flatnonzero((fold == k) & np.isfinite(best).all(1)) for k in np.unique(fold)]

    def over(values: npt.NDArray[Any]) -> float:
        each = [area(labels[at, c], values[at, c]) for at in held for c in range(labels.shape[1])]
        return float(np.nanmean(each))

    return over(best), over(mean)


def labels_by_chance(fields: int, random: np.random.Generator) -> npt.NDArray[np.bool_]:
    """`[field, class]`: one label in two thirds of the fields, two in the others."""
    labels = np.zeros((fields, len(CLASSES)), bool)
    for row in labels:
        row[random.choice(len(CLASSES), random.choice([1, 1, 2]), replace=False)] = True
    return labels


@dataclass(frozen=True, slots=True)
class Made:
    """Cells whose vectors and labels have nothing to do with each other."""

    bags: Bags
    fold: Numbers

    @property
    def folds(self) -> range:
        """The folds."""
        return range(int(self.fold.max()) + 1)


def make(seed: int, *, fields: int, folds: int, each: int = 8, numbers: int = 30) -> Made:
    """A world of chance."""
    random = np.random.default_rng(seed)
    site = np.repeat(np.arange(fields), each)
    own = random.normal(size=(fields, numbers))
    vectors = (random.normal(size=(len(site), numbers)) + own[site]).astype(np.float32)
    labels = labels_by_chance(fields, random)
    fold = random.permutation(np.arange(fields) % folds)
    none = np.zeros(len(site), bool)
    bags = Bags(
        site, labels, None, none, none,
        model=fold[site], classes=CLASSES, seed=seed, vectors=vectors, group=site,
    )  # fmt: skip
    return Made(bags, fold)


def learned(
    vectors: Floats, labels: Floats, rows: npt.NDArray[np.bool_], *, metric: bool = False
) -> Callable[[Floats], Floats]:
    """What kernel ridge makes of some cells."""
    ones = np.ones(int(rows.sum()), np.float32)
    return kernel_ridge.build(metric=metric).fit(vectors[rows], labels[rows], ones, 0).predict


def by_students(made: Made, labels_for: Callable[[int], Floats], *, metric: bool) -> Floats:
    """`[cell, class]`, each fold by a model of the others that learned from the labels for it."""
    assert made.bags.vectors is not None
    found = np.zeros(made.bags.inherited.shape, np.float32)
    for k in made.folds:
        out = made.fold[made.bags.site] != k
        predict = learned(made.bags.vectors, labels_for(k), out, metric=metric)
        found[~out] = predict(made.bags.vectors[~out])
    return found


def logits(chance: Floats) -> Floats:
    """Scores as a labeller reads them."""
    kept = np.clip(chance, 1e-6, 1 - 1e-6)
    return np.asarray(np.log(kept / (1 - kept)), np.float32)


def rows_of_posterior(seed: int, fields: int) -> Row:
    """Inherited labels; the hedge at once, without each fold; methods from scores; five folds."""
    made = make(seed, fields=fields, folds=5)
    hedge = labellers.build({"name": "posterior", "restarts": 2})
    scores = logits(by_students(made, lambda k: made.bags.inherited, metric=True))
    of_scores = {
        name: labellers.build({"name": "posterior", "method": name})(
            _scored(made.bags, scores)
        ).label
        for name in ("hedge", "soft_ratio", "one_state")
    }
    whole = hedge(made.bags).label
    apart = labels_without_folds(made.bags, made.fold, hedge, lambda done, total: None)[1]
    ways: dict[str, Callable[[int], Floats]] = {
        "inherited": lambda k: made.bags.inherited,
        "hedge of all fields": lambda k: whole,
        "hedge without each fold": lambda k: apart[k],
    }
    ways |= {f"{name} from scores": _alike(own) for name, own in of_scores.items()}
    return {
        name: ranked(
            by_students(made, way, metric=True), made.bags.site, made.fold, made.bags.field_labels
        )
        for name, way in ways.items()
    }


def _alike(labels: Floats) -> Callable[[int], Floats]:
    """The same labels whatever fold is left out."""
    return lambda k: labels


def rows_of_rounds(seed: int, fields: int, name: str) -> Row:
    """What the last students of the rounds of a recipe say, as it is and nested."""
    folds, rounds = ROUNDS[name]
    made = make(seed, fields=fields, folds=folds)
    bags, label = made.bags, made.bags.inherited
    for spec in rounds:
        scores = logits(by_students(made, lambda k: label, metric=False))  # noqa: B023 (used at once)
        label = labellers.build(spec)(_scored(bags, scores)).label
    found = by_students(made, lambda k: label, metric=False)
    result = {f"{name}, as it is": ranked(found, bags.site, made.fold, bags.field_labels)}
    if folds > 2:
        found = by_students(made, lambda k: nested(made, rounds, k), metric=False)
        result[f"{name}, nested"] = ranked(found, bags.site, made.fold, bags.field_labels)
    return result


def nested(made: Made, rounds: Sequence[Any], k: int) -> Floats:
    """Labels of all cells outside fold k that its fields took no part in; others inherit."""
    assert made.bags.vectors is not None
    of_cell = made.fold[made.bags.site]
    out = of_cell != k
    label = made.bags.inherited
    for spec in rounds:
        scores = np.full(label.shape, np.nan, np.float32)
        for own in set(made.folds) - {k}:
            predict = learned(made.bags.vectors, label, out & (of_cell != own))
            scores[of_cell == own] = logits(predict(made.bags.vectors[of_cell == own]))
        label[out] = labellers.build(spec)(
            _scored(made.bags, scores).of_fields(made.fold != k)
        ).label
    return label


def _scored(bags: Bags, scores: Floats) -> Bags:
    return Bags(
        bags.site, bags.field_labels, scores, bags.border, bags.tiny,
        model=bags.model, classes=bags.classes,
    )  # fmt: skip


def rows_of_run(seed: int, args: argparse.Namespace) -> Row:
    """What the score steps of a recipe say of the fields of a world, labels drawn anew."""
    names = [row["ID"] for row in csv.DictReader((args.world / "train.csv").open())]
    given = labels_by_chance(len(names), np.random.default_rng(seed))
    table = args.out.with_suffix(".csv")
    lines = ["|".join(np.array(CLASSES)[row]) for row in given]
    table.write_text("\n".join(["ID,Label", *map(",".join, zip(names, lines, strict=True)), ""]))
    command = [sys.executable, "-m", "cellwise", "run", args.world, "--labels", table]
    command += ["--out", args.out, "--recipe", args.recipe]
    for setting in args.set:
        command += ["--set", setting]
    subprocess.run([str(word) for word in command], check=True, stdout=subprocess.DEVNULL)
    run = RunFolder(args.out)
    reader = RunReader(run)
    listed = json.loads(run.reading.read_text())["classes"]
    classes = tuple(name for name in listed["names"] if name != listed["negative"])
    sites = reader.labelled_sites().join(reader.folds(), on="site_id").sort("site_id")
    labels = labels_matrix(sites["labels"], classes)
    places = sites.select("site_id").with_row_index("place")
    steps = json.loads(run.record.read_text())["steps"]
    result = {}
    for name in [step["name"] for step in steps if step["kind"] == "score"]:
        frame = reader.out_of_fold(name, classes).filter(pl.col("unit") == "cell")
        frame = frame.join(places, on="site_id")
        found = frame["score"].to_numpy().reshape(len(frame), -1)
        fold = sites["fold"].to_numpy().astype(np.int64)
        result[name] = ranked(found, frame["place"].to_numpy().astype(np.int64), fold, labels)
    return result


def told(rows: list[Row]) -> None:
    """One line for each row, by the best cell and by the mean, then its excess over the first row.

    Labels are the same in all rows of a seed, so that an excess is surer than its row.
    """
    first = next(iter(rows[0]))
    for name in rows[0]:
        values = np.array([row[name] for row in rows])
        excess = values - np.array([row[first] for row in rows])
        words = [*_intervals(values), *(_intervals(excess) if name != first else ())]
        print(f"{name} | {' | '.join(words)} | n={len(rows)}", flush=True)


def _intervals(values: npt.NDArray[Any]) -> list[str]:
    """Mean over rows and Student's interval, column by column."""
    count = len(values)
    times = float(student.ppf(0.975, count - 1)) / count**0.5 if count > 1 else 0.0
    mean, wide = values.mean(0), times * values.std(0, ddof=min(1, count - 1))
    return [f"{m:.3f} [{m - w:.3f}, {m + w:.3f}]" for m, w in zip(mean, wide, strict=True)]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    ways = parser.add_subparsers(dest="way", required=True)
    vectors = ways.add_parser("vectors")
    vectors.add_argument("--fields", type=int, default=80)
    vectors.add_argument("--seeds", type=int, default=20)
    run = ways.add_parser("run")
    run.add_argument("world", type=Path)
    run.add_argument("recipe")
    run.add_argument("out", type=Path)
    run.add_argument("--seeds", type=int, default=5)
    run.add_argument("--set", action="append", default=[])
    args = parser.parse_args()
    if args.way == "run":
        told([rows_of_run(seed, args) for seed in range(args.seeds)])
        return
    told([rows_of_posterior(seed, args.fields) for seed in range(args.seeds)])
    for name in ROUNDS:
        told([rows_of_rounds(seed, args.fields, name) for seed in range(args.seeds)])


if __name__ == "__main__":
    main()
