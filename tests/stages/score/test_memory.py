"""A field in memory gets the scores that its site gets in a run, bit for bit on one thread."""

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal
from tests.stages.score.test_score_step import make_job, run, score, trained

from cellwise.domain.tables import CELLS
from cellwise.errors import PreflightError
from cellwise.stages.score.step import open_models
from cellwise.store.images.fields import read_field
from cellwise.store.run.crops import CropStore
from cellwise.store.run.masks import read_masks
from cellwise.store.run.sites import read_sites
from cellwise.store.run.tables import read_table

__all__ = ["run", "trained"]


def asked(run, options):
    """Scores of the fields that no model was trained on, each by itself from memory."""
    ask = open_models(options, run, "cpu")
    cells = read_table(run.cells, CELLS).with_row_index("place")
    store = CropStore(run.crops, cells)
    found = []
    for site in read_sites(run.sites):
        if site.labels is None:
            rows = cells.filter(pl.col("site_id") == site.id)
            field = read_field(site, make_job(run, step="score").images)
            masks = read_masks(run.masks, site.id)
            crops = store.read(rows["place"].to_numpy().astype(np.int64))
            found.append(ask(field, masks, rows, crops))
    return pl.concat(found)


@pytest.mark.parametrize(
    "options",
    [
        {"model": "model"},
        {"model": "model", "by": {"name": "cell_net", "batch": 3}},
        {"model": "fields", "by": "masked_view"},
        {"model": "fields", "by": "field_net"},
    ],
)
def test_memory_and_run_give_the_same_scores(run, options):
    # Sums in another order, as several threads make them, differ in the last digits.
    options = {**options, "threads": 1}
    stored = score(run, **options).filter(pl.col("fold").is_null())
    found = asked(run, options)
    assert found.height == stored.height > 0
    assert_frame_equal(found, stored, check_exact=True)


def test_a_field_without_cells_has_no_scores(run):
    ask = open_models({"model": "model"}, run, "cpu")
    none = read_table(run.cells, CELLS).clear()
    assert ask(None, None, none, None).is_empty()


def test_crops_that_the_models_cannot_read_are_refused(run):
    ask = open_models({"model": "model"}, run, "cpu")
    rows = read_table(run.cells, CELLS).head(1)
    for crops in (None, np.zeros((1, 2, 9, 9), np.float32)):
        with pytest.raises(PreflightError, match="crops of"):
            ask(None, None, rows, crops)
