"""Tables of a run as steps want them, against a run written by hand."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellwise.domain.channels import Channel
from cellwise.domain.records import ChannelFile, Site
from cellwise.domain.tables import FOLDS, SCORES, SITES
from cellwise.errors import FormatError
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.reader import RunReader, labels_matrix
from cellwise.store.run.scores import as_stored, read_scores
from cellwise.store.run.sites import sites_to_frame
from cellwise.store.run.tables import read_table, write_table

FILES = tuple(ChannelFile(Channel(name), (f"{name}.png",)) for name in ("dna", "er"))


@pytest.fixture
def tables(tmp_path):
    run = RunFolder(tmp_path)
    sites = [
        Site("b", "B", FILES, "train", ("x", "neg"), {"Well": "A01", "Plate": "P"}, 0.5),
        Site("a", "A", FILES, "test", ("x",), {"Well": "A01", "Plate": "P"}),
        Site("c", "C", FILES, "unlabelled", None, {}),
        Site("d", "D", FILES, "train", (), {}),
    ]
    headers = {("b", "er"): {"height": 4, "width": 5}, ("a", "dna"): {"height": 6, "width": 7}}
    write_table(run.sites, SITES, sites_to_frame(sites, headers))
    return RunReader(run)


def scored(rows):
    """Rows of `(unit, site, cell, fold)`, their score being their place."""
    vector = pl.Array(pl.Float32, 1)
    values = [[float(n)] for n in range(len(rows))]
    return pl.DataFrame(
        {
            "unit": [r[0] for r in rows],
            "site_id": [r[1] for r in rows],
            "cell_id": pl.Series([r[2] for r in rows], dtype=pl.Int32),
            "fold": pl.Series([r[3] for r in rows], dtype=pl.Int32),
            "model": ["m"] * len(rows),
            "score": pl.Series(values, dtype=vector),
            "spread": pl.Series(values, dtype=vector),
        }
    )


def write_scores(path, rows, *, classes):
    write_table(path, SCORES, as_stored(rows), classes=classes)


def test_one_row_per_site_holds_what_its_channels_share(tables):
    frame = tables.sites()
    assert frame["site_id"].to_list() == ["a", "b", "c", "d"]
    assert frame["raw_id"].to_list() == ["A", "B", "C", "D"]
    assert frame["labels"].to_list() == [["x"], ["x", "neg"], None, []]
    assert frame["height"].to_list() == [6, 4, None, None], "the first channel that is known"
    assert frame["Metadata_Well"].to_list() == ["A01", "A01", None, None]
    assert "channel" not in frame.columns
    assert tables.labelled_sites()["site_id"].to_list() == ["b"]


def test_files_are_one_row_per_site_and_channel(tables):
    frame = tables.files()
    assert frame.select("site_id", "channel").rows() == [
        (s, c) for s in "abcd" for c in ("dna", "er")
    ]
    assert frame["paths"].to_list()[0] == ["dna.png"]
    assert "labels" not in frame.columns


def test_units_hold_what_the_run_knows(tables):
    units = tables.units()
    assert units["unit"].to_list() == ["site"] * 4 + ["well", "plate"]
    assert units["well"].to_list() == ["P/A01", "P/A01", None, None, "P/A01", None]


def test_out_of_fold_rows_are_those_of_the_model_that_left_the_site_out(tables):
    folds = pl.DataFrame(
        {"site_id": ["a", "b", "c"], "fold": [0, 1, None], "group": ["a", "b", None]}
    )
    write_table(tables.run.folds, FOLDS, folds)
    rows = [("cell", "a", 1, 0), ("cell", "a", 2, 1), ("cell", "b", 1, 1), ("cell", "c", 1, None),
            ("cell", "d", 1, 0), ("site", "a", None, 0), ("site", "b", None, None)]  # fmt: skip
    write_scores(tables.run.scores("s"), scored(rows), classes=["x"])
    found = tables.out_of_fold("s", ["x"])
    assert found.select("unit", "site_id", "cell_id").sort(pl.all()).rows() == [
        ("cell", "a", 1), ("cell", "b", 1), ("site", "a", None),
    ]  # fmt: skip
    values = dict(
        zip(found.select("unit", "site_id").rows(), found["score"].to_list(), strict=True)
    )
    assert values["cell", "b"] == [2.0]
    assert "spread" not in found.columns
    assert len(tables.scores("s", ["x"])) == len(rows)
    with pytest.raises(FormatError, match=r"s\.parquet: scores over"):
        tables.scores("s", ["y"])


def test_without_folds_nothing_is_out_of_fold(tables):
    write_scores(tables.run.scores("s"), scored([("cell", "a", 1, None)]), classes=["x"])
    assert tables.folds().is_empty()
    assert not tables.scores("s", ["x"])["out_of_fold"].any()


def test_a_score_of_a_site_has_no_cell_and_the_file_stays_as_it_was(tmp_path):
    rows = [("site", "b", None, 0), ("site", "a", None, 0)]
    write_scores(tmp_path / "new.parquet", scored(rows), classes=["x"])
    # As every version before wrote it: 0 in place of a cell's number.
    old = scored(rows).with_columns(cell_id=pl.lit(0, pl.Int32))
    write_table(tmp_path / "old.parquet", SCORES, old, classes=["x"])
    assert (tmp_path / "new.parquet").read_bytes() == (tmp_path / "old.parquet").read_bytes()
    assert read_scores(tmp_path / "old.parquet")["cell_id"].to_list() == [None, None]


def test_only_the_named_columns_are_read(tmp_path):
    frame = sites_to_frame([Site("s", "s", FILES, metadata={"A": "1", "A.b": "2"})], {})
    write_table(tmp_path / "sites.parquet", SITES, frame)
    names = ["Metadata_A", "site_id"]
    assert read_table(tmp_path / "sites.parquet", SITES, columns=names).columns == names
    with pytest.raises(FormatError, match="no column 'Metadata_C'"):
        read_table(tmp_path / "sites.parquet", SITES, columns=["Metadata_C"])


NAMES = st.sampled_from("abcd")


@given(
    st.lists(st.none() | st.lists(NAMES, max_size=3), max_size=6),
    st.lists(NAMES, unique=True, max_size=4),
)
def test_a_matrix_of_labels_says_who_names_what(labels, classes):
    found = labels_matrix(pl.Series(labels, dtype=pl.List(pl.String)), classes)
    assert found.shape == (len(labels), len(classes))
    assert found.tolist() == [[name in (row or []) for name in classes] for row in labels]
    assert found.dtype == np.bool_
