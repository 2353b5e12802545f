"""Copies of the cache: all are listed, those in use stay, foreign folders are never touched."""

import os
import time
import zipfile

import pytest
from typer.testing import CliRunner

from cellwise.app.cli import app
from cellwise.app.inputs.copies import copies, delete_copies
from cellwise.app.inputs.given import Teller, given_inputs
from cellwise.errors import StorageError
from cellwise.flow.pipeline.lock import locked


@pytest.fixture
def teller():
    return Teller(lambda _: None, lambda done, total, note: None)


@pytest.fixture
def fetched(tmp_path, cache, teller):
    """Two copies, one of them read a hundred days ago."""
    for name in ("old", "new"):
        with zipfile.ZipFile(tmp_path / f"{name}.zip", "w") as packed:
            packed.writestr("A01_DAPI.tif", b"x" * (1000 if name == "old" else 50))
        with given_inputs(tmp_path / f"{name}.zip", teller=teller):
            pass
    long_ago = time.time() - 100 * 86_400
    (home,) = cache.glob("old-*")
    os.utime(home / "readers", (long_ago, long_ago))
    return cache


def names(found):
    return [copy.address.rpartition("/")[2] for copy in found]


def test_copies_are_listed_with_what_they_hold(fetched):
    found = copies(fetched)
    assert names(found) == ["new.zip", "old.zip"]
    assert found[1].size - found[0].size == pytest.approx(950, abs=20)
    out = CliRunner().invoke(app, ["cache", "--cache", str(fetched)]).output
    assert "2 copies" in out
    assert "read 100 days ago" in out


def test_those_unread_for_long_are_deleted_and_can_be_fetched_again(fetched, tmp_path, teller):
    gone, used = delete_copies(fetched, unread_days=30, dry_run=True)
    assert (names(gone), used, len(copies(fetched))) == (["old.zip"], {}, 2)
    words = ["cache", "--cache", str(fetched), "--delete", "--unread-days", "30"]
    assert "old.zip" in CliRunner().invoke(app, words).output
    assert names(copies(fetched)) == ["new.zip"]
    assert not list(fetched.glob("old-*"))
    with given_inputs(tmp_path / "old.zip", teller=teller) as given:
        assert (given.folder / "A01_DAPI.tif").read_bytes() == b"x" * 1000


def test_what_is_read_or_fetched_now_stays(fetched, tmp_path, teller):
    (home,) = fetched.glob("new-*")
    with given_inputs(tmp_path / "old.zip", teller=teller) as given, locked(home):
        gone, used = delete_copies(fetched)
        assert given.folder.is_dir()
    assert gone == []
    assert {path.name.partition("-")[0] for path in used} == {"old", "new"}
    assert all(f"process {os.getpid()}" in who for who in used.values())


def test_folders_of_others_are_never_touched(fetched):
    for name in ("photos", "photos-0123456789ab"):
        (fetched / name).mkdir()
        (fetched / name / "me.jpg").write_bytes(b"me")
    elsewhere = fetched.parent / "elsewhere-0123456789ab"
    elsewhere.mkdir()
    (elsewhere / "source.json").write_text("{}")
    (fetched / "link-0123456789ab").symlink_to(elsewhere)
    delete_copies(fetched)
    left = sorted(path.name for path in fetched.iterdir())
    assert left == ["link-0123456789ab", "photos", "photos-0123456789ab"]
    assert (elsewhere / "source.json").is_file()


def test_a_deletion_that_stopped_goes_on(fetched, monkeypatch):
    def stuck(path):
        raise OSError(16, "Device or resource busy", str(path))

    with monkeypatch.context() as patch:
        patch.setattr("shutil.rmtree", stuck)
        with pytest.raises(StorageError, match="give the same command again"):
            delete_copies(fetched)
    assert len(copies(fetched)) == 2
    delete_copies(fetched)
    assert copies(fetched) == []


def test_no_cache_at_all_is_an_empty_one(tmp_path):
    assert copies(tmp_path / "nowhere") == []
    assert CliRunner().invoke(app, ["cache", "--dry-run"]).exit_code != 0
