"""The page on embeddings, carried out as it is written."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

import cellwise

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "bring-your-own-embeddings.md"

# This very source, also where the programs' folder is another.
HERE = {**os.environ, "PYTHONPATH": str(Path(cellwise.__file__).parents[1])}


def blocks():
    """Commands and programs of the page, in order."""
    found = re.findall(r"```(python)?\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    for kind, text in found:
        if kind:
            yield [sys.executable, "-c", text]
        else:
            for line in text.splitlines():
                yield [sys.executable, "-m", "cellwise", *shlex.split(line)[1:]]


@pytest.mark.long
def test_the_page_leads_from_fields_to_labels_of_cells(tmp_path):
    said = ""
    for command in blocks():
        done = subprocess.run(
            command, cwd=tmp_path, env=HERE, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, (command, done.stderr[-2000:])
        said = done.stdout
    figures = {name: entry["value"] for name, entry in json.loads(said)["metrics"].items()}
    truth = pl.read_csv(tmp_path / "world" / "truth" / "cells.csv")
    chance = truth["classes"].value_counts()["count"].to_numpy() / truth.height
    found = next(figures[n] for n in ("labelled_cell_macro_ap", "cell_macro_ap") if n in figures)
    assert found > 3 * chance.mean(), (found, chance.mean())
    table = cellwise.open_run(tmp_path / "world.run").to_anndata()
    assert table.obsm["X_embed"].shape == (truth.height, 28)
