"""Class maps: written whole, read as they were, refused where torn."""

import numpy as np
import pytest

from cellwise.errors import FormatError
from cellwise.store.run import class_maps
from cellwise.store.run.class_maps import ClassMaps, read_class_maps, write_class_maps


def kept():
    maps = np.random.default_rng(0).normal(size=(2, 3, 4, 5)).astype(np.float16)
    return ClassMaps(("a", "b", "c é"), ("s1", "s2"), maps)


def test_a_round_trip_changes_nothing_and_equal_maps_are_equal_files(tmp_path):
    path = tmp_path / "scores" / "cam.maps.npz"
    write_class_maps(path, kept())
    found = read_class_maps(path)
    assert (found.classes, found.sites) == (kept().classes, kept().sites)
    np.testing.assert_array_equal(found.maps, kept().maps)
    before = path.read_bytes()
    write_class_maps(path, kept())
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == ["cam.maps.npz"]


def test_a_file_of_a_newer_format_and_one_of_something_else_are_refused(tmp_path, monkeypatch):
    path = tmp_path / "cam.maps.npz"
    monkeypatch.setattr(class_maps, "FORMAT_VERSION", 2)
    write_class_maps(path, kept())
    monkeypatch.setattr(class_maps, "FORMAT_VERSION", 1)
    with pytest.raises(FormatError, match="newer cellwise"):
        read_class_maps(path)
    np.save(tmp_path / "plain.npy", np.zeros(3))
    (tmp_path / "plain.npy").rename(path)
    with pytest.raises(FormatError, match="no class maps"):
        read_class_maps(path)


def test_a_bit_that_fell_over_is_noticed(tmp_path):
    path = tmp_path / "cam.maps.npz"
    write_class_maps(path, kept())
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(FormatError, match=r"cam\.maps\.npz"):
        read_class_maps(path)


@pytest.mark.parametrize("cut", [0, 10, 200])
def test_a_torn_file_is_refused_by_name(tmp_path, cut):
    path = tmp_path / "cam.maps.npz"
    write_class_maps(path, kept())
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(FormatError, match=r"cam\.maps\.npz"):
        read_class_maps(path)


def test_maps_of_another_number_of_fields_are_refused(tmp_path):
    path = tmp_path / "cam.maps.npz"
    write_class_maps(path, ClassMaps(("a",), ("s1", "s2"), np.zeros((1, 1, 2, 2), np.float16)))
    with pytest.raises(FormatError, match="2 sites"):
        read_class_maps(path)
