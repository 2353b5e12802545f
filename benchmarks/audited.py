"""How far probabilities are from what cells show, before and after they are fitted to judged cells.

    python benchmarks/audited.py OUT WORLDS... [--judged 100 200 400] [--draws 3] [--json FILE]

A world is made by `cellwise simulate WORLD --world hpa --severity hard --sites 150 --size 256
--seed N`. The outlines are the world's own; kernel ridge learns inherited labels from measured
features. Cells of labelled fields are drawn as `cellwise audit RUN --draw N` does and judged by the
truth; then `decide` fits each decider to them. The expected calibration error of the ten bins of
`measures.calibration`, over the classes whose probabilities are audited then, is of cells of
labelled fields that were not drawn, and of cells of new fields, which all models of the run speak
of together.
"""

import argparse
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

import cellwise
from cellwise.app.audit import audit_run, draw_cells
from cellwise.domain.tables import PREDICTIONS
from cellwise.measures.calibration import errors, sums_by_bin
from cellwise.store.run.folder import RunFolder, read_json
from cellwise.store.run.tables import read_table

RECIPE = """# Measured features and kernel ridge on inherited labels.
format: 1
steps:
  - read:
  - segment: {name: given, masks: MASKS}
  - cells: {crops: false}
  - split: {by: auto, folds: 5}
  - embed: {as: measured, by: measured}
  - label: {as: shown, by: inherit}
  - train: {task: vectors, embeddings: measured, labels: shown, LEARNER}
  - score: {model: train, by: vector_learner, embeddings: measured, threads: 1}
  - decide: {from: score}
"""
LEARNER = "learner: {name: kernel_ridge, metric: true}, threads: 1"
KEY = ["site_id", "cell_id"]
BY = ("temperature", "isotonic", "boosting")
BINS = 10
Floats = npt.NDArray[np.float64]


def world(path: Path, home: Path, counts: list[int], draws: int) -> list[dict[str, Any]]:
    """The figures of one world."""
    recipe = home / f"{path.name}.yaml"
    recipe.write_text(
        RECIPE.replace("MASKS", str(path / "truth" / "masks")).replace("LEARNER", LEARNER)
    )
    run = RunFolder(home / path.name)
    if not run.decision("decide").is_file():
        cellwise.run(path, out=run.path, recipe=str(recipe), workers=1)
    rows = []
    for judged in counts:
        for draw in range(draws):
            for name in ("draw.json", "draw.csv"):
                (run.annotations / name).unlink(missing_ok=True)
            shutil.rmtree(run.annotations, ignore_errors=True)
            sheet = draw_cells(run.path, judged, seed=draw)
            drawn = judge(path, run, sheet)
            audit_run(run.path, verdicts=sheet)
            before = told_by(path, run, drawn, None)
            for by in BY:
                cellwise.run(
                    path, out=run.path, recipe=str(recipe), workers=1,
                    settings=[f"decide.annotations={sheet}", f"decide.audited={by}"],
                )  # fmt: skip
                told = read_json(run.decision("decide"))["audit"]["classes"]
                names = [n for n, one in told.items() if one["calibration"] == "audited"]
                after = told_by(path, run, drawn, names)
                rows.append({
                    "world": path.name, "judged": judged, "draw": draw, "by": by,
                    "classes": len(names), "of": len(told), "before": error_over(before, names),
                    "after": error_over(after, names),
                })  # fmt: skip
            cellwise.run(path, out=run.path, recipe=str(recipe), workers=1,
                         settings=["decide.annotations=", "decide.audited="])  # fmt: skip
    return rows


def judge(path: Path, run: RunFolder, sheet: Path) -> pl.DataFrame:
    """Fill the sheet with what the world knows; returns its cells."""
    truth = truth_of(path)
    rows = pl.read_csv(sheet, infer_schema=False)
    filled = rows.drop("classes").with_columns(pl.col("cell_id").cast(pl.Int32)).join(
        truth.select(*KEY, "classes"), on=KEY, how="left", maintain_order="left"
    )  # fmt: skip
    filled.select(rows.columns).write_csv(sheet)
    return filled.select(KEY)


def truth_of(path: Path) -> pl.DataFrame:
    """What each cell shows, `a|b`; Negative for none; `?` for cells that are not to be judged."""
    table = pl.read_csv(path / "truth" / "cells.csv", schema_overrides={"site_id": pl.String})
    return table.with_columns(
        pl.col("cell_id").cast(pl.Int32),
        pl.when(pl.col("ignored") != 0).then(pl.lit("?"))
        .otherwise(pl.col("classes").fill_null("").replace("", "Negative")).alias("classes"),
    )  # fmt: skip


def told_by(
    path: Path, run: RunFolder, drawn: pl.DataFrame, names: list[str] | None
) -> dict[str, Any]:
    """Probabilities and truth by group of cells."""
    frame = read_table(run.predictions, PREDICTIONS)
    frame = frame.join(truth_of(path).select(*KEY, "classes"), on=KEY, how="inner").filter(
        pl.col("classes") != "?"
    )
    asked = frame.select(KEY).join(
        drawn.with_columns(drawn=pl.lit(value=True)), on=KEY, how="left", maintain_order="left"
    )["drawn"].fill_null(value=False).to_numpy()  # fmt: skip
    folds = frame["fold"].is_not_null().to_numpy()
    shown = frame["classes"].str.split("|").to_list()
    return {"frame": frame, "shown": shown, "labelled": folds & ~asked, "new": ~folds}


def error_over(found: dict[str, Any], names: list[str]) -> dict[str, float]:
    """The calibration error over some classes, by kind of cells."""
    if not names:
        return {"labelled": np.nan, "new": np.nan}
    chance = found["frame"].select([f"Prob_{n}" for n in names]).to_numpy().astype(np.float64)
    truth = np.array([[name in own for name in names] for own in found["shown"]])
    result = {}
    for kind in ("labelled", "new"):
        rows = found[kind]
        sums = sums_by_bin(truth[rows], chance[rows], np.zeros(rows.sum(), np.int64), (1, BINS))
        result[kind] = float(errors(np.ones((1, 1)), *sums)[0][0])
    return result


def told_of(kind: str, rows: list[dict[str, Any]]) -> str:
    """Errors before and after, of one kind of cells."""
    was, now = ([row[word][kind] for row in rows] for word in ("before", "after"))
    better = sum(old > new for old, new in zip(was, now, strict=True))
    return (
        f"{kind}: {np.mean(was):.3f} -> {np.mean(now):.3f} ({min(now):.3f} to {max(now):.3f}), "
        f"smaller in {better} of {len(was)}"
    )


def main() -> None:
    """Print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("worlds", type=Path, nargs="+")
    parser.add_argument("--judged", type=int, nargs="+", default=[100, 200, 400])
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--json", type=Path)
    told = parser.parse_args()
    told.out.mkdir(parents=True, exist_ok=True)
    rows = [row for path in told.worlds
            for row in world(path, told.out, told.judged, told.draws)]  # fmt: skip
    for judged in told.judged:
        for by in BY:
            mine = [row for row in rows if row["judged"] == judged and row["by"] == by]
            classes = np.mean([row["classes"] for row in mine])
            print(f"{judged} judged, {by}: {classes:.1f} of {mine[0]['of']} classes audited")
            for kind in ("labelled", "new"):
                print("  " + told_of(kind, [row for row in mine if row["classes"]]))
    if told.json:
        told.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
