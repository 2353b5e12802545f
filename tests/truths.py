"""Small truth folders, and run folders and submission files that answer them more or less well."""

import csv

import numpy as np
import polars as pl

from cellwise.domain.records import Masks
from cellwise.domain.tables import FOLDS, PREDICTIONS, SITES
from cellwise.kernels.runs import encode_masks
from cellwise.store.run.masks import write_masks
from cellwise.store.run.tables import empty_frame, write_table
from cellwise.store.worlds.truth import (
    write_truth_cells,
    write_truth_masks,
    write_truth_sites,
    write_world,
)

CLASSES = ("Nucleoplasm", "Golgi apparatus", "Negative")
SIDE = 40
HPA = {"Nucleoplasm": 0, "Golgi apparatus": 7, "Negative": 18}


def squares(count, *, side=SIDE, size=8, shift=0):
    """Up to sixteen squares on a grid of 10 px, moved right by `shift` pixels."""
    labels = np.zeros((side, side), np.uint16)
    for cell in range(count):
        y, x = 10 * (cell // 4) + 1, 10 * (cell % 4) + 1 + shift
        labels[y : y + size, x : x + size] = cell + 1
    return labels


def answers(sites=8, cells=8, *, seed=0):
    """Per field and cell the classes it shows: none (Negative), one, or both positive ones."""
    rng = np.random.default_rng(seed)
    rows = []
    for site in range(sites):
        for cell in range(1, cells + 1):
            shown = [name for name in CLASSES[:2] if rng.random() < 0.5]
            rows.append(
                {
                    "site_id": f"f{site:02d}",
                    "cell_id": cell,
                    "classes": shown,
                    "ignored": cell == cells,
                    "group": f"p{site // 2}",
                }
            )
    return pl.DataFrame(rows, schema_overrides={"classes": pl.List(pl.String)})


def write_truth(folder, *, sites=8, cells=8, seed=0, parts=("train", "test"), known=True):
    """A world folder with `truth/`; fields take the parts in turn."""
    frame = answers(sites, cells, seed=seed)
    for site in range(sites):
        labels = squares(cells)
        write_truth_masks(folder / "truth", f"f{site:02d}", Masks(labels, labels * 0))
    if known:
        write_truth_cells(folder / "truth", frame)
        write_world(folder / "truth", {"world": "hpa", "classes": list(CLASSES)})
    if parts:
        write_truth_sites(
            folder / "truth",
            pl.DataFrame(
                {
                    "site_id": [f"f{site:02d}" for site in range(sites)],
                    "part": [parts[site % len(parts)] for site in range(sites)],
                    "group": [f"p{site // 2}" for site in range(sites)],
                }
            ),
        )
    return folder / "truth"


def chances(frame, *, seed=1, noise=0.3):
    """`[cell, class]` for the rows of `answers`: the truth behind noise."""
    rng = np.random.default_rng(seed)
    truth = np.array(
        [[name in row for name in CLASSES[:2]] for row in frame["classes"].to_list()], float
    )
    said = np.clip(0.5 + (truth - 0.5) * 0.7 + rng.normal(0, noise, truth.shape), 0, 1)
    return np.column_stack([said, 1 - said.max(axis=1)]).astype(np.float32)


def write_run(folder, *, sites=8, cells=8, seed=0, shift=0, noise=0.3, folds=True, part=None):
    """A run folder as far as `evaluate` reads it."""
    frame = answers(sites, cells, seed=seed)
    chance = chances(frame, noise=noise)
    parts = {f"f{site:02d}": part or ("train", "test")[site % 2] for site in range(sites)}
    for site in parts:
        labels = squares(cells, shift=shift)
        write_masks(folder / "masks", site, Masks(labels, labels * 0))
    table = empty_frame(SITES).drop("site_id", "raw_id", "part", "channel").clear(len(parts))
    table = table.with_columns(
        pl.Series("site_id", list(parts)),
        pl.Series("raw_id", list(parts)),
        pl.Series("part", list(parts.values())),
        pl.lit("green").alias("channel"),
    )
    write_table(folder / "sites.parquet", SITES, table)
    if folds:
        write_table(
            folder / "folds.parquet",
            FOLDS,
            pl.DataFrame(
                {
                    "site_id": list(parts),
                    "fold": [0 if p == "train" else None for p in parts.values()],
                    "group": list(parts),
                },
                schema_overrides={"fold": pl.Int32},
            ),
        )
    rows = empty_frame(PREDICTIONS).clear(frame.height)
    rows = rows.with_columns(
        pl.lit("cell").alias("unit"),
        frame["site_id"],
        frame["cell_id"].cast(pl.Int32),
        frame["site_id"].replace_strict(parts).alias("part"),
        *(pl.Series(f"Prob_{name}", chance[:, c]) for c, name in enumerate(CLASSES)),
    )
    write_table(folder / "predictions.parquet", PREDICTIONS, rows)
    (folder / "reading.json").write_text(
        '{"classes": {"names": ["Nucleoplasm", "Golgi apparatus", "Negative"], '
        '"negative": "Negative"}}'
    )
    return folder


def submission_rows(*, sites=8, cells=8, seed=0, shift=0, noise=0.3, part="test", digits=5):
    """Rows of the submission file that says the same as `write_run`."""
    frame = answers(sites, cells, seed=seed)
    chance = chances(frame, noise=noise)
    masks = encode_masks(squares(cells, shift=shift))
    rows = {}
    for site, cell, said in zip(frame["site_id"], frame["cell_id"], chance, strict=True):
        if part is not None and ("train", "test")[int(site[1:]) % 2] != part:
            continue
        words = rows.setdefault(site, [])
        words += [
            f"{HPA[n]} {p:.{digits}f} {masks[cell]}" for n, p in zip(CLASSES, said, strict=True)
        ]
    return [[site, str(SIDE), str(SIDE), " ".join(words)] for site, words in rows.items()]


def write_submission(path, rows, header=("ID", "ImageWidth", "ImageHeight", "PredictionString")):
    """Write rows as a CSV file."""
    with path.open("w", newline="") as handle:
        csv.writer(handle, lineterminator="\n").writerows([header, *rows])
    return path
