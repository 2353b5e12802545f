"""The window for Python users."""

import anndata
import numpy as np
import polars as pl
import pytest

import cellwise
from cellwise.errors import PreflightError, UnknownName

pytestmark = pytest.mark.long


def test_a_run_comes_back_as_tables(finished):
    again = cellwise.open_run(finished.path)
    assert again.cells.equals(finished.cells)
    assert again.wells.height == 11
    assert again.wells["n_cells"].to_list()[-1] == 0, "the well of the torn file stays, empty"
    assert "well_macro_ap" in again.metrics


def test_anndata_goes_round_whole(finished, tmp_path):
    finished.export("anndata", tmp_path / "cells.h5ad")
    back = anndata.read_h5ad(tmp_path / "cells.h5ad")
    assert back.n_obs == finished.cells.height
    assert len(set(back.obs_names)) == back.n_obs
    classes = list(back.uns["classes"])
    column = back.obsm["probabilities"][:, classes.index("Nuclear")]
    np.testing.assert_allclose(column, finished.cells["Prob_Nuclear"].to_numpy(), atol=1e-6)
    held = finished.to_anndata()
    assert held.obs_names.equals(back.obs_names)
    assert held.var_names.equals(back.var_names)
    np.testing.assert_array_equal(held.X, back.X)
    assert set(held.obsm) == set(back.obsm)
    for name in held.obsm:
        np.testing.assert_array_equal(held.obsm[name], back.obsm[name])
    assert held.obs.columns.equals(back.obs.columns)


def test_the_cells_csv_says_the_same(finished, tmp_path):
    finished.export("cells-csv", tmp_path / "cells.csv")
    back = pl.read_csv(tmp_path / "cells.csv")
    assert back.height == finished.cells.height
    np.testing.assert_allclose(back["Prob_Nuclear"], finished.cells["Prob_Nuclear"], atol=1e-5)


def test_an_unknown_format_is_answered_with_the_known(finished, tmp_path):
    with pytest.raises(UnknownName, match="anndata"):
        finished.export("anndatta", tmp_path / "x")


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    with pytest.raises(PreflightError, match=r"run\.json"):
        cellwise.open_run(tmp_path)


def test_a_check_reads_only(plate):
    before = sorted(p.name for p in plate.rglob("*"))
    facts = cellwise.check(plate / "images", labels=plate / "labels.csv")
    assert facts["layout"] == "well_channel"
    assert facts["labels"]["classes"] == {"Nuclear": 4, "Negative": 4}
    assert facts["recipe"] == "plate-quick"
    assert sorted(p.name for p in plate.rglob("*")) == before


@pytest.mark.slow
def test_segmenting_without_labels_still_gives_cells(plate, tmp_path):
    run = cellwise.run(plate / "images", out=tmp_path / "run", recipe="segment-only")
    assert run.cells["Cells_AreaShape_Area"].min() > 0
    assert run.metrics == {}
