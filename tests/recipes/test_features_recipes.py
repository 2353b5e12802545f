"""Recipes on measured features for plates and for fields of one class: figures, control, arrays."""

import csv
import json

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal
from tests.plates import treated
from tests.worlds import draw, wells

import cellwise
from cellwise.store.run.embeddings import Embeddings
from cellwise.store.run.folder import RunFolder

pytestmark = [pytest.mark.long, pytest.mark.slow]


@pytest.fixture(scope="module")
def by_features(plate, tmp_path_factory):
    return cellwise.run(
        plate / "images",
        labels=plate / "labels.csv",
        out=tmp_path_factory.mktemp("features") / "run",
        recipe="plate-features",
        settings=["segment.name=watershed"],
    )


def test_treated_wells_are_told_from_the_others_out_of_fold(by_features):
    cells = by_features.cells.filter(pl.col("fold").is_not_null())
    means = cells.group_by("Metadata_Well").agg(pl.col("Prob_Nuclear").mean())
    found = dict(means.iter_rows())
    assert len(found) == 10
    assert min(v for w, v in found.items() if treated(w)) > max(
        v for w, v in found.items() if not treated(w)
    )


def test_the_control_has_no_number_of_the_protein_and_fails(by_features):
    kept = Embeddings(RunFolder(by_features.path).embeddings("without_protein"))
    assert kept.columns
    assert not [name for name in kept.columns if name.endswith("_protein")]
    control = pl.read_parquet(by_features.path / "predictions_control.parquet")
    both = by_features.cells.join(
        control.select("site_id", "cell_id", blind="Prob_Nuclear"), on=["site_id", "cell_id"]
    ).filter(pl.col("fold").is_not_null())
    shown = both["Metadata_Well"].map_elements(treated, return_dtype=pl.Boolean)

    def apart(column):
        return both.filter(shown)[column].mean() - both.filter(~shown)[column].mean()

    assert apart("Prob_Nuclear") > 2 * abs(apart("blind"))
    assert "negative_control" in json.loads((by_features.path / "evaluation.json").read_text())


def test_no_number_of_brightness_is_learned_from(by_features):
    kept = Embeddings(RunFolder(by_features.path).embeddings("measured"))
    assert not [name for name in kept.columns if "_Intensity_LogMean" in name]


@pytest.fixture(scope="module")
def one_class(plate, tmp_path_factory):
    home = tmp_path_factory.mktemp("one_class")
    with (home / "labels.csv").open("w", newline="") as handle:
        rows = [(well, "Inside" if treated(well) else "Outside") for well in wells(10)]
        csv.writer(handle).writerows([("well", "label"), *rows])
    return cellwise.run(
        plate / "images",
        labels=home / "labels.csv",
        out=home / "run",
        settings=["segment.name=watershed", "split.folds=2"],
    )


def test_fields_of_one_class_get_this_recipe_by_themselves(one_class):
    said = json.loads((one_class.path / "run.json").read_text())["recipe"]["name"]
    assert said == "one-class-features"
    cells = one_class.cells.filter(pl.col("fold").is_not_null())
    inside = cells["Metadata_Well"].map_elements(treated, return_dtype=pl.Boolean).to_numpy()
    shown = cells["Prob_Inside"].to_numpy() > cells["Prob_Outside"].to_numpy()
    assert (shown == inside).mean() > 0.8


def test_an_array_gets_what_its_field_in_the_run_gets(one_class, plate):
    """Of a field without label: the mean of all models in both cases."""
    pixels = np.stack(draw(0, nuclear=False))
    new = cellwise.predict(pixels, ["nucleus", "protein"], model=one_class.path)
    columns = [name for name in new.columns if name.startswith("Prob_")]
    known = one_class.cells.filter(pl.col("Metadata_Well") == "A01")
    assert_frame_equal(new.select("cell_id"), known.select("cell_id"))
    # Here by the models of all folds, there by the one that left the field out.
    assert np.abs(new.select(columns).to_numpy() - known.select(columns).to_numpy()).mean() < 0.3
