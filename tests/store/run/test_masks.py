import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellwise.domain.records import Masks
from cellwise.errors import FormatError
from cellwise.store.run.masks import (
    mask_path,
    narrow,
    read_labels,
    read_masks,
    sites_with_masks,
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
