"""What people said of cells goes out with them, and nothing where nobody judged."""

import json

import numpy as np
import polars as pl
import pytest
from tests.stages.export.test_cells_csv import exported

from cellwise.domain.tables import ANNOTATIONS
from cellwise.errors import FormatError
from cellwise.stages.export import exporters
from cellwise.stages.export._verdicts import COLUMNS
from cellwise.store.annotations.outlines import outline_of
from cellwise.store.annotations.saves import save
from cellwise.store.run.masks import key_of, mask_path, read_labels, write_labels
from cellwise.store.run.tables import empty_frame


def say(run, site, cell, said, *, who="ann"):
    """Save what somebody says of one cell: class and verdict."""
    labels = read_labels(mask_path(run.masks, site, "cells"))
    rows = [
        {
            "site_id": site, "cell_id": cell, "mask_key": key_of(labels),
            "outline": outline_of(labels, cell), "x": 0.0, "y": 0.0, "class": name,
            "verdict": verdict, "drawn": "uncertain", "who": who,
            "when": "2026-11-29T10:00:00+00:00", "model_said": 0.5,
        }
        for name, verdict in said.items()
    ]  # fmt: skip
    frame = pl.DataFrame(rows).select(list(ANNOTATIONS.columns))
    save(run, frame.cast(empty_frame(ANNOTATIONS).schema))


def test_without_verdicts_no_columns(run, tmp_path):
    assert not set(COLUMNS.values()) & set(exported(run, tmp_path / "out.csv")[0])


def test_each_cell_has_the_classes_of_its_verdicts(run, tmp_path):
    say(run, "s1", 4, {"Cytosol": "no", "Golgi / ER": "yes", "Negative": "no"})
    say(run, "s3", 2, {"Cytosol": "unsure"})
    rows = exported(run, tmp_path / "out.csv")
    found = [tuple(row[name] for name in COLUMNS.values()) for row in rows]
    assert found == [("", "", ""), ("Golgi / ER", "Cytosol|Negative", ""), ("", "", "Cytosol")]
    assert rows[1]["Labels"] == "Cytosol|Golgi / ER"


def test_what_two_people_contradict_is_unsure(run, tmp_path):
    say(run, "s1", 4, {"Cytosol": "no", "Negative": "no"})
    say(run, "s1", 4, {"Cytosol": "yes", "Negative": "no"}, who="bob")
    row = exported(run, tmp_path / "out.csv")[1]
    assert [row[name] for name in COLUMNS.values()] == ["", "Negative", "Cytosol"]


def test_verdicts_follow_the_pixels_of_their_cell(run, tmp_path):
    say(run, "s1", 4, {"Cytosol": "yes"})
    path = mask_path(run.masks, "s1", "cells")
    labels = read_labels(path)
    # The cells change their numbers: the verdict belongs to what is cell 1 now.
    others = np.where(labels == 1, 4, np.where(labels == 4, 1, labels))
    write_labels(path, others.astype(labels.dtype))
    rows = exported(run, tmp_path / "out.csv")
    assert [row["Verdict_yes"] for row in rows] == ["Cytosol", "", ""]


def test_the_files_of_scanpy_and_qupath_have_them_too(run, tmp_path):
    anndata = pytest.importorskip("anndata")
    say(run, "s1", 4, {"Cytosol": "yes"})
    exporters.build("anndata")(run, tmp_path / "out.h5ad")
    table = anndata.read_h5ad(tmp_path / "out.h5ad")
    assert str(table.obs.loc["s1_4", "Verdict_yes"]) == "Cytosol"
    exporters.build("geojson")(run, tmp_path / "out")
    said = {
        cell["properties"]["name"]: cell["properties"]["metadata"].get("Verdict_yes")
        for cell in json.loads((tmp_path / "out" / "s1.geojson").read_text())["features"]
    }
    assert said["s1_4"] == "Cytosol"
    assert said["s1_1"] is None


def test_a_damaged_save_is_named(run, tmp_path):
    say(run, "s1", 4, {"Cytosol": "yes"})
    next(run.annotations.glob("save-*")).write_bytes(b"torn")
    with pytest.raises(FormatError, match="save-"):
        exported(run, tmp_path / "out.csv")
    assert not (tmp_path / "out.csv").exists()
