"""Embeddings side by side: every cell that all have, its numbers block by block."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.store.run.test_embeddings import frame, rows, write_index

from cellwise.errors import FormatError, PreflightError
from cellwise.store.run.embeddings import write_vectors
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.joined import open_embeddings


def embed(run, name, cells, length, *, columns=(), missing=False, unit="cell"):
    """One embed step whose vectors are the cell's number plus the place in the vector / 100."""
    vectors = np.array([[cell + k / 100 for k in range(length)] for cell in cells], np.float32)
    if missing:
        vectors[0, 0] = np.nan
    folder = run.embeddings(name)
    shard = write_vectors(folder, "a", vectors, dtype="float32", missing=missing)
    listed = [
        (unit, "a", None if unit == "site" else cell, shard, k, length, None, name)
        for k, cell in enumerate(cells)
    ]
    facts = {"columns": list(columns), "missing": missing}
    write_index(folder, frame(listed), facts)


def reordered(cells, number):
    return list(np.random.default_rng(number).permutation(cells).tolist())


@settings(max_examples=25, deadline=None)
@given(
    sets=st.lists(st.sets(st.integers(1, 9), min_size=1), min_size=2, max_size=3),
    lengths=st.lists(st.integers(1, 4), min_size=3, max_size=3),
)
def test_cells_of_all_parts_are_there_and_no_others(tmp_path_factory, sets, lengths):
    run = RunFolder(tmp_path_factory.mktemp("joined"))
    names = [f"e{k}" for k in range(len(sets))]
    for k, (name, cells) in enumerate(zip(names, sets, strict=True)):
        embed(run, name, reordered(sorted(cells), k), lengths[k])
    kept = open_embeddings(run, names)
    shared = set.intersection(*sets)
    assert set(kept.index["cell_id"]) == shared
    assert (len(kept), kept.blocks) == (len(shared), tuple(lengths[: len(sets)]))
    found = kept.read(np.arange(len(kept)))
    for cell, vector in zip(kept.index["cell_id"], found, strict=True):
        wanted = [cell + k / 100 for length in kept.blocks for k in range(length)]
        np.testing.assert_allclose(vector, wanted, rtol=1e-6)
    asked = frame(rows("a", "x", 9, 1))
    places = kept.places(asked)
    assert [place >= 0 for place in places] == [cell in shared for cell in range(1, 10)]
    assert kept.index["cell_id"].gather(places[places >= 0]).to_list() == sorted(shared)


def test_names_and_gaps_are_those_of_the_parts(tmp_path):
    run = RunFolder(tmp_path)
    embed(run, "one", [1, 2], 2, columns=("a", "b"), missing=True)
    embed(run, "two", [1, 2], 1, columns=("c",))
    embed(run, "bare", [1, 2], 1)
    kept = open_embeddings(run, ["one", "two"])
    assert (kept.columns, kept.missing, kept.name) == (("a", "b", "c"), True, "one + two")
    assert kept.makers == [["one"], ["two"]]
    assert open_embeddings(run, ["two", "bare"]).columns == ()
    assert not open_embeddings(run, ["two", "bare"]).missing
    alone = open_embeddings(run, ["two"])
    assert (alone.name, alone.blocks, alone.makers) == ("two", (1,), [["two"]])
    with pytest.raises(FormatError, match="not in the run"):
        kept.check_cells(frame(rows("a", "x", 1, 1)))


def test_fields_do_not_stand_beside_cells(tmp_path):
    run = RunFolder(tmp_path)
    embed(run, "cells", [1], 2)
    embed(run, "fields", [1], 2, unit="site")
    with pytest.raises(PreflightError, match="whole fields"):
        open_embeddings(run, ["cells", "fields"])
