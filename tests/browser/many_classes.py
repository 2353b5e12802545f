"""A small run whose cells may be of 1,108 classes, as those of a screen of siRNAs."""

import json
import shutil
from pathlib import Path

import numpy as np
import polars as pl

from cellwise.domain.tables import PREDICTIONS
from cellwise.stages.decide._predictions import probability_columns
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.tables import read_table, write_table

NAMES = tuple(f"siRNA {n:04d}" for n in range(1108))


def with_many_classes(made: Path, place: Path) -> RunFolder:
    """A copy of a run, each cell with a most likely class of its own."""
    run = RunFolder(Path(shutil.copytree(made, place)))
    frame = read_table(run.predictions, PREDICTIONS)
    rng = np.random.default_rng(0)
    chance = rng.beta(0.2, 60, (len(frame), len(NAMES))).astype(np.float32)
    best = (np.arange(len(frame)) * 10) % len(NAMES)
    chance[np.arange(len(frame)), best] = 0.9
    plain = frame.select([n for n in frame.columns if not n.startswith("Prob_")])
    given = [[NAMES[k]] for k in best]
    table = plain.with_columns(
        pl.Series("Labels", given), pl.Series("Weak_labels", given),
        *probability_columns(chance, NAMES),
    )  # fmt: skip
    write_table(run.predictions, PREDICTIONS, table, classes=NAMES)
    np.save(run.predictions.with_suffix(".npy"), chance)
    for path, key in ((run.reading, "classes"), (run.decision("decide"), None)):
        content = json.loads(path.read_text())
        told = {"names": list(NAMES), "negative": None}
        content |= {key: told} if key else {"classes": list(NAMES), "negative": None}
        path.write_text(json.dumps(content))
    return run
