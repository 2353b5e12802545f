"""Where copies lie."""

from pathlib import Path

import pytest

from cellwise.app.inputs.places import VARIABLE, cache_folder, home_of
from cellwise.errors import UsageError


def test_the_option_comes_before_the_environment_and_that_before_the_users_own(
    tmp_path, monkeypatch
):
    monkeypatch.setenv(VARIABLE, str(tmp_path / "said"))
    assert cache_folder(tmp_path / "named") == tmp_path / "named"
    assert cache_folder(None) == cache_folder("") == tmp_path / "said"
    monkeypatch.delenv(VARIABLE)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "own"))
    monkeypatch.setattr("sys.platform", "linux")
    assert cache_folder(None) == tmp_path / "own" / "cellwise" / "inputs"


def test_a_cache_is_a_folder(tmp_path):
    (tmp_path / "file").write_text("x", encoding="utf-8")
    for wrong in (tmp_path / "file", "s3://screen/cache", Path("s3://screen/cache")):
        with pytest.raises(UsageError, match="Name a folder"):
            cache_folder(wrong)


def test_each_address_has_a_folder_of_its_own_with_a_plain_name(tmp_path):
    one = home_of(tmp_path, "plate 1", "s3://a/plate 1")
    two = home_of(tmp_path, "plate 1", "s3://b/plate 1")
    assert one != two
    assert one == home_of(tmp_path, "plate 1", "s3://a/plate 1")
    assert one.parent == tmp_path
    assert one.name.startswith("plate_1-")
    assert home_of(tmp_path, "../x/" + "y" * 300, "s3://c").parent == tmp_path
