import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st

from cellwise.domain.records import Masks
from cellwise.errors import FormatError
from cellwise.store.run.masks import (
    mask_path,
    narrow,
    read_label_rows,
    read_labels,
    read_masks,
    sites_with_masks,
    write_labels,
    write_masks,
)


@pytest.mark.parametrize(
    ("top", "kind"), [(300, np.uint16), (65_535, np.uint16), (65_536, np.uint32)]
)
def test_labels_never_wrap(tmp_path, top, kind):
    cells = np.arange(top - 11, top + 1, dtype=np.int64).reshape(3, 4)
    write_masks(tmp_path, "s", Masks(cells, np.zeros_like(cells)))
    back = read_masks(tmp_path, "s")
    assert back.cells.dtype == kind
    np.testing.assert_array_equal(back.cells, cells)


def test_a_torn_mask_is_refused(tmp_path):
    noise = np.random.default_rng(0).integers(0, 9, (64, 64))
    write_masks(tmp_path, "s", Masks(noise, noise))
    path = mask_path(tmp_path, "s", "cells")
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(FormatError):
        read_labels(path)


@given(st.integers(0, 2**32 - 1))
def test_narrowing_keeps_the_value(top):
    assert int(narrow(np.array([[top]], np.uint64))[0, 0]) == top


def test_foreign_bytes_are_refused_by_name(tmp_path):
    path = tmp_path / "s_cells.tif"
    path.write_bytes(b"II*\0abc")
    with pytest.raises(FormatError, match="cannot be read as a label image"):
        read_labels(path)


def test_sites_with_both_masks_are_found_whatever_they_are_called(tmp_path):
    blank = np.zeros((2, 2), np.int64)
    for site in ("a", "a_cells.tif", "b~2"):
        write_masks(tmp_path, site, Masks(blank, blank))
    write_masks(tmp_path, "half", Masks(blank, blank))
    mask_path(tmp_path, "half", "nuclei").unlink()
    assert sites_with_masks(tmp_path) == {"a", "a_cells.tif", "b~2"}
    assert sites_with_masks(tmp_path / "none") == set()


@given(
    tall=st.integers(1, 300),
    wide=st.integers(1, 900),
    seed=st.integers(0, 2**32 - 1),
    data=st.data(),
)
def test_rows_of_a_mask_are_those_of_the_whole(tmp_path_factory, tall, wide, seed, data):
    labels = np.random.default_rng(seed).integers(0, 70_000, (tall, wide))
    path = tmp_path_factory.mktemp("rows") / "a.tif"
    write_labels(path, labels)
    top = data.draw(st.integers(0, tall - 1))
    bottom = data.draw(st.integers(top + 1, tall))
    np.testing.assert_array_equal(read_label_rows(path, top, bottom), read_labels(path)[top:bottom])


@pytest.mark.parametrize("tile", [None, (64, 64)])
def test_rows_of_masks_stored_in_other_ways_are_read_too(tmp_path, tile):
    labels = np.arange(200 * 90, dtype=np.uint16).reshape(200, 90)
    tifffile.imwrite(tmp_path / "a.tif", labels, tile=tile)
    np.testing.assert_array_equal(read_label_rows(tmp_path / "a.tif", 30, 170), labels[30:170])


def test_an_empty_mask_has_empty_rows(tmp_path):
    write_labels(tmp_path / "a.tif", np.zeros((500, 400), int))
    assert not read_label_rows(tmp_path / "a.tif", 100, 400).any()


def test_rows_of_a_torn_mask_or_beyond_its_end_are_refused(tmp_path):
    labels = np.random.default_rng(0).integers(0, 9, (300, 300))
    write_labels(tmp_path / "a.tif", labels)
    with pytest.raises(FormatError, match="300 rows"):
        read_label_rows(tmp_path / "a.tif", 200, 301)
    (tmp_path / "b.tif").write_bytes((tmp_path / "a.tif").read_bytes()[:500])
    with pytest.raises(FormatError, match=r"b\.tif"):
        read_label_rows(tmp_path / "b.tif", 100, 200)
    with pytest.raises(FileNotFoundError):
        read_label_rows(tmp_path / "c.tif", 0, 1)
