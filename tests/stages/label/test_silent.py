"""Fields that a step `curate` sets aside teach no labeller; what others get is as without them."""

import json
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cellwise.contracts.labeller import NOT_TEACHING, Bags
from cellwise.domain import nouns
from cellwise.domain.tables import CURATION
from cellwise.flow.pipeline.inputs import _not_teaching
from cellwise.stages.label import graph, posterior, progressive, soft
from cellwise.stages.label._fields import of_teaching_fields, silent_cells
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.tables import write_table

FIELDS, CELLS, NUMBERS = 12, 4, 6
LEARNED = {
    "one_state": lambda: posterior.build(method="one_state", restarts=1, rounds=2),
    "mixture": lambda: posterior.build(method="mixture", restarts=1),
    "graph": lambda: graph.build(neighbours=3),
    "soft": lambda: soft.build(rounds=1),
    "progressive": lambda: progressive.build(rounds=1),
}


def _bags(seed):
    random = np.random.default_rng(seed)
    site = np.repeat(np.arange(FIELDS), CELLS)
    given_ = np.eye(3, dtype=bool)[np.arange(FIELDS) % 3] | (random.random((FIELDS, 3)) < 0.2)
    vectors = given_[site] @ random.normal(size=(3, NUMBERS)) + random.normal(
        size=(len(site), NUMBERS)
    )
    flags = np.zeros(len(site), bool)
    return Bags(
        site, given_, None, flags, flags, classes=("a", "b", "c"), group=site,
        vectors=vectors.astype(np.float32), labelled=np.ones(FIELDS, bool),
    )  # fmt: skip


@pytest.mark.parametrize("name", LEARNED)
@settings(max_examples=8)
@given(seed=st.integers(0, 9), lost=st.sets(st.integers(0, FIELDS - 1), min_size=1, max_size=3))
def test_others_get_what_they_get_without_such_fields(name, seed, lost):
    bags = _bags(seed)
    kept = ~np.isin(np.arange(FIELDS), list(lost))
    rows = kept[bags.site]
    labeller = LEARNED[name]()
    alone = labeller(bags.of_fields(kept))
    object.__setattr__(bags, "silent", ~rows)
    found = of_teaching_fields(labeller)(bags)
    np.testing.assert_array_equal(found.label[rows], alone.label)
    np.testing.assert_array_equal(found.weight[rows], alone.weight)
    np.testing.assert_array_equal(found.label[~rows], bags.inherited[~rows])
    assert set(np.array(found.reason)[~rows]) == {NOT_TEACHING}
    if alone.candidates is not None:
        np.testing.assert_array_equal(
            found.candidates.cell, np.flatnonzero(rows)[alone.candidates.cell]
        )


def test_of_a_sample_those_cells_alone_are_left_out_and_all_may_be():
    bags = _bags(0)
    object.__setattr__(bags, "silent", np.arange(len(bags.site)) % CELLS == 0)
    found = of_teaching_fields(LEARNED["one_state"]())(bags)
    assert (np.array(found.reason) == NOT_TEACHING).sum() == FIELDS
    object.__setattr__(bags, "silent", np.ones(len(bags.site), bool))
    found = of_teaching_fields(LEARNED["one_state"]())(bags)
    np.testing.assert_array_equal(found.label, bags.inherited)


def test_who_does_not_teach_is_read_and_counts_in_keys_only_where_there_is_one(tmp_path):
    run = RunFolder(tmp_path)
    cells = pl.DataFrame({"site_id": ["p", "p", "q"]})
    assert silent_cells(run, cells) is None

    curate = SimpleNamespace(spec=SimpleNamespace(writes=(nouns.CURATION,)))
    recipe = SimpleNamespace(steps=(curate,))
    state: Any = SimpleNamespace(run=run, request=SimpleNamespace(recipe=recipe))
    step: Any = None
    assert _not_teaching(step, step, state) == ""
    plain = {"same_as": [None] * 2, "reason": ["", ""], "brightest": [None] * 2}
    for teaches in ([True, True], [False, True]):
        frame = pl.DataFrame(
            {"site_id": ["p", "q"], "teaches": teaches, "flags": [[], []], **plain},
            schema_overrides={
                "same_as": pl.String, "brightest": pl.Float32, "flags": pl.List(pl.String),
            },
        )  # fmt: skip
        write_table(run.curation, CURATION, frame)
        assert bool(_not_teaching(step, step, state)) == (not all(teaches))
    assert silent_cells(run, cells).tolist() == [True, True, False]
    run.record.write_text(json.dumps({"recipe": {"steps": [{"kind": "label"}]}}))
    assert silent_cells(run, cells) is None, "another recipe left it"
    recipe.steps = ()
    assert _not_teaching(step, step, state) == ""
