"""A local copy: it equals what is listed, whatever was there and however the way there went."""

import errno
import os
import shutil
import threading
from collections import namedtuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.store.objects.stand_in import Damaged, MemorySource, always, once

from cellwise.errors import Interrupted, PreflightError, StorageError
from cellwise.store.objects.ledger import NAME, time_of
from cellwise.store.objects.mirror import Limits, address_of, copy_facts, mirror

FILES = {"a.tif": b"first image", "b/c.tif": b"second", "b/empty.txt": b"", "labels.csv": b"x,y"}


def quiet(done, total, note):
    pass


def copy(source, home, **options):
    plans = []
    options = {"say": plans.append, "may_replace": lambda: None, "connections": 3, **options}
    folder = mirror(source, home, options.pop("report", quiet), **options)
    return folder, plans


def content(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_the_copy_is_what_is_listed(tmp_path):
    source = MemorySource(FILES)
    folder, plans = copy(source, tmp_path)
    assert content(folder) == FILES
    assert folder.name == "plate1"
    assert plans[0].size == sum(map(len, FILES.values())) == plans[0].missing_size
    assert address_of(folder) == source.address
    assert copy_facts(folder)["files"] == len(FILES)
    assert address_of(folder / "b") == address_of(tmp_path) == ""


def test_what_is_there_is_not_fetched_again(tmp_path):
    source = MemorySource(FILES)
    folder, _ = copy(source, tmp_path)
    before = {path: path.stat() for path in folder.rglob("*.tif")}
    source.asked.clear()
    _, plans = copy(source, tmp_path)
    assert not source.asked
    assert not plans[0].missing
    assert {path: path.stat() for path in before} == before


def test_a_changed_file_alone_is_fetched_and_gets_another_time(tmp_path):
    source = MemorySource(FILES)
    folder, _ = copy(source, tmp_path)
    was = (folder / "a.tif").stat()
    source.files["a.tif"] = b"other image"
    source.asked.clear()
    copy(source, tmp_path)
    assert source.asked == ["a.tif"]
    assert content(folder) == source.files
    now = (folder / "a.tif").stat()
    assert now.st_size == was.st_size
    assert now.st_mtime_ns != was.st_mtime_ns


def test_times_stand_for_tags_wherever_it_was_fetched(tmp_path):
    first, _ = copy(MemorySource(FILES), tmp_path / "one")
    second, _ = copy(MemorySource(dict(reversed(FILES.items()))), tmp_path / "two")
    for name in FILES:
        assert (first / name).stat().st_mtime_ns == (second / name).stat().st_mtime_ns


def test_what_is_gone_there_goes_here_and_strangers_too(tmp_path):
    source = MemorySource(FILES)
    folder, _ = copy(source, tmp_path)
    del source.files["b/c.tif"], source.files["b/empty.txt"]
    (folder / "c").mkdir()
    (folder / "c" / "stranger.tif").write_bytes(b"not listed")
    (folder / f".{'0' * 32}.partial.tif").write_bytes(b"half")
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept.tif").write_bytes(b"kept")
    (folder / "link").symlink_to(outside)
    copy(source, tmp_path)
    assert content(folder) == source.files
    assert sorted(path.name for path in folder.iterdir()) == ["a.tif", "labels.csv"]
    assert (outside / "kept.tif").read_bytes() == b"kept"


@pytest.mark.parametrize("harm", ["shorter", "touched", "removed", "a folder", "a link"])
def test_a_file_that_was_harmed_is_fetched_again(tmp_path, harm):
    source = MemorySource(FILES)
    folder, _ = copy(source, tmp_path)
    path = folder / "a.tif"
    if harm == "shorter":
        path.write_bytes(b"first")
        os.utime(path, ns=(time_of("x"),) * 2)
    elif harm == "touched":
        path.write_bytes(b"FIRST IMAGE")
    else:
        path.unlink()
    if harm == "a link":
        path.symlink_to(folder / "labels.csv")
    if harm == "a folder":
        path.mkdir()
        (path / "inner.tif").write_bytes(b"inner")
    copy(source, tmp_path)
    assert content(folder) == FILES
    assert not path.is_symlink()


def test_a_torn_or_lost_ledger_costs_fetching_and_nothing_else(tmp_path):
    source = MemorySource(FILES)
    folder, _ = copy(source, tmp_path)
    ledger = tmp_path / NAME
    lines = ledger.read_text(encoding="utf-8").splitlines(keepends=True)
    ledger.write_text(lines[0] + "not json\n[]\n" + lines[1][:9], encoding="utf-8")
    source.asked.clear()
    copy(source, tmp_path)
    assert sorted(source.asked) == sorted(FILES)[1:]
    ledger.unlink()
    copy(source, tmp_path)
    assert content(folder) == FILES


def test_an_interrupted_fetch_goes_on(tmp_path):
    source = MemorySource({f"{k}.tif": bytes([k]) * 50 for k in range(9)})
    source.before = always(Interrupted("cut"), "6.tif")
    with pytest.raises(Interrupted, match="cut"):
        copy(source, tmp_path, connections=1)
    source.before = lambda name: None
    came = set(source.asked) - {"6.tif"}
    assert came
    source.asked.clear()
    folder, _ = copy(source, tmp_path)
    assert not came & set(source.asked)
    assert content(folder) == source.files


def test_a_person_who_stops_is_not_kept_waiting(tmp_path):
    source = MemorySource(FILES)
    never = threading.Event()
    source.before = lambda name: never.wait(20)

    def stop(done, total, note):
        if source.asked:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        copy(source, tmp_path, report=stop, connections=1)
    never.set()
    source.before = lambda name: None
    assert content(copy(source, tmp_path)[0]) == FILES


def test_a_damaged_file_is_asked_for_again_and_then_refused(tmp_path):
    source = MemorySource(FILES)
    source.before = once(Damaged("a.tif"), "a.tif")
    folder, _ = copy(source, tmp_path / "once")
    assert content(folder) == FILES
    source.before = always(Damaged("a.tif"), "a.tif")
    with pytest.raises(Interrupted, match=r"a\.tif came 3 times"):
        copy(source, tmp_path / "always")
    assert not (tmp_path / "always" / "copy" / "plate1" / "a.tif").exists()


def test_a_file_cut_short_is_never_taken(tmp_path, monkeypatch):
    source = MemorySource(FILES)
    whole = source.content
    monkeypatch.setattr(source, "content", lambda entry: list(whole(entry))[:1])
    with pytest.raises(Interrupted, match="another checksum"):
        copy(source, tmp_path)
    left = content(tmp_path / "copy" / "plate1")
    assert all(FILES[name] == found for name, found in left.items())


def test_a_file_that_changes_after_the_listing_is_listed_again(tmp_path):
    source = MemorySource(FILES)

    def replace(name):
        if name == "a.tif" and source.listed == 1:
            source.files["a.tif"] = b"newer"
            del source.files["labels.csv"]

    source.before = replace
    folder, _ = copy(source, tmp_path, connections=1)
    assert source.listed == 2
    assert content(folder) == source.files
    assert source.files.keys() == FILES.keys() - {"labels.csv"}


def test_files_that_never_rest_are_named(tmp_path):
    source = MemorySource(FILES)

    def replace(name):
        if name == "a.tif":
            source.files[name] = os.urandom(8)

    source.before = replace
    with pytest.raises(Interrupted, match=r"1 file changed .* 3 times \(a\.tif\)"):
        copy(source, tmp_path)


def test_who_reads_the_copy_keeps_its_files(tmp_path):
    source = MemorySource(FILES)
    folder, _ = copy(source, tmp_path)

    def read_by_others():
        raise PreflightError("somebody reads")

    source.files["new.tif"] = b"new"
    copy(source, tmp_path, may_replace=read_by_others)
    assert (folder / "new.tif").read_bytes() == b"new"
    source.files["a.tif"] = b"changed"
    with pytest.raises(PreflightError, match="somebody reads"):
        copy(source, tmp_path, may_replace=read_by_others)
    assert (folder / "a.tif").read_bytes() == FILES["a.tif"]
    source.files["a.tif"] = FILES["a.tif"]
    del source.files["b/c.tif"]
    with pytest.raises(PreflightError, match="somebody reads"):
        copy(source, tmp_path, may_replace=read_by_others)
    assert (folder / "b" / "c.tif").is_file()


@pytest.mark.parametrize(
    ("limits", "word"),
    [
        (Limits(files=3), "4 files"),
        (Limits(total=10), "or more; at most"),
        (Limits(largest=10), r"a\.tif has"),
    ],
)
def test_limits_are_kept_before_anything_is_fetched(tmp_path, limits, word):
    source = MemorySource(FILES)
    with pytest.raises(PreflightError, match=word):
        copy(source, tmp_path, limits=limits)
    assert not source.asked


def test_a_listing_without_an_end_is_left_at_the_limit(tmp_path, monkeypatch):
    source = MemorySource({})
    pages = []

    def endless():
        while True:
            pages.append(len(pages))
            yield page_of(len(pages))

    def page_of(number):
        files = MemorySource({f"{number}-{k}.tif": b"x" for k in range(2)})
        return next(files.pages())

    monkeypatch.setattr(source, "pages", endless)
    with pytest.raises(PreflightError, match="at most 100 files"):
        copy(source, tmp_path, limits=Limits(files=100))
    assert len(pages) == 51


def test_a_disk_without_room_is_refused_before_anything_is_fetched(tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda place: usage(100, 90, 10))
    source = MemorySource(FILES)
    with pytest.raises(PreflightError, match="--cache"):
        copy(source, tmp_path, limits=Limits(spared=0))
    assert not source.asked


def test_a_disk_that_fills_up_leaves_no_half_file(tmp_path, monkeypatch):
    source = MemorySource(FILES)
    whole = os.utime

    def full(path, *rest, **options):
        if str(path).endswith(".tif"):
            raise OSError(errno.ENOSPC, "No space left on device")
        whole(path, *rest, **options)

    monkeypatch.setattr(os, "utime", full)
    with pytest.raises(StorageError, match="disk is full"):
        copy(source, tmp_path, connections=1)
    monkeypatch.undo()
    left = content(tmp_path / "copy" / "plate1")
    assert not [name for name in left if name.endswith(".tif")]
    assert content(copy(source, tmp_path)[0]) == FILES


@pytest.mark.parametrize(
    ("files", "word"),
    [
        ({}, "holds no file"),
        ({"a/": b""}, "holds no file"),
        ({"a/": b"bytes"}, "two slashes"),
        ({"a//b.tif": b"x"}, "two slashes"),
        ({"a.tif": b"x", "A.tif": b"y"}, "cannot lie in one folder"),
        ({"../a.tif": b"x"}, "leads out"),
    ],
)
def test_names_are_refused_before_anything_is_fetched(tmp_path, files, word):
    source = MemorySource(files)
    with pytest.raises(PreflightError, match=word):
        copy(source, tmp_path)
    assert not source.asked
    assert not (tmp_path / "copy").exists()


def test_markers_of_empty_folders_are_no_files(tmp_path):
    folder, _ = copy(MemorySource({"": b"", "b/": b"", "b/c.tif": b"x"}), tmp_path)
    assert content(folder) == {"b/c.tif": b"x"}


NAMES = st.sampled_from(["a.tif", "b.tif", "c/a.tif", "c/b.tif", "d/e/f.tif"])
STATES = st.lists(st.dictionaries(NAMES, st.binary(max_size=4), min_size=1), min_size=1, max_size=4)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(STATES)
def test_after_any_history_the_copy_is_the_last_state(tmp_path_factory, states):
    home = tmp_path_factory.mktemp("copy")
    source = MemorySource({})
    before = {}
    for state in states:
        source.files = dict(state)
        source.asked.clear()
        folder, _ = copy(source, home)
        assert content(folder) == state
        assert set(source.asked) == {n for n, c in state.items() if before.get(n) != c}
        before = state
