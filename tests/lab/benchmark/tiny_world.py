"""A tiny world in the Kaggle layout whose cells are known: four cells a field, two classes."""

import csv

import numpy as np
import polars as pl
from tests.worlds import save

from cellwise.domain.records import Masks
from cellwise.store.worlds.truth import (
    write_truth_cells,
    write_truth_masks,
    write_truth_sites,
    write_world,
)

SIZE, PITCH = 64, 32
CLASSES = ("Nucleoplasm", "Cytosol")
INDEX = {"Nucleoplasm": "0", "Cytosol": "16"}

ROWS = """format: 1
seeds: 2
draws: 200
min_cells: 4
min_groups: 2
set: [train.epochs=4, train.net.width=8, train.batch=8]
worlds:
  - {name: tiny, world: folder, make: {path: world}}
rows:
  - {name: inherit, recipe: inherit.yaml, about: Labels of fields for cells.}
  - name: truth
    recipe: inherit.yaml
    set: [label.by=known, label.truth=$truth]
    against: [inherit]
  - name: soft
    recipe: soft.yaml
    against: [inherit]
    expect: better
    source: a paper
    about: One round.
"""
INHERIT = """format: 1
steps:
  - read:
  - segment: watershed
  - cells: {size: 32, policy: mask_others}
  - split: {by: site, folds: 2}
  - label: {as: inherited, by: inherit}
  - train: {as: cell, task: cell, labels: inherited, augment: [dihedral]}
  - score: {as: cell, model: cell}
  - decide: {from: [cell]}
  - report:
"""
SOFT = """format: 1
steps:
  - read:
  - segment: watershed
  - cells: {size: 32, policy: mask_others}
  - split: {by: site, folds: 2}
  - label: {as: weak, by: inherit}
  - train: {as: first, task: cell, labels: weak, augment: [dihedral]}
  - score: {as: first, model: first}
  - label: {as: clean, by: soft, from: first}
  - train: {as: second, task: cell, labels: clean, augment: [dihedral]}
  - score: {as: second, model: second}
  - train: {as: unused, task: cell, labels: clean}
  - decide: {from: [second]}
"""


def write_rows(folder, *, rows=ROWS):
    """The rows file with its recipes; returns its path."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "inherit.yaml").write_text(INHERIT)
    (folder / "soft.yaml").write_text(SOFT)
    path = folder / "rows.yaml"
    path.write_text(rows)
    return path


def make_world(folder, *, train=12, test=8, seed=0):
    """Fields of four cells; a field's label holds a class when a cell shows it."""
    random = np.random.default_rng(seed)
    cells, sites, labels = [], [], []
    for number in range(train + test):
        part = "train" if number < train else "test"
        name = f"{part}{number:02d}"
        share = (0.9, 0.1, 0.5)[number % 3]
        shown = ["Nucleoplasm" if random.random() < share else "Cytosol" for _ in range(4)]
        if number == 0:
            shown[0] = ""
        planes, masks = _field(shown, random)
        for colour, plane in planes.items():
            save(folder / part / f"{name}_{colour}.png", plane)
        write_truth_masks(folder / "truth", name, masks)
        given = [c for c in CLASSES if c in shown]
        if part == "train":
            labels.append((name, "|".join(INDEX[c] for c in given)))
        for k, what in enumerate(shown):
            row = {
                "site_id": name,
                "cell_id": k + 1,
                "classes": what,
                "ignored": int(k == 3 < number % 5),
            }
            cells.append({**row, "group": f"p{number // 2}"})
        sites.append({"site_id": name, "part": part, "group": f"p{number // 2}"})
    write_truth_cells(folder / "truth", pl.DataFrame(cells))
    write_truth_sites(folder / "truth", pl.DataFrame(sites))
    write_world(folder / "truth", {"world": "tiny", "classes": list(CLASSES), "left_out": []})
    for file, head, rows in (
        ("train.csv", ["ID", "Label"], labels),
        ("sample_submission.csv", ["ID", "ImageWidth", "ImageHeight", "PredictionString"],
         [(s["site_id"], SIZE, SIZE, "") for s in sites if s["part"] == "test"]),
    ):  # fmt: skip
        with (folder / file).open("w", newline="") as handle:
            csv.writer(handle).writerows([head, *rows])
    return folder


def _field(shown, random):
    y, x = np.mgrid[:SIZE, :SIZE]
    planes = {c: random.normal(8, 1, (SIZE, SIZE)) for c in ("red", "green", "blue", "yellow")}
    cells, nuclei = np.zeros((SIZE, SIZE), np.uint16), np.zeros((SIZE, SIZE), np.uint16)
    for k, what in enumerate(shown):
        top, left = divmod(k, SIZE // PITCH)
        centre = np.array([top, left]) * PITCH + PITCH / 2 + random.integers(-2, 3, 2)
        distance = np.hypot(y - centre[0], x - centre[1])
        body, inside = distance < 13, distance < 6
        cells[body], nuclei[inside] = k + 1, k + 1
        planes["blue"] += 120 * inside
        planes["red"] += 60 * (body & ~inside)
        planes["yellow"] += 40 * (body & ~inside)
        place = {"Nucleoplasm": inside, "Cytosol": body & ~inside}.get(what, np.zeros_like(body))
        planes["green"] += 110 * random.uniform(0.8, 1.2) * place
    whole = {c: np.clip(p, 0, 255).astype(np.uint8) for c, p in planes.items()}
    return whole, Masks(cells, nuclei)
