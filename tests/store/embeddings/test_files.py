"""Files of embeddings: each form gives the same keys and vectors, and unclear ones are refused."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.store.embeddings.brought_files import FORMS, KEYS, npy, npz, parquet, vectors, wide

from cellwise.errors import PreflightError
from cellwise.store.embeddings.columns import Named
from cellwise.store.embeddings.files import open_file


@pytest.mark.parametrize("name", FORMS)
def test_every_form_gives_the_same_keys_and_vectors(tmp_path, name):
    found = open_file(FORMS[name](tmp_path / name), Named())
    assert found.keys.select("site", "cell").rows() == KEYS
    assert (found.length, found.unit) == (5, "cell")
    np.testing.assert_array_equal(found.read(np.arange(4)), vectors())
    np.testing.assert_array_equal(found.read(np.array([1, 3])), vectors()[[1, 3]])
    assert found.read(np.array([], np.int64)).shape == (0, 5)


@given(count=st.integers(1, 9), length=st.integers(2, 7), group=st.integers(1, 4), data=st.data())
def test_parts_of_a_parquet_file_are_those_of_the_whole(
    tmp_path_factory, count, length, group, data
):
    path = tmp_path_factory.mktemp("parts") / "wide.parquet"
    numbers = vectors(count, length)
    frame = pl.DataFrame({"site_id": ["s"] * count, "cell_id": range(1, count + 1)})
    columns = [pl.Series(f"f{n}", numbers[:, n]) for n in range(length)]
    frame.with_columns(columns).write_parquet(path, row_group_size=group)
    rows = sorted(data.draw(st.sets(st.integers(0, count - 1))))
    found = open_file(path, Named()).read(np.array(rows, np.int64))
    np.testing.assert_array_equal(found, numbers[rows])


def test_an_array_beside_a_table_is_memory_mapped(tmp_path):
    npy(tmp_path / "a.npy")
    (tmp_path / "a.npy").rename(tmp_path / "b.npy")
    with pytest.raises(PreflightError, match=r"no b.csv beside it"):
        open_file(tmp_path / "b.npy", Named())
    with pytest.raises(PreflightError, match=r"no a.npy beside it"):
        open_file(tmp_path / "a.csv", Named())


def test_columns_are_named_by_the_user_where_ours_do_not_fit(tmp_path):
    frame = pl.DataFrame(
        {
            "where": ["A", "B"],
            "number": [1.0, 2.0],
            "prob00": [0.1, 0.2],
            "prob01": [0.3, 0.4],
            "feat00": [1.0, 2.0],
            "feat01": [3.0, 4.0],
        }
    )
    frame.write_parquet(tmp_path / "e.parquet")
    with pytest.raises(PreflightError, match=r"several vectors.*prob, feat.*embed.vector"):
        open_file(tmp_path / "e.parquet", Named())
    with pytest.raises(PreflightError, match=r"embed.site=COLUMN"):
        open_file(tmp_path / "e.parquet", Named(vector="feat"))
    with pytest.raises(PreflightError, match="no column 'cells'"):
        open_file(tmp_path / "e.parquet", Named("where", "cells", "feat"))
    found = open_file(tmp_path / "e.parquet", Named("where", "number", "feat"))
    assert found.keys.select("site", "cell").rows() == [("A", 1), ("B", 2)]
    assert found.read(np.array([0, 1])).tolist() == [[1, 3], [2, 4]]


def test_a_file_without_cells_speaks_of_whole_fields(tmp_path):
    np.savez(tmp_path / "e.npz", site=np.array(["A", "B"]), vectors=vectors(2))
    found = open_file(tmp_path / "e.npz", Named())
    assert found.unit == "site"
    assert found.keys["cell"].to_list() == [None, None]


def test_one_name_for_field_and_cell_is_taken_apart(tmp_path):
    frame = pl.DataFrame({"id": ["A_01_7", "b_2"], "vector": [[1.0, 2.0], [3.0, 4.0]]})
    frame.write_parquet(tmp_path / "e.parquet")
    assert open_file(tmp_path / "e.parquet", Named()).keys.rows() == [("A_01", 7), ("b", 2)]
    frame.with_columns(pl.Series("id", ["A_1", "b"])).write_parquet(tmp_path / "e.parquet")
    with pytest.raises(PreflightError, match="row 1 names no cell"):
        open_file(tmp_path / "e.parquet", Named())


def test_what_tells_the_cells_of_a_run_apart_is_kept(tmp_path):
    found = open_file(parquet(tmp_path / "e.parquet", area=[5, 6, 7, 8], mask_key=["a"] * 4),
                      Named())  # fmt: skip
    assert found.keys["area"].to_list() == [5, 6, 7, 8]
    assert found.keys.columns == ["site", "cell", "area", "mask_key"]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda p: parquet(p, numbers=[[1, 2], [1, 2], [1, 2, 3], [1, 2]]),
         r"two lengths: 2 numbers in row 0 and 3 in row 2 \(site_id A02, cell_id 1\)"),
        (lambda p: parquet(p, numbers=[[1, 2], [1, 2], [], [1, 2]]), "two lengths"),
        (lambda p: parquet(p, [("A", 1), ("A", 1)]), "cell 1 of A is there twice"),
        (lambda p: parquet(p, [("A", 1.5), ("A", 1.0)]), "1.5 is no number of a cell"),
        (lambda p: parquet(p, [(None, 1), ("A", 1)]), "row 0 names no"),
        (lambda p: parquet(p, [("A", None), ("A", 1)]), "row 0 names no cell"),
        (lambda p: p.write_bytes(b"PAR1 torn"), "cannot be read as embeddings"),
        (lambda p: pl.DataFrame({"site_id": ["a"], "d50": [1.0]}).write_parquet(p), "no vector"),
        (lambda p: pl.DataFrame({"site_id": [], "v": []}, schema={"site_id": pl.String,
         "v": pl.List(pl.Float32)}).write_parquet(p), "no embeddings"),
        (lambda p: None, "There is no file"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_refused_by_name(tmp_path, spoil, message):
    path = tmp_path / "e.parquet"
    spoil(path)
    with pytest.raises(PreflightError, match=message):
        open_file(path, Named())


def test_torn_arrays_and_pickles_are_refused(tmp_path):
    path = npz(tmp_path / "e.npz")
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(PreflightError, match="cannot be read"):
        open_file(path, Named())
    np.savez(path, site_id=np.array(["a", "b"]), vectors=np.array([{}, {}], object))
    with pytest.raises(PreflightError, match="cannot be read"):
        open_file(path, Named())
    np.savez(path, site_id=np.array(["a"]), vectors=vectors(2))
    with pytest.raises(PreflightError, match="2 vectors, and 1 entries in site_id"):
        open_file(path, Named())
    (tmp_path / "e.txt").write_text("")
    with pytest.raises(PreflightError, match=r"one of .parquet"):
        open_file(tmp_path / "e.txt", Named())


def test_an_empty_place_in_a_wide_table_is_no_number(tmp_path):
    path = wide(tmp_path / "e.parquet")
    frame = pl.read_parquet(path).with_columns(
        pl.when(pl.col("cell") == 3).then(None).otherwise(pl.col("feat0002")).alias("feat0002")
    )
    frame.write_parquet(path)
    assert np.isnan(open_file(path, Named()).read(np.arange(4))[3, 2])


@pytest.mark.parametrize("column", [["a", "b"], [0, 1]])
def test_a_column_among_the_numbers_that_holds_none_is_refused_by_name(tmp_path, column):
    frame = {"site_id": ["A", "B"], "feat0": [1.0, 2.0], "feat1": column, "feat2": [1.0, 2.0]}
    pl.DataFrame(frame).write_parquet(tmp_path / "e.parquet")
    with pytest.raises(PreflightError, match="'feat1'"):
        open_file(tmp_path / "e.parquet", Named())
