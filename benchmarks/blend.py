"""When the score of its field helps a cell: worlds whose cells differ in all degrees.

    python benchmarks/blend.py OUT WORLDS... [--json FILE] [--picture FILE]

A world is made by `cellwise simulate WORLD --world hpa --severity default --sites 150 --size 256
--seed N --scv V`, V being the share of labels that vary between cells of a field. The outlines are
the world's own; kernel ridge learns inherited labels from measured features, and from two halves of
them, whose scores tell how far cells of one field differ. Judged are cells of new fields: the mean
average precision over classes that eight of them show, with the score of the field (its best cell,
or the mean of its other cells) taken in with fixed weights, as a product, and by `auto`.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.special import expit
from sklearn.metrics import average_precision_score

import cellwise
from cellwise.contracts.adjuster import Cells
from cellwise.stages.decide.adjust import adjusters
from cellwise.stages.decide.blend.weights import variability_of, with_weights
from cellwise.store.run.folder import RunFolder, read_json
from cellwise.store.run.reader import RunReader

RECIPE = """# Measured features, whole and in two halves, and kernel ridge on inherited labels.
format: 1
steps:
  - read:
  - segment: {name: given, masks: MASKS}
  - cells: {crops: false}
  - split: {by: auto, folds: 5}
  - embed: {as: one, by: measured, only: [zones, texture, granularity, landmarks]}
  - embed: {as: two, by: measured, only: [intensity, scales, ridges, spots]}
  - label: {as: shown, by: inherit}
  - train: {as: one, task: vectors, embeddings: one, labels: shown, LEARNER}
  - train: {as: two, task: vectors, embeddings: two, labels: shown, LEARNER}
  - train: {as: cell, task: vectors, embeddings: [one, two], labels: shown, LEARNER}
  - score: {as: one, model: one, by: vector_learner, embeddings: one, threads: 1}
  - score: {as: two, model: two, by: vector_learner, embeddings: two, threads: 1}
  - score: {as: cell, model: cell, by: vector_learner, embeddings: [one, two], threads: 1}
  - decide: {from: [cell]}
"""
LEARNER = "learner: {name: kernel_ridge, metric: true}, threads: 1"
KEY = ["site_id", "cell_id"]
FEWEST = 8
WEIGHTS = (0.15, 0.3, 0.45, 0.6, 0.75, 0.9)
AUTO = {
    "best cell": {"name": "field_score", "how": "mean", "weight": "auto"},
    "other cells": {"name": "neighbours", "share": "auto"},
}
Floats = npt.NDArray[np.float64]


def asked() -> dict[str, Any]:
    """The adjusters by the name of their row; None for none."""
    rows: dict[str, Any] = {"none": None, "product with best cell": "field_score"}
    for weight in WEIGHTS:
        best = {"name": "field_score", "how": "mean", "weight": weight}
        rows[f"best cell {weight:.2f}"] = best
        rows[f"other cells {weight:.2f}"] = {"name": "neighbours", "share": weight}
    return rows | {f"{name} auto": spec for name, spec in AUTO.items()}


def world(path: Path, home: Path) -> dict[str, Any]:
    """The figures of one world."""
    recipe = home / f"{path.name}.yaml"
    told = RECIPE.replace("MASKS", str(path / "truth" / "masks")).replace("LEARNER", LEARNER)
    recipe.write_text(told)
    run = RunFolder(home / path.name)
    if not run.decision("decide").is_file():
        cellwise.run(path, out=run.path, recipe=str(recipe), workers=1)
    decided = read_json(run.decision("decide"))
    classes = tuple(name for name in decided["classes"] if name != decided["negative"])
    tables = [RunReader(run).scores(name, classes).sort(KEY) for name in ("cell", "one", "two")]
    rows = tables[0].select(KEY)
    logits = np.stack(
        [one["score"].to_numpy().reshape(len(rows), -1).astype(np.float64) for one in tables]
    )
    shown, judged = truth_of(path, run, rows, classes)
    field = np.unique(rows["site_id"].to_numpy(), return_inverse=True)[1].astype(np.int64)
    best = np.full((field.max() + 1, len(classes)), -np.inf)
    np.maximum.at(best, field, logits[0])
    none = np.zeros(len(field), bool)
    cells = Cells(field, best[field], np.ones(len(field)), none, classes=classes)
    there = [k for k in range(len(classes)) if shown[judged, k].sum() >= FEWEST]
    variability = variability_of(logits[1:], field, classes)

    def precision(spec: Any) -> float:
        (found,) = with_weights([spec], variability) if spec else (None,)
        values = expit(adjusters.build(found)(logits[0], cells) if found else logits[0])
        return float(
            np.mean([average_precision_score(shown[judged, k], values[judged, k]) for k in there])
        )

    known = [value for value in variability.values() if value is not None]
    made = read_json(path / "truth" / "world.json")
    return {
        "world": path.name,
        "scv": found_in(made, "scv"),
        "seed": found_in(made, "seed"),
        "variability": float(np.mean(known)),
        "cells": int(judged.sum()),
        "classes": len(there),
        "precision": {name: precision(spec) for name, spec in asked().items()},
    }


def found_in(content: Any, name: str) -> Any:
    """The first value of this name in nested mappings."""
    if isinstance(content, dict):
        if name in content and not isinstance(content[name], dict):
            return content[name]
        for value in content.values():
            if (found := found_in(value, name)) is not None:
                return found
    return None


def truth_of(
    path: Path, run: RunFolder, rows: pl.DataFrame, classes: Sequence[str]
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """`[cell, class]` what cells show, and `[cell]` which are of new fields and not ignored."""
    table = pl.read_csv(path / "truth" / "cells.csv", schema_overrides={"site_id": pl.String})
    table = table.with_columns(
        pl.col("cell_id").cast(pl.Int32), pl.col("classes").fill_null("").str.split("|")
    )
    part = RunReader(run).sites().select("site_id", "part")
    known = rows.join(table.select(*KEY, "classes", "ignored"), on=KEY, how="left",
                      maintain_order="left").join(part, on="site_id", how="left",
                                                  maintain_order="left")  # fmt: skip
    shown = [
        known["classes"].list.contains(name).fill_null(value=False).to_numpy() for name in classes
    ]
    judged = (known["part"] == "test") & (known["ignored"].fill_null(1) == 0)
    return np.stack(shown, axis=1), judged.to_numpy()


LINES = (
    ("other cells 0.30", "#9ecae9"), ("other cells 0.60", "#0072B2"),
    ("other cells 0.90", "#8a8f98"), ("other cells auto", "#D55E00"),
    ("best cell 0.45", "#56B46A"), ("best cell auto", "#CC79A7"),
)  # fmt: skip


def picture(rows: list[dict[str, Any]]) -> str:
    """Gain over no blending against the share of labels that vary between cells, as SVG."""
    scvs = sorted({row["scv"] for row in rows})
    low, high = -0.3, 0.1

    def x(value: float) -> float:
        return 70 + 380 * value

    def y(gain: float) -> float:
        return 24 + 270 * (high - max(gain, low)) / (high - low)

    parts = [
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 660 350" font-family="sans-serif" '
        'font-size="12"><rect width="660" height="350" fill="#ffffff"/>'
    ]
    for gain in (-0.3, -0.2, -0.1, 0.0, 0.1):
        colour, at = "#222222" if gain == 0 else "#dddddd", y(gain)
        parts += [
            f'<line x1="70" x2="450" y1="{at:.1f}" y2="{at:.1f}" stroke="{colour}"/>',
            f'<text x="62" y="{at + 4:.1f}" text-anchor="end">{gain:+.1f}</text>',
        ]
    for scv in scvs:
        parts.append(f'<text x="{x(scv):.1f}" y="312" text-anchor="middle">{scv:g}</text>')
    parts.append('<text x="260" y="336" text-anchor="middle">share of labels that vary between '
                 "cells (--scv)</text>")  # fmt: skip
    parts.append('<text x="20" y="160" text-anchor="middle" transform="rotate(-90 20 160)">mean '
                 "average precision, gain</text>")  # fmt: skip
    for number, (name, colour) in enumerate(LINES):
        ends = []
        for scv in scvs:
            own = [row["precision"] for row in rows if row["scv"] == scv]
            gains = [one[name] - one["none"] for one in own]
            ends.append((x(scv), y(float(np.mean(gains)))))
            parts += [f'<circle cx="{x(scv):.1f}" cy="{y(gain):.1f}" r="2.5" fill="{colour}"/>'
                      for gain in gains]  # fmt: skip
        line = " ".join(f"{a:.1f},{b:.1f}" for a, b in ends)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        at = 40 + 20 * number
        parts.append(f'<line x1="470" x2="490" y1="{at}" y2="{at}" stroke="{colour}" '
                     f'stroke-width="2"/><text x="498" y="{at + 4}">{name}</text>')  # fmt: skip
    return "".join([*parts, "</svg>\n"])


def main() -> None:
    """Print and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("worlds", type=Path, nargs="+")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--picture", type=Path)
    told = parser.parse_args()
    told.out.mkdir(parents=True, exist_ok=True)
    rows = [world(path, told.out) for path in told.worlds]
    names = list(rows[0]["precision"])
    for row in rows:
        print(f"{row['world']}: scv {row['scv']:g}, variability {row['variability']:.3f}, "
              f"{row['cells']} cells, {row['classes']} classes")  # fmt: skip
        print("  " + "  ".join(f"{name} {row['precision'][name]:.3f}" for name in names))
    print("mean: " + "  ".join(
        f"{name} {np.mean([row['precision'][name] for row in rows]):.3f}" for name in names
    ))  # fmt: skip
    if told.json:
        told.json.write_text(json.dumps(rows, indent=1))
    if told.picture:
        told.picture.write_text(picture(rows))


if __name__ == "__main__":
    main()
