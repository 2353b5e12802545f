"""Embeddings on disk: what was written is read without copies, and nothing broken is taken."""

import json
import pickle

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cellwise.domain.tables import EMBEDDINGS
from cellwise.errors import FormatError
from cellwise.store.run.crops import shard_path
from cellwise.store.run.embeddings import (
    Embeddings,
    index_path,
    read_embeddings,
    seal,
    write_vectors,
)
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.tables import write_table

SCHEMA = {
    "unit": pl.String,
    "site_id": pl.String,
    "cell_id": pl.Int32,
    "shard": pl.String,
    "row": pl.Int32,
    "length": pl.Int32,
    "fold": pl.Int32,
    "model": pl.String,
}


def rows(site, shard, count, length, *, fold=None, model=""):
    """Index rows of the cells 1... of a site, in the order of the shard."""
    return [("cell", site, n + 1, shard, n, length, fold, model) for n in range(count)]


def frame(*parts):
    return pl.DataFrame([r for part in parts for r in part], schema=SCHEMA, orient="row")


def write_index(folder, listed, facts, dtype="float32"):
    write_table(index_path(folder), EMBEDDINGS, listed)
    seal(folder, listed, dtype, facts)


@pytest.fixture
def stored(tmp_path):
    """Two shards: five cells of site b, three of site a from the network that left fold 1 out."""
    run = RunFolder(tmp_path)
    folder = run.embeddings("net")
    rng = np.random.default_rng(0)
    made = {site: rng.normal(size=(n, 6)).astype(np.float32) for site, n in (("b", 5), ("a", 3))}
    names = {site: write_vectors(folder, site, v, dtype="float32") for site, v in made.items()}
    listed = frame(
        rows("b", names["b"], 5, 6), rows("a", names["a"], 3, 6, fold=1, model="m/fold1")
    )
    write_index(folder, listed, {"source": "test"})
    return run, made, names


def test_vectors_come_back_in_any_order_with_their_fold(stored):
    run, made, _ = stored
    index, vectors = read_embeddings(run, "net")
    assert index["site_id"].to_list() == ["a"] * 3 + ["b"] * 5
    assert index["fold"].to_list() == [1] * 3 + [None] * 5
    everything = np.concatenate([made["a"], made["b"]])
    np.testing.assert_array_equal(vectors, everything)
    for chosen in ([7, 0, 3], [2, 2], []):
        some, found = read_embeddings(run, "net", np.array(chosen, np.int64))
        np.testing.assert_array_equal(found, everything[chosen])
        assert some["cell_id"].to_list() == index["cell_id"][chosen].to_list()
    facts = Embeddings(run.embeddings("net")).facts
    assert (facts["source"], facts["length"], facts["units"]) == ("test", 6, 8)


FINITE = st.floats(-60_000, 60_000, width=16)


@given(
    vectors=arrays(np.float32, st.tuples(st.integers(1, 6), st.integers(1, 5)), elements=FINITE),
    dtype=st.sampled_from(["float16", "float32"]),
)
def test_numbers_that_the_type_holds_come_back_exactly(tmp_path_factory, vectors, dtype):
    run = RunFolder(tmp_path_factory.mktemp("round"))
    folder = run.embeddings("e")
    name = write_vectors(folder, "s", vectors, dtype=dtype)
    write_index(folder, frame(rows("s", name, *vectors.shape)), {}, dtype)
    kept = Embeddings(folder)
    np.testing.assert_array_equal(kept.read(np.arange(len(kept))), vectors)
    assert kept.view(name).dtype == dtype


def test_a_shard_is_a_map_of_the_file_and_not_a_copy(stored):
    run, made, names = stored
    kept = Embeddings(run.embeddings("net"))
    view = kept.view(names["b"])
    base = view
    while base.base is not None and not isinstance(base, np.memmap):
        base = base.base
    assert isinstance(base, np.memmap)
    assert np.shares_memory(view, base)
    assert not view.flags.writeable
    np.testing.assert_array_equal(view, made["b"])
    assert kept.view(names["b"]) is view, "mapped once"


def test_a_store_travels_without_its_maps(stored):
    run, made, _ = stored
    kept = Embeddings(run.embeddings("net"))
    before = len(pickle.dumps(kept))
    kept.read(np.arange(8))
    assert len(pickle.dumps(kept)) == before
    other = pickle.loads(pickle.dumps(kept))
    np.testing.assert_array_equal(other.read(np.array([0])), made["a"][:1])


def test_the_same_vectors_have_the_same_name_and_others_another(tmp_path):
    vectors = np.eye(3, dtype=np.float32)
    first = write_vectors(tmp_path, "s", vectors, dtype="float16")
    assert write_vectors(tmp_path, "s", vectors, dtype="float16") == first
    assert write_vectors(tmp_path, "s", vectors * 2, dtype="float16") != first
    assert write_vectors(tmp_path, "s", vectors, dtype="float32") != first


@pytest.mark.parametrize(
    ("vectors", "dtype", "message"),
    [
        ([[1.0, np.nan]], "float32", "Row 0 of s holds NaN"),
        ([[1.0, 1.0], [np.inf, 1.0]], "float16", "Row 1 of s holds NaN or an infinity"),
        ([[70_000.0, 0.0]], "float16", "beyond float16"),
        ([1.0, 2.0], "float32", "not float32"),
        ([[1.0]], "float64", "not float64"),
    ],
)
def test_vectors_that_cannot_be_kept_are_not_written(tmp_path, vectors, dtype, message):
    with pytest.raises(ValueError, match=message):
        write_vectors(tmp_path, "s", np.array(vectors), dtype=dtype)
    assert not list(tmp_path.iterdir())


GAPS = st.one_of(FINITE, st.just(float("nan")))


@given(
    vectors=arrays(np.float32, st.tuples(st.integers(1, 6), st.integers(1, 5)), elements=GAPS),
    dtype=st.sampled_from(["float16", "float32"]),
)
def test_numbers_that_are_missing_stay_missing_where_the_card_says_so(
    tmp_path_factory, vectors, dtype
):
    folder = RunFolder(tmp_path_factory.mktemp("gaps")).embeddings("e")
    name = write_vectors(folder, "s", vectors, dtype=dtype, missing=True)
    names = [f"Cells_{n}" for n in range(vectors.shape[1])]
    listed = frame(rows("s", name, *vectors.shape))
    write_index(folder, listed, {"columns": names, "missing": True}, dtype)
    kept = Embeddings(folder)
    np.testing.assert_array_equal(kept.read(np.arange(len(kept))), vectors)
    assert (kept.columns, kept.missing) == (tuple(names), True)
    seal(folder, listed, dtype, {"columns": names})
    if np.isnan(vectors).any():
        with pytest.raises(FormatError, match="holds NaN"):
            Embeddings(folder).read(np.arange(len(vectors)))


def test_numbers_without_names_have_none_and_none_is_missing(stored):
    run, _, _ = stored
    kept = Embeddings(run.embeddings("net"))
    assert (kept.columns, kept.missing) == ((), False)


def test_an_infinity_is_never_written(tmp_path):
    with pytest.raises(ValueError, match="Row 1 of s holds NaN or an infinity"):
        write_vectors(tmp_path, "s", np.array([[np.nan], [np.inf]]), dtype="float32", missing=True)
    with pytest.raises(ValueError, match="beyond float16"):
        write_vectors(tmp_path, "s", np.array([[np.nan, 7e4]]), dtype="float16", missing=True)


def test_names_that_are_not_as_many_as_numbers_are_refused(tmp_path):
    folder = RunFolder(tmp_path).embeddings("e")
    name = write_vectors(folder, "s", np.ones((2, 3)), dtype="float32")
    with pytest.raises(FormatError, match="3 numbers, but 2 names"):
        write_index(folder, frame(rows("s", name, 2, 3)), {"columns": ["a", "b"]})


def test_two_lengths_are_refused_by_name(tmp_path):
    one = write_vectors(tmp_path, "one", np.ones((2, 3)), dtype="float32")
    other = write_vectors(tmp_path, "other", np.ones((2, 4)), dtype="float32")
    with pytest.raises(FormatError, match="3 numbers in cell 1 of a and 4 numbers in cell 1 of b"):
        seal(tmp_path, frame(rows("a", one, 2, 3), rows("b", other, 2, 4)), "float32", {})
    assert not list(tmp_path.glob("*.json"))


def test_a_unit_that_is_there_twice_and_a_shard_that_is_gone_are_refused(tmp_path):
    one = write_vectors(tmp_path, "one", np.ones((2, 3)), dtype="float32")
    with pytest.raises(FormatError, match="cell 1 of a is there twice"):
        seal(tmp_path, frame(rows("a", one, 2, 3), rows("a", one, 1, 3)), "float32", {})
    with pytest.raises(FormatError, match="shard lost is gone"):
        seal(tmp_path, frame(rows("a", "lost", 2, 3)), "float32", {})


@pytest.mark.parametrize("how", ["cut", "missing", "pickle", "longer", "shorter", "type", "nan"])
def test_torn_and_changed_shards_are_refused(stored, how):
    run, made, names = stored
    path = shard_path(run.embeddings("net"), names["b"])
    if how == "cut":
        path.write_bytes(path.read_bytes()[:-8])
    elif how == "missing":
        path.unlink()
    elif how == "pickle":
        np.save(path, np.array([{}] * 5, object), allow_pickle=True)
    elif how == "longer":
        np.save(path, np.ones((5, 7), np.float32))
    elif how == "shorter":
        np.save(path, np.ones((4, 6), np.float32))
    elif how == "type":
        np.save(path, np.ones((5, 6), np.float16))
    else:
        spoiled = made["b"].copy()
        spoiled[3, 2] = np.nan
        np.save(path, spoiled)
    kept = Embeddings(run.embeddings("net"))
    np.testing.assert_array_equal(kept.read(np.arange(3)), made["a"])
    said = {
        "longer": "7 numbers",
        "shorter": "does not fit the index",
        "type": "float16 of 6",
        "nan": "cell 4 of b holds NaN",
    }
    with pytest.raises(FormatError, match=said.get(how, "cannot be read")):
        kept.read(np.arange(8))


def test_a_torn_index_or_a_newer_card_is_no_set_of_embeddings(stored):
    run, _, _ = stored
    folder = run.embeddings("net")
    path = index_path(folder)
    whole = path.read_bytes()
    path.write_bytes(whole[:40])
    with pytest.raises(FormatError, match="cannot be read as a table"):
        Embeddings(folder)
    path.write_bytes(whole)
    card = folder / "embeddings.json"
    card.write_text(json.dumps({**json.loads(card.read_text()), "format": 99}))
    with pytest.raises(FormatError, match="newer cellwise"):
        Embeddings(folder)
    with pytest.raises(FormatError, match="no embeddings"):
        Embeddings(run.embeddings("other"))


def test_shards_of_an_earlier_index_go(stored):
    run, _, names = stored
    folder = run.embeddings("net")
    write_index(folder, frame(rows("a", names["a"], 3, 6)), {})
    assert {path.stem for path in folder.glob("*.npy")} == {names["a"]}


def test_cells_find_their_vectors_and_those_without_are_told(stored):
    run, _, _ = stored
    kept = Embeddings(run.embeddings("net"))
    cells = pl.DataFrame(
        [*zip("baaaac", (2, 3, 1, 2, 4, 1), strict=True), *(("b", n) for n in (1, 3, 4, 5))],
        schema={"site_id": pl.String, "cell_id": pl.Int32},
        orient="row",
    )
    assert kept.places(cells).tolist() == [4, 2, 0, 1, -1, -1, 3, 5, 6, 7]


def test_vectors_of_cells_that_a_new_segmentation_does_not_have_are_refused(stored):
    run, _, _ = stored
    kept = Embeddings(run.embeddings("net"))
    cells = pl.DataFrame(
        {"site_id": ["a", "a"], "cell_id": [1, 2]}, schema_overrides={"cell_id": pl.Int32}
    )
    with pytest.raises(FormatError, match="cell 3 of a, which is not in the run"):
        kept.check_cells(cells)
    kept.check_cells(pl.DataFrame({"site_id": ["c"], "cell_id": [9]}, cells.schema))
