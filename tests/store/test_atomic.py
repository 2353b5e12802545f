import errno
from pathlib import Path

import pytest

from cellwise.errors import StorageError, UsageError
from cellwise.store import atomic
from cellwise.store.atomic import write_text, writing, writing_folder


def test_a_file_appears_whole(tmp_path):
    write_text(tmp_path / "deep" / "a.txt", "x")
    assert (tmp_path / "deep" / "a.txt").read_text() == "x"


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.txt"
    write_text(path, "old")

    def write_half() -> None:
        with writing(path) as partial:
            partial.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_half()
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def replaces(folder):
    return (folder / "mark").exists()


def test_a_folder_appears_whole_and_replaces_one_of_its_kind(tmp_path):
    path = tmp_path / "deep" / "out.zarr"
    for content in ("first", "second"):
        with writing_folder(path, replaces=replaces) as partial:
            assert partial.suffix == ".zarr"
            (partial / "mark").write_text(content)
            (partial / content).touch()
            assert not path.exists() or (path / "mark").read_text() == "first"
    assert sorted(p.name for p in path.iterdir()) == ["mark", "second"]
    assert [p.name for p in path.parent.iterdir()] == ["out.zarr"]


def test_an_empty_folder_is_filled(tmp_path):
    (tmp_path / "out").mkdir()
    with writing_folder(tmp_path / "out", replaces=replaces) as partial:
        (partial / "a").touch()
    assert (tmp_path / "out" / "a").exists()


def test_a_folder_of_other_files_is_left_alone(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").touch()
    with (
        pytest.raises(UsageError, match="holds other files"),
        writing_folder(tmp_path / "out", replaces=replaces),
    ):
        raise AssertionError("nothing may be written")
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["thesis.tex"]
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_a_file_in_the_way_of_a_folder_is_left_alone(tmp_path):
    (tmp_path / "out").write_text("mine")
    with (
        pytest.raises(UsageError, match="is a file"),
        writing_folder(tmp_path / "out", replaces=replaces),
    ):
        raise AssertionError("nothing may be written")
    assert (tmp_path / "out").read_text() == "mine"


def test_a_failed_folder_leaves_the_old_one_and_nothing_else(tmp_path):
    path = tmp_path / "out"
    path.mkdir()
    (path / "mark").write_text("old")

    def write_half() -> None:
        with writing_folder(path, replaces=replaces) as partial:
            (partial / "half").touch()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_half()
    assert [p.name for p in path.iterdir()] == ["mark"]
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_a_full_disk_is_named_with_its_cure(tmp_path):
    def fill() -> None:
        with writing_folder(tmp_path / "out", replaces=replaces):
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(StorageError, match="Free some space"):
        fill()
    assert not list(tmp_path.iterdir())


def test_a_rename_that_fails_puts_the_old_folder_back(tmp_path, monkeypatch):
    path = tmp_path / "out"
    path.mkdir()
    (path / "mark").write_text("old")

    def refuse(whole, named):
        raise OSError(errno.EACCES, "no")

    monkeypatch.setattr(atomic, "rename", refuse)

    def write() -> None:
        with writing_folder(path, replaces=replaces) as partial:
            (partial / "mark").write_text("new")

    with pytest.raises(StorageError):
        write()
    assert (path / "mark").read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_a_file_that_somebody_reads_on_windows_is_replaced_a_moment_later(tmp_path, monkeypatch):
    path, real, refused = tmp_path / "a.txt", Path.replace, []
    write_text(path, "old")

    def held(whole, target):
        if len(refused) < 3:
            refused.append(target)
            raise PermissionError(errno.EACCES, "The process cannot access the file")
        return real(whole, target)

    monkeypatch.setattr(Path, "replace", held)
    with pytest.raises(StorageError, match="No permission"):
        write_text(path, "new")
    assert (path.read_text(), len(refused)) == ("old", 1)
    monkeypatch.setattr(atomic, "_HELD", 5.0)
    write_text(path, "new")
    assert (path.read_text(), len(refused)) == ("new", 3)
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]
