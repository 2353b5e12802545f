"""What a person's verdicts on single cells are worth on simulated worlds, where truth judges.

    python benchmarks/by_hand.py WORLDS... [--labeller inherit] [--class NAME] [--json FILE]

A world is made by `cellwise simulate WORLD --world hpa --severity hard --sites 300 --size 256`. The
outlines are the world's own, the learner is kernel ridge on measured features. Figures are of cells
of new fields; `macro` is the mean average precision over classes. Two questions:

* A rare class. A person knows `--known` of its cells in labelled fields, by chance. Then
  `cellwise audit --near` lists up to 500 others with three known neighbours or more: how many of
  them show the class, how many of all that do are listed, and the class's average precision when
  all listed are judged.
* Suspicious labels. Labels of cells (a cell and a class) are sorted by how far the model that has
  not seen the field is from what the cell inherits, and the first n are corrected; beside it n
  that are drawn by chance from inherited ones.
"""

import argparse
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from sklearn.metrics import average_precision_score

import cellwise
from cellwise.app.audit import audit_run
from cellwise.app.near_known import find_near
from cellwise.store.annotations.inherited import Inherited, inherited_cells
from cellwise.store.run.folder import RunFolder

RECIPE = """# Measured features and kernel ridge.
format: 1
steps:
  - read:
  - segment: {name: given, masks: MASKS}
  - cells: {crops: false}
  - split: {by: auto, folds: 5}
  - embed: {as: measured, by: measured}
  - label: {as: shown, by: LABELLER}
  - train: {as: cell, task: vectors, embeddings: measured, labels: shown,
            learner: {name: kernel_ridge, metric: true}, threads: 1}
  - score: {as: cell, model: cell, by: vector_learner, embeddings: measured, threads: 1}
  - decide: {from: [cell]}
"""
KEY = ["site_id", "cell_id"]


class World:
    """One world, its truth, and runs on it."""

    def __init__(self, path: Path, home: Path, labeller: str) -> None:
        self.path, self.run = path, home / path.name
        recipe = home / f"{path.name}.yaml"
        told = RECIPE.replace("MASKS", str(path / "truth" / "masks"))
        level = ", embeddings: measured, level: sample" if labeller == "posterior" else ""
        recipe.write_text(told.replace("LABELLER", labeller + level))
        self.recipe = recipe
        truth = pl.read_csv(path / "truth" / "cells.csv", schema_overrides={"site_id": pl.String})
        truth = truth.filter(pl.col("ignored") == 0).with_columns(
            pl.col("cell_id").cast(pl.Int32), pl.col("classes").fill_null("").str.split("|")
        )
        self.truth = truth.select(*KEY, "classes")

    def learn(self, verdicts: list[tuple[str, int, str, bool]] | None = None) -> dict[str, float]:
        """Average precision by class, and `macro`, with these verdicts taken in."""
        settings: list[str] = []
        if verdicts:
            file = self.run.parent / "verdicts.csv"
            self._write(file, verdicts)
            settings.append(f"label.annotations={file}")
        shutil.rmtree(self.run / "annotations", ignore_errors=True)
        done = cellwise.run(
            self.path, out=self.run, recipe=str(self.recipe), settings=settings, workers=1
        )
        cells = done.cells.filter(pl.col("part") == "test")
        cells = cells.join(self.truth, on=KEY, how="inner")
        found = {}
        for name in (n.removeprefix("Prob_") for n in cells.columns if n.startswith("Prob_")):
            shows = cells["classes"].list.contains(name).to_numpy()
            if name != "Negative" and shows.any():
                found[name] = float(average_precision_score(shows, cells[f"Prob_{name}"]))
        return {**found, "macro": float(np.mean(list(found.values())))}

    def judge(self, verdicts: list[tuple[str, int, str, bool]]) -> None:
        """Take verdicts into the run, as `cellwise audit --verdicts` does."""
        file = self.run.parent / "known.csv"
        self._write(file, verdicts)
        audit_run(self.run, verdicts=file)

    def cells(self) -> tuple[Inherited, pl.DataFrame]:
        """Cells of labelled fields, and what they show."""
        cells = inherited_cells(RunFolder(self.run))
        shown = cells.rows.select(KEY).join(self.truth, on=KEY, how="left", maintain_order="left")
        return cells, shown

    @staticmethod
    def _write(file: Path, verdicts: list[tuple[str, int, str, bool]]) -> None:
        lines = [f"{s},{c},{name},{'yes' if seen else 'no'}" for s, c, name, seen in verdicts]
        file.write_text("\n".join(["site_id,cell_id,class,verdict", *lines, ""]))


def rare(world: World, name: str, known: int, seed: int) -> dict[str, Any]:
    """Candidates of a rare class, and what judging them is worth."""
    before = world.learn()
    cells, shown = world.cells()
    shows = shown["classes"].list.contains(name).fill_null(value=False).to_numpy()
    random = np.random.default_rng(seed)
    first = random.permutation(np.flatnonzero(shows))[:known]
    told = [(*cells.rows.select(KEY).row(int(row)), name, True) for row in first]
    of_known = world.learn(told)
    shutil.rmtree(world.run / "annotations", ignore_errors=True)
    world.judge(told)
    found = find_near(world.run, name, 500)
    listed = pl.read_csv(found["sheet"], schema_overrides={"site_id": pl.String}).select(
        "site_id", pl.col("cell_id").cast(pl.Int32)
    )
    judged = listed.join(world.truth, on=KEY, how="inner", maintain_order="left")
    right = judged["classes"].list.contains(name).fill_null(value=False).to_numpy()
    all_told = told + [
        (site, cell, name, bool(seen))
        for (site, cell), seen in zip(judged.select(KEY).rows(), right.tolist(), strict=True)
    ]
    after = world.learn(all_told)
    left = int(shows.sum()) - len(first)
    chance = float(shows.sum() / len(shows))
    return {
        "what": "rare", "class": name, "known": len(first), "there": left, "chance": chance,
        "listed": len(right), "precision": float(right.mean()) if len(right) else float("nan"),
        "recall": float(right.sum() / max(left, 1)),
        "precision_of_100": float(right[:100].mean()) if len(right) else float("nan"),
        "ap_before": before[name], "ap_known": of_known[name], "ap_after": after[name],
        "macro_before": before["macro"], "macro_after": after["macro"],
    }  # fmt: skip


def corrected(world: World, counts: list[int], seed: int) -> list[dict[str, Any]]:
    """What correcting the n most suspicious labels of cells is worth, and n of chance."""
    before = world.learn()["macro"]
    cells, shown = world.cells()
    true = np.stack(
        [
            shown["classes"].list.contains(n).fill_null(value=False).to_numpy()
            for n in cells.classes
        ],
        axis=1,
    )
    off = np.abs(cells.inherited - cells.chance)
    random = np.random.default_rng(seed)
    orders = {
        "suspicious": np.argsort(-off, axis=None, kind="stable"),
        "inherited, by chance": random.permutation(np.flatnonzero(cells.inherited.ravel())),
    }
    keys, rows = cells.rows.select(KEY).rows(), []
    for who, order in orders.items():
        for n in counts:
            row, column = np.unravel_index(order[:n], off.shape)
            told = [
                (*keys[r], cells.classes[c], bool(true[r, c]))
                for r, c in zip(row.tolist(), column.tolist(), strict=True)
            ]
            wrong = float((true[row, column] != cells.inherited[row, column]).mean())
            rows.append(
                {
                    "what": who, "n": n, "wrong": wrong, "macro_before": before,
                    "macro_after": world.learn(told)["macro"], "labels": int(cells.inherited.sum()),
                }
            )  # fmt: skip
    return rows


def main() -> None:
    """Print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("worlds", nargs="+", type=Path)
    parser.add_argument("--labeller", default="inherit")
    parser.add_argument("--class", dest="name", default="Mitotic spindle")
    parser.add_argument("--known", type=int, default=8)
    parser.add_argument("--counts", type=int, nargs="*", default=[50, 200, 500])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--home", type=Path, help="Where runs are kept; nowhere if not said.")
    asked = parser.parse_args()
    table = []
    with tempfile.TemporaryDirectory() as passing:
        home = asked.home or Path(passing)
        home.mkdir(exist_ok=True)
        for seed, path in enumerate(asked.worlds):
            world = World(path.resolve(), home, asked.labeller)
            rows = [
                rare(world, asked.name, asked.known, seed),
                *corrected(world, asked.counts, seed),
            ]
            table += [{"world": path.name, "labeller": asked.labeller, **row} for row in rows]
            for row in table[-len(rows) :]:
                said = (
                    f"{k} {v:.3f}" if isinstance(v, float) else f"{k} {v}" for k, v in row.items()
                )
                print("  ".join(said), flush=True)
    if asked.json:
        asked.json.write_text(json.dumps(table, indent=1))


if __name__ == "__main__":
    main()
