import polars as pl
import pyarrow.parquet as pq
import pytest

from cellwise.domain.tables import FOLDS, FORMAT, SCORES
from cellwise.errors import FormatError
from cellwise.store.run.tables import empty_frame, read_classes, read_table, write_table

ROWS = pl.DataFrame({"site_id": ["b", "a"], "fold": [1, None], "group": ["g", "h"]})


def test_a_table_comes_back_sorted_with_its_types(tmp_path):
    write_table(tmp_path / "folds.parquet", FOLDS, ROWS)
    back = read_table(tmp_path / "folds.parquet", FOLDS)
    assert back["site_id"].to_list() == ["a", "b"]
    assert back.schema["fold"] == pl.Int32


def test_the_same_rows_in_any_order_give_the_same_bytes(tmp_path):
    write_table(tmp_path / "a.parquet", FOLDS, ROWS)
    write_table(tmp_path / "b.parquet", FOLDS, ROWS.reverse())
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()


def test_every_table_carries_its_format(tmp_path):
    write_table(tmp_path / "folds.parquet", FOLDS, ROWS)
    marks = pq.read_schema(tmp_path / "folds.parquet").metadata
    assert marks[b"cellwise_format"] == str(FORMAT).encode()


def test_vectors_keep_their_class_names(tmp_path):
    frame = empty_frame(SCORES, n_classes=2)
    write_table(tmp_path / "s.parquet", SCORES, frame, classes=["x", "y"])
    assert read_classes(tmp_path / "s.parquet", SCORES) == ("x", "y")


def test_a_table_of_another_kind_is_refused(tmp_path):
    write_table(tmp_path / "folds.parquet", FOLDS, ROWS)
    with pytest.raises(FormatError, match="kind 'folds'"):
        read_table(tmp_path / "folds.parquet", SCORES)


def test_unknown_and_missing_columns_are_refused(tmp_path):
    with pytest.raises(FormatError, match="misses"):
        write_table(tmp_path / "x.parquet", FOLDS, ROWS.drop("group"))
    with pytest.raises(FormatError, match="unknown"):
        write_table(tmp_path / "x.parquet", FOLDS, ROWS.with_columns(extra=1))


def test_a_torn_table_is_refused_with_its_name(tmp_path):
    path = tmp_path / "folds.parquet"
    write_table(path, FOLDS, ROWS)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(FormatError, match=r"folds\.parquet"):
        read_table(path, FOLDS)
