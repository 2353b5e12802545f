"""What prediction sets promise and hold, with an audit of new cells and with less than that.

    python benchmarks/conformal.py [--json FILE] [--worlds 10] [--judged 1000] [--fields 300]

Each world has labelled fields of 8 to 20 cells, three to a group, and as many new fields without
labels. Six classes are shown in half to a twentieth of the fields, in some of the cells there and
in few elsewhere; 12 numbers for each cell tell classes apart, but not well, and each group has its
own shift. Logistic regressions learn inherited labels of four fifths of the groups each; the mean
of the five speaks of new fields, as a finished run does. Sets promise that of what cells show at
most a tenth is missing. Coverage is that of all new cells that were not judged; sets come from

    audit      cells of new fields drawn by chance, judged without error, spoken of by the mean
    folds      as many cells of labelled fields, spoken of by the one model that left them out
    weak       all cells of labelled fields, taken to show what their field is labelled with
    picked     as many new cells, those that the models are least sure of
    shifted    the audit, on new fields of another laboratory: dimmer numbers, more noise

and `fields` are sets of labelled fields, which promise field labels and nothing of cells.
"""

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression

from cellwise.measures.conformal import ERROR, Sample, Sets, fit_sets, in_sets

HAVE = (0.5, 0.35, 0.25, 0.15, 0.1, 0.05)
FOLDS, NUMBERS, GROUP = 5, 12, 3


@dataclass(frozen=True)
class Cells:
    """Fields with their cells: vectors, what cells show, and labels of their fields."""

    site: Any
    vectors: Any
    shown: Any
    has: Any

    @property
    def group(self) -> Any:
        """`[cell]`, three fields to a group."""
        return self.site // GROUP


def fields(random: Any, axes: Any, count: int, *, gain: float = 1.0, noise: float = 1.3) -> Cells:
    """Some fields; a label is given where one of the field's cells shows the class."""
    site = np.repeat(np.arange(count), random.integers(8, 21, count))
    has = np.stack([random.random(count) < share for share in HAVE], axis=1)
    often = random.beta(3, 2, has.shape)
    seldom = random.beta(0.3, 12, has.shape)
    shown = random.random((len(site), len(HAVE))) < np.where(has, often, seldom)[site]
    _, first = np.unique(site, return_index=True)
    shown[first] |= has & (np.add.reduceat(shown, first, axis=0) == 0)
    vectors = gain * (shown @ axes) + random.normal(0, noise, (len(site), NUMBERS))
    vectors += random.normal(0, 0.4, (count // GROUP + 1, NUMBERS))[site // GROUP]
    return Cells(site, vectors, shown, has)


def models(cells: Cells) -> tuple[list[list[Any]], Any]:
    """`[fold][class]` models, and `[cell, class]` what the model says that left the cell out."""
    inherited, fold = cells.has[cells.site], cells.group % FOLDS
    chance = np.zeros(inherited.shape)
    found = []
    for number in range(FOLDS):
        held = fold == number
        of_fold = [
            LogisticRegression().fit(cells.vectors[~held], inherited[~held, k])
            for k in range(len(HAVE))
        ]
        chance[held] = said(of_fold, cells.vectors[held])
        found.append(of_fold)
    return found, chance


def said(of_fold: list[Any], vectors: Any) -> Any:
    """`[cell, class]` of one model per class."""
    return np.stack([model.predict_proba(vectors)[:, 1] for model in of_fold], axis=1)


def sets_of(chance: Any, shows: Any, group: Any) -> Sets:
    """Sets from cells of equal weight."""
    sample = Sample(chance, shows.astype(float), np.ones(len(chance)), group)
    return fit_sets(sample)


def holds(sets: Sets, chance: Any, shown: Any) -> tuple[float, list[float]]:
    """Of what cells show, the share that sets hold: of all classes with a threshold, of each."""
    edges = [one.may for one in sets.classes]
    has_edge = np.array([edge is not None for edge in edges])
    inside = in_sets(chance, edges)
    each = [float(inside[shown[:, k], k].mean()) for k in np.flatnonzero(has_edge)]
    there = shown & has_edge
    return float(inside[there].mean()), each


def world(seed: int, judged: int, count: int) -> dict[str, Any]:
    """One world."""
    random = np.random.default_rng(seed)
    axes = random.normal(0, 1, (len(HAVE), NUMBERS))
    old, new = fields(random, axes, count), fields(random, axes, count)
    other = fields(random, axes, count, gain=0.6, noise=1.6)
    found, left_out = models(old)
    mean = [np.mean([said(one, cells.vectors) for one in found], axis=0) for cells in (new, other)]
    drawn = random.permutation(len(new.site))[:judged]
    rest = np.setdiff1d(np.arange(len(new.site)), drawn)
    promised = sets_of(mean[0][drawn], new.shown[drawn], new.group[drawn])
    there = random.permutation(len(old.site))[:judged]
    unsure = np.argsort(-(mean[0] * (1 - mean[0])).sum(axis=1))[:judged]
    inherited = old.has[old.site]
    tried = {
        "audit": promised,
        "folds": sets_of(left_out[there], old.shown[there], old.group[there]),
        "weak": sets_of(left_out, inherited, old.group),
        "picked": sets_of(mean[0][unsure], new.shown[unsure], new.group[unsure]),
    }
    result: dict[str, Any] = {}
    for name, sets in tried.items():
        own = np.setdiff1d(rest, unsure) if name == "picked" else rest
        every, each = holds(sets, mean[0][own], new.shown[own])
        result[name] = {"covered": every, "classes": each}
    every, each = holds(promised, mean[1], other.shown)
    result["shifted"] = {"covered": every, "classes": each}
    inside = in_sets(mean[0][rest], [one.may for one in promised.classes])
    covered = promised.covered
    result["audit"] |= {
        "low": covered.low, "value": covered.value, "high": covered.high,
        "judged": covered.judged, "effective": promised.effective,
        "with_threshold": sum(one.may is not None for one in promised.classes),
        "size": float(inside.sum(axis=1).mean()),
        "shown": float(new.shown[rest].sum(axis=1).mean()),
        "of_class": [
            {"low": one.covered.low, "high": one.covered.high, "shown": one.shown}
            for one in promised.classes if one.may is not None
        ],
    }  # fmt: skip
    result["claims"] = claims(promised, mean[0][rest], new.shown[rest])
    result["fields"] = field_sets(old, left_out)
    return result


def claims(sets: Sets, chance: Any, shown: Any) -> list[float]:
    """Of cells that reach the threshold for claims, the share that does not show the class."""
    found = []
    for k, one in enumerate(sets.classes):
        if one.surely is not None and (there := chance[:, k] >= one.surely).any():
            found.append(float((~shown[there, k]).mean()))
    return found


def field_sets(cells: Cells, chance: Any) -> dict[str, float]:
    """Sets of labels of fields, by the mean of their cells: fitted on half of the groups."""
    mean = (
        np.stack([np.bincount(cells.site, chance[:, k]) for k in range(len(HAVE))], axis=1)
        / np.bincount(cells.site)[:, None]
    )
    group = np.arange(len(mean)) // GROUP
    half = group % 2 == 0
    sets = sets_of(mean[half], cells.has[half], group[half])
    every, _ = holds(sets, mean[~half], cells.has[~half])
    return {"covered": every, "low": sets.covered.low, "high": sets.covered.high}


def main() -> None:
    """Print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--worlds", type=int, default=10)
    parser.add_argument("--judged", type=int, default=1000)
    parser.add_argument("--fields", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    seeds = range(asked.seed, asked.seed + asked.worlds)
    rows = [world(seed, asked.judged, asked.fields) for seed in seeds]
    promise = 1 - ERROR
    for seed, row in zip(seeds, rows, strict=True):
        one = row["audit"]
        held = one["low"] <= promise <= one["high"]
        print(
            f"world {seed}: promised {promise:.2f}, measured {one['value']:.3f} "
            f"[{one['low']:.3f}, {one['high']:.3f}] half-width {(one['high'] - one['low']) / 2:.3f}"
            f" {'holds' if held else 'DOES NOT HOLD'} the promise; new cells {one['covered']:.3f}; "
            f"{one['judged']} shown, as good as {one['effective']:.0f}; set of {one['size']:.2f} "
            f"for {one['shown']:.2f} shown"
        )
    for name in ("audit", "folds", "weak", "picked", "shifted", "fields"):
        values = [row[name]["covered"] for row in rows]
        each = [value for row in rows for value in row[name].get("classes", [])]
        words = f"of classes {min(each):.3f} to {max(each):.3f}" if each else ""
        print(f"{name:8s} {np.mean(values):.3f} ({min(values):.3f} to {max(values):.3f}) {words}")
    one = [value for row in rows for value in row["audit"]["of_class"]]
    held = np.mean([each["low"] <= promise <= each["high"] for each in one])
    wide = np.mean([(each["high"] - each["low"]) / 2 for each in one])
    print(f"intervals of single classes: {len(one)}, {held:.2f} hold it, half-width {wide:.3f}")
    wrong = [value for row in rows for value in row["claims"]]
    print(f"claims: {len(wrong)}, wrong {np.mean(wrong):.3f}, above a tenth "
          f"{np.mean(np.array(wrong) > ERROR):.2f}")  # fmt: skip
    if asked.json:
        asked.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
