"""A folder appears whole or not at all, wherever it is to appear."""

import pytest

from cellwise.errors import StorageError
from cellwise.store.worlds.whole_folder import making_folder


def test_a_link_to_an_empty_folder_and_an_empty_folder_are_places_too(tmp_path):
    real, link = tmp_path / "real", tmp_path / "link"
    real.mkdir()
    link.symlink_to(real)
    with making_folder(link) as folder:
        (folder / "a").write_text("x")
    assert (real / "a").read_text() == "x"
    here = tmp_path / "here"
    here.mkdir()
    with making_folder(here) as folder:
        (folder / "a").write_text("x")
    assert [path.name for path in here.iterdir()] == ["a"]


def _fail(place):
    with making_folder(place) as folder:
        (folder / "a").write_text("x")
        raise ZeroDivisionError


def test_a_failure_leaves_nothing_behind(tmp_path):
    with pytest.raises(ZeroDivisionError):
        _fail(tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_said_in_words(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(StorageError, match="Choose another place"):
        _fail(tmp_path / "file" / "out")
