"""AnnData: a round trip through anndata keeps names, numbers and places."""

import importlib
import warnings

import numpy as np
import polars as pl
import pytest
from tests.stages.export.features import write_features

from cellwise.domain.tables import EMBEDDINGS, PREDICTIONS
from cellwise.stages.export import exporters
from cellwise.stages.export.anndata import annotated
from cellwise.store.run.embeddings import index_path, seal, write_vectors
from cellwise.store.run.tables import read_table, write_table
from cellwise.testing.runs import write_small_run


@pytest.fixture(scope="module")
def anndata():
    # Its import warns about its own dependencies on some machines; that is not ours to fix.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return importlib.import_module("anndata")


def exported(run, path, anndata):
    exporters.build("anndata")(run, path)
    return anndata.read_h5ad(path)


def test_names_are_unique_and_survive_the_round_trip(run, tmp_path, anndata):
    table = exported(run, tmp_path / "out.h5ad", anndata)
    assert table.obs_names.tolist() == ["s1_1", "s1_4", "s3_2"]
    assert table.obs_names.is_unique


def test_measurements_are_the_matrix(run, tmp_path, anndata):
    table = exported(run, tmp_path / "out.h5ad", anndata)
    assert table.var_names.tolist() == ["Cells_AreaShape_Area", "Cells_NuclearRingRatio_gfp"]
    assert table.X.dtype == np.float32
    assert table.X[:, 0].tolist() == [42, 104, 25]
    np.testing.assert_array_equal(table.X[:, 1], [np.nan, 2, 2])


def test_probabilities_follow_the_class_list(run, tmp_path, anndata, classes):
    table = exported(run, tmp_path / "out.h5ad", anndata)
    assert table.uns["classes"].tolist() == list(classes)
    stored = read_table(run.predictions, PREDICTIONS)
    expected = stored.select(pl.col("^Prob_.*$")).to_numpy()
    np.testing.assert_array_equal(table.obsm["probabilities"], expected)
    assert table.obsm["weak_labels"].dtype == bool
    assert table.obsm["weak_labels"].tolist() == [[False, True, False]] * 2 + [[False] * 3]
    assert table.obs["Labels"].tolist() == ["", "Cytosol|Golgi / ER", ""]
    assert table.obs["Prob_Golgi _ ER"].to_numpy() == pytest.approx(expected[:, 0])


def test_classes_that_differ_in_a_slash_alone_keep_a_column_each(tmp_path, anndata):
    classes = ("a/b", "a_b", "Negative")
    run = write_small_run(tmp_path / "run", classes=classes)
    table = exported(run, tmp_path / "out.h5ad", anndata)
    given = read_table(run.predictions, PREDICTIONS)
    for column, name in (("Prob_a_b", "Prob_a_b"), ("Prob_a_b~2", "Prob_a/b")):
        assert table.obs[column].to_numpy() == pytest.approx(given[name].to_numpy())


def test_places_are_those_of_spatialdata(run, tmp_path, anndata):
    table = exported(run, tmp_path / "out.h5ad", anndata)
    attributes = table.uns["spatialdata_attrs"]
    assert set(attributes) == {"region", "region_key", "instance_key"}
    assert list(attributes["region"]) == ["s1_cells", "s3_cells"]
    assert table.obs["region"].dtype == "category"
    assert set(table.obs[attributes["region_key"]]) == set(attributes["region"])
    assert table.obs[attributes["instance_key"]].tolist() == [1, 4, 2]
    np.testing.assert_array_equal(table.obsm["spatial"][0], [5, 4.5])


def test_unknown_folds_stay_unknown(run, tmp_path, anndata):
    table = exported(run, tmp_path / "out.h5ad", anndata)
    assert table.obs["fold"].isna().tolist() == [False, False, True]
    assert table.obs["Metadata_Well"].tolist() == ["A01"] * 3


def test_a_run_without_cells_is_a_table_without_rows(run, tmp_path, anndata, classes):
    table = read_table(run.predictions, PREDICTIONS)
    write_table(run.predictions, PREDICTIONS, table.clear(), classes=classes)
    found = exported(run, tmp_path / "out.h5ad", anndata)
    assert found.shape == (0, 2)
    assert found.obsm["probabilities"].shape == (0, 3)


def test_wells_are_left_out(run, tmp_path, anndata, classes):
    table = read_table(run.predictions, PREDICTIONS)
    changed = table.with_columns(
        unit=pl.when(pl.col("site_id") == "s3").then(pl.lit("well")).otherwise(pl.col("unit"))
    )
    write_table(run.predictions, PREDICTIONS, changed, classes=classes)
    assert exported(run, tmp_path / "out.h5ad", anndata).n_obs == 2


def test_many_classes_come_from_the_array_beside_the_table(make_run, tmp_path, anndata, classes):
    run = make_run(("s1",), drop=[f"Prob_{name}" for name in classes])
    chances = np.array([[0.1, 0.2, 0.7], [0.3, 0.3, 0.4]], np.float32)
    np.save(run.predictions.with_suffix(".npy"), chances)
    table = exported(run, tmp_path / "out.h5ad", anndata)
    np.testing.assert_array_equal(table.obsm["probabilities"], chances)
    assert table.uns["classes"].tolist() == list(classes)


def test_the_object_in_memory_is_the_one_in_the_file(run, tmp_path, anndata):
    held, back = annotated(run), exported(run, tmp_path / "out.h5ad", anndata)
    np.testing.assert_array_equal(held.X, back.X)
    assert held.obs_names.tolist() == back.obs_names.tolist()
    assert {n: held.obs[n].astype(str).tolist() for n in held.obs} == {
        n: back.obs[n].astype(str).tolist() for n in back.obs
    }
    for name in back.obsm:
        np.testing.assert_array_equal(held.obsm[name], back.obsm[name])
    assert held.uns["classes"].tolist() == back.uns["classes"].tolist()
    said, kept = (table.uns["spatialdata_attrs"]["region"] for table in (held, back))
    assert said.tolist() == kept.tolist()


def test_embeddings_stand_beside_the_cells_that_have_them(run, tmp_path, anndata):
    vectors = np.arange(6, dtype=np.float32).reshape(2, 3)
    for name, unit, sites, cells in (
        ("subcell", "cell", ["s1", "s3"], [4, 2]),
        ("fields", "site", ["s1", "s3"], [None, None]),
    ):
        folder = run.embeddings(name)
        frame = pl.DataFrame(
            {
                "unit": [unit] * 2,
                "site_id": sites,
                "cell_id": pl.Series(cells, dtype=pl.Int32),
                "shard": [write_vectors(folder, "all", vectors, dtype="float16")] * 2,
                "row": [0, 1],
                "length": [3, 3],
                "fold": pl.Series([None, None], dtype=pl.Int32),
                "model": ["", ""],
            }
        )
        write_table(index_path(folder), EMBEDDINGS, frame)
        seal(folder, frame, "float16", {})
    table = exported(run, tmp_path / "out.h5ad", anndata)
    np.testing.assert_array_equal(table.obsm["X_subcell"], [[np.nan] * 3, *vectors])
    assert "X_fields" not in table.obsm


def test_named_numbers_stand_in_x_beside_the_plain_measurements(run, tmp_path, anndata):
    plain = exported(run, tmp_path / "plain.h5ad", anndata)
    first = plain.var_names[0]
    write_features(run, [first, "Nuclei_Texture_Contrast_3_gfp"], [[9, 1], [9, np.nan]])
    table = exported(run, tmp_path / "out.h5ad", anndata)
    assert table.var_names.tolist() == [*plain.var_names, "Nuclei_Texture_Contrast_3_gfp"]
    np.testing.assert_array_equal(table.X[:, :-1], plain.X)
    np.testing.assert_array_equal(table.X[:, -1], [np.nan, 1, np.nan])
