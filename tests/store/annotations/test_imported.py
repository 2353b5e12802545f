"""A user's table of verdicts meets the masks of a run."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cellwise.domain.records import Masks
from cellwise.errors import PreflightError
from cellwise.store.annotations.imported import imported
from cellwise.store.annotations.tables import read_verdicts
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.masks import write_masks


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of one field with a bent cell 1 around cell 2, and cell 3 apart."""
    folder = RunFolder(tmp_path_factory.mktemp("run"))
    labels = np.zeros((12, 30), np.uint16)
    labels[0:8, 0:8] = 1
    labels[3:8, 3:8] = 0
    labels[5:7, 5:7] = 2
    labels[2:9, 20:28] = 3
    write_masks(folder.masks, "s", Masks(labels, labels))
    return folder


def _import(run, tmp_path, *lines, head="site_id,cell_id,x,y,class,verdict"):
    path = tmp_path / "verdicts.csv"
    path.write_text("\n".join([head, *lines]) + "\n")
    return imported(run, path, read_verdicts(path, ("Golgi",), None))


def test_a_point_beside_the_number_of_another_cell_is_refused(run, tmp_path):
    with pytest.raises(PreflightError, match="is not in cell 1 of field 's'"):
        _import(run, tmp_path, "s,1,23,4,Golgi,yes")


@settings(max_examples=30, deadline=None)
@given(st.sampled_from([1, 2, 3]))
def test_the_centre_of_a_cell_goes_with_its_number(run, tmp_path_factory, cell):
    found = _import(run, tmp_path_factory.mktemp("t"), f"s,{cell},,,Golgi,yes").found
    x, y = found["x"][0], found["y"][0]
    again = _import(run, tmp_path_factory.mktemp("t"), f"s,{cell},{x},{y},Golgi,yes").found
    assert again["cell_id"].to_list() == [cell]


def test_a_table_of_no_cell_of_the_run_is_refused_and_one_of_some_is_taken(run, tmp_path):
    with pytest.raises(PreflightError, match=r"none of its cells.*t\.png/1, u/1"):
        _import(run, tmp_path, "t.png,1,,,Golgi,yes", "u,1,,,Golgi,yes")
    found = _import(run, tmp_path, "t,1,,,Golgi,yes", "s,1,,,Golgi,yes", "s,9,,,Golgi,yes")
    assert found.found["cell_id"].to_list() == [1]
    assert found.lost == (("s", 9), ("t", 1))


@pytest.mark.parametrize("text", ["t" * 3000, "../masks/s", "/etc/passwd", "t\0"])
def test_a_field_that_is_no_name_of_a_file_is_no_cell_of_the_run(run, tmp_path, text):
    found = _import(run, tmp_path, f"{text},1,,,Golgi,yes", "s,1,,,Golgi,yes")
    assert (found.found["cell_id"].to_list(), found.lost) == ([1], ((text, 1),))


def _points(run, tmp_path, *points):
    lines = [f"s,{x},{y},Golgi" for x, y in points]
    return _import(run, tmp_path, *lines, head="site_id,x,y,classes")


def test_points_with_x_and_y_exchanged_are_refused(run, tmp_path):
    right = [(22, 4), (24, 6), (26, 3), (0, 1)]
    assert len(_points(run, tmp_path, *right).found) == 4
    with pytest.raises(PreflightError, match="3 of 4 points lie in no cell, and with x and y exch"):
        _points(run, tmp_path, *((y, x) for x, y in right))


def test_points_beside_cells_are_counted_and_are_no_exchange(run, tmp_path):
    found = _points(run, tmp_path, (22, 4), (24, 6), (15, 3), (11, 0))
    assert len(found.found) == 2
    assert found.lost == (("s", 0),)
