"""Truth folders come back as they were written; broken ones name file, line and remedy."""

import numpy as np
import polars as pl
import pytest
from tests.truths import squares, write_truth

from cellwise.domain.records import Masks
from cellwise.errors import CellwiseError, FormatError
from cellwise.store.worlds.truth import (
    read_truth,
    write_truth_cells,
    write_truth_masks,
    write_truth_sites,
    write_world,
)


@pytest.mark.parametrize("part", ["training", "Validation", "0", "trian"])
def test_a_part_that_is_not_known_is_refused(tmp_path, part):
    (tmp_path / "sites.csv").write_text(f"site_id,part\ns,train\nt,{part}\n")
    with pytest.raises(FormatError, match="line 3: part is none of train, test, unlabelled"):
        read_truth(tmp_path)


def test_parts_are_read_in_any_case_of_letters(tmp_path):
    (tmp_path / "sites.csv").write_text("site_id,part\na,Train\nb, TEST \nc,\n")
    sites = read_truth(tmp_path).sites
    assert sites is not None
    assert sites["part"].to_list() == ["train", "test", ""]


def test_types_of_wells_are_words_that_are_known(tmp_path):
    table = tmp_path / "sites.csv"
    table.write_text("site_id,well_type\na,Treated\nb,negcon\nc,\n")
    sites = read_truth(tmp_path).sites
    assert sites is not None
    assert sites["well_type"].to_list() == ["treatment", "negative_control", ""]
    table.write_text("site_id,well_type\na,treatment\nb,compound\n")
    with pytest.raises(FormatError, match="line 3: well_type is none of treatment"):
        read_truth(tmp_path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("site_id,part\ns,train\n".encode("utf-16"), "is text in UTF-16"),
        ("site_id,part\ns,train\n".encode("utf-16-be"), "is text in UTF-16"),
        (b"site_id,part\rs,train\r", "with CR alone"),
    ],
)
def test_other_kinds_of_text_are_called_what_they_are(tmp_path, content, words):
    (tmp_path / "sites.csv").write_bytes(content)
    with pytest.raises(FormatError, match=words):
        read_truth(tmp_path)


def test_what_is_written_comes_back(tmp_path):
    folder = write_truth(tmp_path, sites=3, cells=4)
    truth = read_truth(folder)
    assert truth.site_ids() == ["f00", "f01", "f02"]
    assert truth.cells.columns == ["site_id", "cell_id", "classes", "ignored", "group"]
    assert truth.cells["classes"].dtype == pl.List(pl.String)
    assert truth.cells["ignored"].to_list() == [False, False, False, True] * 3
    assert truth.world["world"] == "hpa"
    assert truth.world["format"] == 1
    assert np.array_equal(truth.masks("f01").cells, squares(4))
    assert truth.masks("f01").nuclei.max() == 0
    assert truth.masks("elsewhere") is None
    # The folder that holds it is as good.
    assert read_truth(tmp_path).site_ids() == truth.site_ids()


def test_the_files_are_plain_and_sorted(tmp_path):
    frame = pl.DataFrame(
        {
            "mitotic": [True, False],
            "classes": [["b", "a"], []],
            "ignored": [False, True],
            "cell_id": [2, 1],
            "site_id": ["s", "s"],
        }
    )
    write_truth_cells(tmp_path, frame)
    assert (tmp_path / "cells.csv").read_text() == (
        'site_id,cell_id,classes,ignored,mitotic\ns,1,"",1,0\ns,2,b|a,0,1\n'
    )
    write_truth_sites(tmp_path, pl.DataFrame({"site_id": ["t", "s"], "given": [None, ["x", "y"]]}))
    assert (tmp_path / "sites.csv").read_text() == 'site_id,given\ns,x|y\nt,""\n'
    assert read_truth(tmp_path).sites["given"].to_list() == [["x", "y"], []]


def test_cells_alone_or_masks_alone_are_a_truth(tmp_path):
    labels = squares(2)
    write_truth_masks(tmp_path, "s", Masks(labels, labels))
    truth = read_truth(tmp_path)
    assert (truth.cells, truth.sites, truth.world) == (None, None, {})
    assert truth.site_ids() == ["s"]


def test_a_field_without_cells_is_known(tmp_path):
    nothing = np.zeros((8, 8), np.uint16)
    write_truth_masks(tmp_path, "empty", Masks(nothing, nothing))
    assert read_truth(tmp_path).labels("empty").max() == 0


def test_no_truth_at_all_is_said(tmp_path):
    with pytest.raises(FormatError, match="holds no truth"):
        read_truth(tmp_path)
    with pytest.raises(FormatError, match="holds no truth"):
        read_truth(tmp_path / "not there")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "it is empty"),
        ("site_id,cell_id,classes\na,1,x\n", "column ignored is missing"),
        ("site_id,cell_id,classes,ignored\na,one,x,0\n", "line 2: cell_id is no whole number"),
        ("site_id,cell_id,classes,ignored\na,0,x,0\n", "line 2: cell_id is no whole number"),
        ("site_id,cell_id,classes,ignored\na,1,x,0\na,2,x,no\n", "line 3: ignored is neither"),
        ("site_id,cell_id,classes,ignored\na,1,x,0\na,1,y,0\n", "line 2: this cell .* twice"),
        ("site_id,cell_id,classes,ignored\n,1,x,0\n", "line 2: this is no site_id"),
        ("site_id,cell_id,classes,ignored\n../a,1,x,0\n", "line 2: this is no site_id"),
        ("site_id,cell_id,classes,ignored\na,1,x,0,and,more\n", "cannot be read as a table"),
    ],
)
def test_a_broken_cells_file_names_its_line(tmp_path, text, words):
    (tmp_path / "cells.csv").write_text(text)
    with pytest.raises(FormatError, match=words):
        read_truth(tmp_path)


def test_a_file_that_is_no_text_is_refused(tmp_path):
    (tmp_path / "cells.csv").write_bytes(b"site_id,cell_id,classes,ignored\n\xff\xfe\x00,1,x,0\n")
    with pytest.raises(CellwiseError):
        read_truth(tmp_path)


def test_a_world_of_tomorrow_or_torn_is_refused(tmp_path):
    write_world(tmp_path, {"format": 2})
    with pytest.raises(FormatError, match="newer cellwise"):
        read_truth(tmp_path)
    for text in ("{", "[]", '{"format": "x"}', '{"format": null}'):
        (tmp_path / "world.json").write_text(text)
        with pytest.raises(FormatError, match=r"world\.json"):
            read_truth(tmp_path)


def test_fixed_columns_must_be_given(tmp_path):
    with pytest.raises(FormatError, match="misses"):
        write_truth_cells(tmp_path, pl.DataFrame({"site_id": ["a"]}))


def test_numbers_of_cells_beyond_what_a_table_holds_are_refused(tmp_path):
    (tmp_path / "cells.csv").write_text("site_id,cell_id,classes,ignored\ns,99999999999,a,0\n")
    with pytest.raises(FormatError, match=r"line 2: cell_id"):
        read_truth(tmp_path)


def test_a_column_called_line_is_nobodys_business(tmp_path):
    (tmp_path / "cells.csv").write_text("site_id,cell_id,classes,ignored,line\ns,1,a,0,7\n")
    assert read_truth(tmp_path).cells["classes"].to_list() == [["a"]]


@pytest.mark.parametrize("left_out", [5, "abc", [1]])
def test_classes_left_out_are_a_list_of_names(tmp_path, left_out):
    write_world(tmp_path, {"left_out": left_out})
    with pytest.raises(FormatError, match="left_out is a list of names"):
        read_truth(tmp_path)
