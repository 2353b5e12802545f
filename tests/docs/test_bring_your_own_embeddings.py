"""The page on embeddings, carried out as it is written."""

import json
import re
import shlex
from pathlib import Path

import polars as pl
import pytest
from tests.faults.fault_runs import command, here

import cellwise

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "bring-your-own-embeddings.md"


# Fields kept of each fold; the page has 65, and of all of them the same is learned, only longer.
PER_FOLD = 24


def blocks():
    """Commands and programs of the page, in order; parts of recipes are neither."""
    text = PAGE.read_text(encoding="utf-8")
    for language, block in re.findall(r"^```(\w*)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE):
        if language == "python":
            yield "program", block
        elif not language:
            yield from (("command", line) for line in block.splitlines())


def thin_out(world):
    """Leave some fields of each fold; returns their names."""
    labels = pl.read_csv(world / "labels.csv", infer_schema=False)
    kept = labels.filter(pl.int_range(pl.len()).over("Fold") < PER_FOLD)
    for site in set(labels["site_id"]) - set(kept["site_id"]):
        (world / "images" / f"{site}.png").unlink()
    kept.write_csv(world / "labels.csv")
    return kept["site_id"].to_list()


@pytest.mark.slow
@pytest.mark.long
def test_the_page_leads_from_fields_to_labels_of_cells(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said, kept = "", []
    for kind, text in blocks():
        if kind == "program":
            exec(compile(text, str(PAGE), "exec"), {})
            continue
        done = here(command(*shlex.split(text)[1:]))
        assert done.returncode == 0, (text, done.stderr[-2000:])
        said = done.stdout
        kept = kept or thin_out(tmp_path / "world")
    figures = {name: entry["value"] for name, entry in json.loads(said)["metrics"].items()}
    truth = pl.read_csv(tmp_path / "world" / "truth" / "cells.csv")
    truth = truth.filter(pl.col("site_id").is_in(kept))
    chance = truth["classes"].value_counts()["count"].to_numpy() / truth.height
    found = next(figures[n] for n in ("labelled_cell_macro_ap", "cell_macro_ap") if n in figures)
    assert found > 3 * chance.mean(), (found, chance.mean())
    table = cellwise.open_run(tmp_path / "world.run").to_anndata()
    assert table.obsm["X_embed"].shape == (truth.height, 28)
