"""Which cells to judge: average precision against cells looked at, by queue, on simulated worlds.

    python -m benchmarks.active_learning WORLDS... [--counts 0 50 100 ...] [--json FILE]

A world is made by `cellwise simulate WORLD --world hpa --severity hard --sites 200 --size 256`. The
outlines are the world's own, the learner is kernel ridge on measured features. It starts from
inherited labels; then cells of labelled fields are judged in all classes by the truth, in batches
(the steps between `--counts`), each taken from a queue of the page as it stands after learning from
all batches before, with probabilities from models that have not seen the cell's field. Figures are
the mean average precision over classes on cells of new fields. `random` is mean of several orders.
"""

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from benchmarks.by_hand import KEY, World
from sklearn.metrics import average_precision_score

from cellwise.app.view.data.chances import Matrix
from cellwise.app.view.data.queues import DISAGREES, RARE, UNCERTAIN, Asked, queue_rows
from cellwise.app.view.data.said import Said
from cellwise.domain.tables import PREDICTIONS
from cellwise.parts.learners import learners
from cellwise.store.annotations.inherited import inherited_cells
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.joined import open_embeddings
from cellwise.store.run.reader import RunReader
from cellwise.store.run.tables import read_table

QUEUES = (UNCERTAIN, RARE, DISAGREES)
ORDERS = 3


class Pool:
    """Cells of labelled fields with what a model says of them, as the page's queues take them."""

    def __init__(self, classes: tuple[str, ...], chance: np.ndarray, inherited: np.ndarray) -> None:
        self.classes = classes
        best = chance.argmax(1)
        self.chances = Matrix(classes, chance, best.astype(np.int32), chance.max(1))
        p = np.clip(chance.astype(np.float64), 1e-9, 1 - 1e-9)
        bits = -(p * np.log2(p) + (1 - p) * np.log2(1 - p))
        self.uncertainty = bits.mean(1).astype(np.float32)
        self.disagrees = ~inherited[np.arange(len(best)), best]

    def __len__(self) -> int:
        return len(self.uncertainty)


class Taught:
    """One world: cells of labelled fields, their truth, and cells of new fields."""

    def __init__(self, world: World, seed: int) -> None:
        world.learn()
        run = RunFolder(world.run)
        cells = inherited_cells(run)
        kept = open_embeddings(run, "measured")
        place = kept.places(cells.rows)
        measured = place >= 0
        self.seed, self.classes = seed, cells.classes
        self.rows = cells.rows.filter(pl.Series(measured))
        self.inherited = cells.inherited[measured]
        self.vectors = kept.read(place[measured])
        folds = RunReader(run).folds().select("site_id", "fold")
        of_cell = self.rows.select("site_id").join(folds, on="site_id", maintain_order="left")
        self.folds = of_cell["fold"].to_numpy().astype(np.int64)
        self.truth = self._shown(world, self.rows)
        new = read_table(run.predictions, PREDICTIONS, columns=["part", *KEY])
        new = new.filter(pl.col("part") == "test").select(KEY)
        new = new.join(world.truth.select(KEY), on=KEY, how="semi", maintain_order="left")
        at = kept.places(new)
        self.new_vectors = kept.read(at[at >= 0])
        self.new_truth = self._shown(world, new.filter(pl.Series(at >= 0)))
        self.learner = learners.build({"name": "kernel_ridge", "metric": True})
        self.apart = self.learner.out_of_fold(self.vectors, self.folds[None], seed)

    def _shown(self, world: World, rows: pl.DataFrame) -> np.ndarray:
        found = rows.join(world.truth, on=KEY, how="left", maintain_order="left")["classes"]
        shows = [found.list.contains(name).fill_null(value=False) for name in self.classes]
        return np.stack([one.to_numpy() for one in shows], 1)

    def labels(self, judged: np.ndarray) -> np.ndarray:
        """`[cell, class]`: the truth of judged cells, what the others inherit."""
        return np.where(judged[:, None], self.truth, self.inherited).astype(np.float32)

    def precision(self, judged: np.ndarray) -> float:
        """Mean average precision over classes on cells of new fields."""
        weights = np.ones(len(judged), np.float32)
        model = self.learner.fit(self.vectors, self.labels(judged), weights, self.seed)
        said = model.predict(self.new_vectors)
        columns = np.flatnonzero(self.new_truth.any(0))
        each = [average_precision_score(self.new_truth[:, k], said[:, k]) for k in columns]
        return float(np.mean(each))

    def queue(self, name: str, judged: np.ndarray) -> np.ndarray:
        """The cells of a queue that are not judged yet, the first first."""
        chance = np.clip(self.apart(self.labels(judged)), 0, 1).astype(np.float32)
        # A queue asks of cells what stands in the pool, and nothing else.
        pool: Any = Pool(self.classes, chance, self.inherited)
        rows = np.flatnonzero(judged)
        said = pl.DataFrame(
            {"row": np.repeat(rows, len(self.classes)), "class": list(self.classes) * len(rows)},
            schema={"row": pl.Int64, "class": pl.String},
        )
        asked = Asked(name, 0, whole=True, who="")
        nothing = np.zeros(0, np.int64)
        return queue_rows(
            pool, asked, Said(said, ""), judgeable=self.classes,
            drawn=lambda: nothing, near=lambda *_: nothing,
        )  # fmt: skip


def curve(taught: Taught, name: str, counts: list[int], seed: int) -> list[dict[str, Any]]:
    """Average precision after each count of judged cells; short where the queue ends before."""
    random = np.random.default_rng(seed)
    judged = np.zeros(len(taught.rows), bool)
    found: list[dict[str, Any]] = []
    for count in counts:
        more = count - int(judged.sum())
        left = (
            random.permutation(np.flatnonzero(~judged))
            if name == "random"
            else taught.queue(name, judged)
        )
        if len(left) < more:
            break
        judged[left[:more]] = True
        found.append({"queue": name, "judged": count, "ap": taught.precision(judged)})
    return found


def main() -> None:
    """Print and write the curves."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("worlds", nargs="+", type=Path)
    parser.add_argument("--counts", type=int, nargs="*", default=[0, 50, 100, 200, 400, 800])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--home", type=Path, help="Where runs are kept; nowhere if not said.")
    asked = parser.parse_args()
    table = []
    with tempfile.TemporaryDirectory() as passing:
        home = asked.home or Path(passing)
        home.mkdir(exist_ok=True)
        for seed, path in enumerate(asked.worlds):
            taught = Taught(World(path.resolve(), home, "inherit"), seed)
            size = {"world": path.name, "cells": len(taught.rows), "new": len(taught.new_truth)}
            print(size, flush=True)
            whole = taught.precision(np.ones(len(taught.rows), bool))
            table.append({**size, "queue": "all", "judged": len(taught.rows), "ap": whole})
            for name in ("random", *QUEUES):
                orders = range(ORDERS) if name == "random" else [0]
                for order in orders:
                    table += [{**size, **one} for one in curve(taught, name, asked.counts, order)]
    frame = pl.DataFrame(table, infer_schema_length=None)
    mean = frame.group_by("world", "queue", "judged", maintain_order=True).agg(pl.col("ap").mean())
    for world, queue, judged, value in mean.iter_rows():
        print(f"{world}  {queue:<10} {judged:>5}  {value:.3f}")
    if asked.json:
        asked.json.write_text(json.dumps(table, indent=1))


if __name__ == "__main__":
    main()
