"""Cells on a map lie along the main directions of their vectors."""

import json

import numpy as np
import polars as pl
import pytest
from sklearn.decomposition import PCA
from tests.app.view.conftest import write_run

from cellwise.app.view.data.opened import open_run
from cellwise.app.view.data.question import Question
from cellwise.app.view.data.scatter import MEASURED, SIDE, Scatter, _components
from cellwise.domain.tables import CELLS, EMBEDDINGS
from cellwise.errors import UsageError
from cellwise.store.run.embeddings import index_path, seal, write_vectors
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.tables import write_table


def embed(run, keys, vectors, name="seen"):
    """Vectors of some cells, written as an embed step does."""
    folder = RunFolder(run).embeddings(name)
    folder.mkdir(parents=True)
    shard = write_vectors(folder, "all", vectors, dtype="float32")
    index = keys.with_columns(
        unit=pl.lit("cell"),
        shard=pl.lit(shard),
        row=pl.int_range(pl.len(), dtype=pl.Int32),
        length=pl.lit(vectors.shape[1], pl.Int32),
        fold=pl.lit(None, pl.Int32),
        model=pl.lit(None, pl.String),
    )
    write_table(index_path(folder), EMBEDDINGS, index)
    seal(folder, index, "float32", {"from": "a test"})


@pytest.fixture
def made(tmp_path):
    """A run with vectors of all but its last ten cells, in two far groups."""
    made = write_run(tmp_path)
    keys = pl.read_parquet(made.run / "cells.parquet").select("site_id", "cell_id")[:-10]
    rng = np.random.default_rng(1)
    vectors = rng.normal(0, 1, (98, 6)).astype(np.float32)
    vectors[:40, 0] += 12
    embed(made.run, keys, vectors)
    return made


def test_main_directions_are_those_of_scikit_learn():
    values = np.random.default_rng(0).normal(0, 1, (200, 7)) @ np.diag([5, 3, 1, 1, 1, 1, 0.5])
    ours = _components(values.astype(np.float32))
    theirs = PCA(2).fit(values).components_.T
    for axis in range(2):
        cosine = abs(ours[:, axis] @ theirs[:, axis])
        assert cosine == pytest.approx(1, abs=1e-3)
        assert ours[np.abs(ours[:, axis]).argmax(), axis] > 0


def test_groups_lie_apart_and_cells_without_a_vector_nowhere(made):
    opened = open_run(made.run)
    scatter = Scatter(opened.cells)
    assert scatter.names() == ["seen", MEASURED]
    points = scatter.places("seen")
    assert np.isnan(points[98:]).all()
    assert np.isfinite(points[:98]).all()
    first, rest = points[:40, 0], points[40:98, 0]
    assert first.max() < rest.min() or rest.max() < first.min()
    assert points[:98].min() > -SIDE / 2
    assert points[:98].max() < 1.5 * SIDE
    np.testing.assert_array_equal(Scatter(open_run(made.run).cells).places("seen"), points)


def test_a_line_around_points_keeps_their_cells(made):
    opened = open_run(made.run)
    scatter = Scatter(opened.cells)
    points = scatter.places("seen")
    low, high = points[:40].min(0) - 1, points[:40].max(0) + 1
    box = f"{low[0]},{low[1]},{high[0]},{low[1]},{high[0]},{high[1]},{low[0]},{high[1]}"
    asked = Question(within=box, scatter="seen", sort="site")
    assert opened.ask(asked, scatter.inside).tolist() == list(range(40))
    first = Question(within=box, sort="site")
    assert opened.ask(first, scatter.inside).tolist() == list(range(40))


def test_measured_features_are_laid_out_where_nothing_was_embedded(tmp_path):
    opened = open_run(write_run(tmp_path).run)
    scatter = Scatter(opened.cells)
    assert scatter.names() == [MEASURED]
    points = scatter.places(MEASURED)
    assert points.shape == (108, 2)
    ratio = opened.cells.column("Cells_NuclearRingRatio_gfp")
    assert abs(np.corrcoef(points[:, 0], ratio)[0, 1]) > 0.8


def test_a_run_without_vectors_has_no_map(tmp_path):
    made = write_run(tmp_path)
    path = made.run / "cells.parquet"
    table = pl.read_parquet(path).drop("Cells_Intensity_Mean_gfp", "Cells_NuclearRingRatio_gfp")
    write_table(path, CELLS, table)
    scatter = Scatter(open_run(made.run).cells)
    assert scatter.names() == []
    with pytest.raises(UsageError, match="no map"):
        scatter.places(MEASURED)
    with pytest.raises(UsageError, match="no map"):
        scatter.inside("", np.zeros((3, 2)))


def test_embeddings_that_are_not_whole_are_no_map(made):
    card = RunFolder(made.run).embeddings("seen") / "embeddings.json"
    assert json.loads(card.read_text())["unit"] == "cell"
    card.unlink()
    assert Scatter(open_run(made.run).cells).names() == [MEASURED]
