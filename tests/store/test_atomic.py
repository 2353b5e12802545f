import pytest

from cellwise.store.atomic import write_text, writing


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
