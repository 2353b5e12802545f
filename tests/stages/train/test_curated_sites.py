"""Fields that are set aside teach nothing, and a table that another recipe left says nothing."""

import json

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.stages.train.learn_world import make_run

from cellwise.domain.tables import CURATION
from cellwise.stages.train._sites import labelled_sites
from cellwise.store.run.tables import write_table

SITES = 8


def curate(run, silent):
    """A table in which these sites do not teach."""
    names = [f"s{number:02d}" for number in range(SITES)]
    frame = pl.DataFrame(
        {
            "site_id": names, "same_as": [None] * SITES, "brightest": [None] * SITES,
            "teaches": [name not in silent for name in names],
            "reason": ["shows the same as s00" if name in silent else "" for name in names],
            "flags": [[]] * SITES,
        },
        schema_overrides={"flags": pl.List(pl.String), "same_as": pl.String},
    )  # fmt: skip
    write_table(run.curation, CURATION, frame)


def follow(run, *kinds):
    """The recipe that the record names."""
    record = {"recipe": {"steps": [{"kind": kind, "name": kind} for kind in kinds]}}
    run.record.write_text(json.dumps(record))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("run"), sites=SITES)


@settings(max_examples=10, deadline=None)
@given(silent=st.sets(st.integers(0, SITES - 1)))
def test_only_fields_that_teach_are_learned_from(run, silent):
    names = {f"s{number:02d}" for number in silent}
    run.curation.unlink(missing_ok=True)
    everybody = set(labelled_sites(run)["site_id"])
    curate(run, names)
    follow(run, "read", "curate", "train")
    assert set(labelled_sites(run)["site_id"]) == everybody - names
    follow(run, "read", "train")
    assert set(labelled_sites(run)["site_id"]) == everybody
