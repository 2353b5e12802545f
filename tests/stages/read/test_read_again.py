"""A run folder that was read when the last of contradicting rows gave the label is read again."""

import dataclasses

import cv2
import numpy as np
import polars as pl
import pytest
import yaml

from cellwise.domain import tables
from cellwise.flow.pipeline.run import run_pipeline
from cellwise.flow.request import make_request
from cellwise.stages.read import spec
from cellwise.store.run.tables import read_table, write_table


@pytest.fixture
def screen(tmp_path):
    """Two wells of two experiments; one has two siRNAs, in two tables."""
    random = np.random.default_rng(0)
    rows = ["id_code,sirna"]
    for experiment in ("HUVEC-01", "HUVEC-02"):
        place = tmp_path / "images/train" / experiment / "Plate1"
        place.mkdir(parents=True)
        for number, well in enumerate(("B02", "B03")):
            rows.append(f"{experiment}_1_{well},sirna_{number}")
            for channel in range(1, 7):
                pixels = random.integers(0, 200, (16, 16)).astype(np.uint8)
                cv2.imwrite(str(place / f"{well}_s1_w{channel}.png"), pixels)
    (tmp_path / "images/train.csv").write_text("\n".join(rows))
    (tmp_path / "images/train_controls.csv").write_text("id_code,sirna\nHUVEC-02_1_B03,sirna_0")
    steps = {"format": 1, "steps": [{"read": None}]}
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(steps))
    return tmp_path


def labels_of(screen):
    run = make_request(
        screen / "images", screen / "run", recipe=str(screen / "recipe.yaml"), workers=1
    )
    run_pipeline(run)
    found = read_table(screen / "run/sites.parquet", tables.SITES)
    return dict(found.select("site_id", pl.col("labels").list.first()).iter_rows())


def test_a_folder_with_contradicting_rows_is_read_again(screen, monkeypatch):
    site = "HUVEC-02_1_B03_1"
    with monkeypatch.context() as old:
        old.setattr(spec, "SPEC", dataclasses.replace(spec.SPEC, version=2))
        assert labels_of(screen)[site] is None
        path = screen / "run/sites.parquet"
        rows = read_table(path, tables.SITES)
        of_last = pl.when(pl.col("site_id") == site).then(pl.lit(["sirna_0"])).otherwise("labels")
        write_table(path, tables.SITES, rows.with_columns(labels=of_last))
        assert labels_of(screen)[site] == "sirna_0", "what was there is taken as it is"
    found = labels_of(screen)
    assert found.pop(site) is None
    assert None not in found.values()
