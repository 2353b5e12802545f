"""What is given becomes a folder: copies, their readers, and what is refused."""

import os
import subprocess
import sys
import threading
import time
import zipfile
from pathlib import Path

import pytest
from filelock import FileLock

from cellwise.app.inputs.given import Teller, given_inputs, is_elsewhere
from cellwise.app.inputs.places import home_of
from cellwise.app.inputs.readers import reader_of, reading
from cellwise.errors import PreflightError, RunLocked, StorageError, UsageError
from cellwise.flow.pipeline.lock import locked

FILES = {"A01_DNA.tif": b"first", "A01_GFP.tif": b"second"}


@pytest.fixture
def told():
    return []


@pytest.fixture
def teller(told):
    return Teller(told.append, lambda done, total, note: None)


@pytest.fixture
def packed(tmp_path):
    return pack(tmp_path / "plate1.zip", FILES)


def pack(path, files):
    with zipfile.ZipFile(path, "w") as packed:
        for name, data in files.items():
            packed.writestr(name, data)
    return path


def content(folder):
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_paths_of_this_machine_stay_as_they_are(tmp_path, teller, cache):
    with given_inputs("plate1", labels="labels.csv", masks=tmp_path, teller=teller) as given:
        assert given.folder == Path("plate1")
        assert given.labels == Path("labels.csv")
        assert given.masks == tmp_path
        assert not given.elsewhere
        assert given.beside / f"{given.name}.run" == Path("plate1.run")
    assert not cache.exists()


def test_a_zip_is_copied_once_and_said(packed, teller, told, cache):
    with given_inputs(packed, teller=teller) as given:
        assert content(given.folder) == FILES
        assert given.elsewhere
        assert given.beside / f"{given.name}.run" == packed.with_suffix(".run")
    assert len(told) == 1
    assert "2 files" in told[0]
    assert str(cache) in told[0]
    with given_inputs(str(packed), teller=teller):
        pass
    assert len(told) == 1


def test_a_folder_named_like_a_zip_is_a_folder(tmp_path):
    (tmp_path / "odd.zip").mkdir()
    assert not is_elsewhere(tmp_path / "odd.zip")
    assert is_elsewhere(tmp_path / "none.ZIP")


def test_masks_may_come_from_a_zip_and_labels_not(packed, teller):
    with given_inputs("plate1", masks=packed, teller=teller) as given:
        assert content(given.masks) == FILES
    with (
        pytest.raises(PreflightError, match="labels file in it"),
        given_inputs("plate1", labels=packed, teller=teller),
    ):
        pass


@pytest.mark.parametrize("word", ["http://host/a", "zip::s3://b/a.zip", "s3://a@b/c", "s3:/b/c"])
def test_other_addresses_are_refused(word, teller, cache):
    with pytest.raises(UsageError), given_inputs(word, teller=teller):
        pass
    assert not cache.exists()


def test_a_changed_zip_is_refused_while_somebody_reads_the_copy(packed, teller, cache):
    with given_inputs(packed, teller=teller) as given:
        # The same files: nothing is replaced, so that two may read.
        with given_inputs(packed, teller=teller):
            pass
        pack(packed, {**FILES, "A01_DNA.tif": b"other"})
        with (
            pytest.raises(RunLocked, match=f"process {os.getpid()} on .*--cache DIR"),
            given_inputs(packed, teller=teller),
        ):
            pass
        assert content(given.folder) == FILES
        with given_inputs(packed, cache=cache / "own", teller=teller) as own:
            assert content(own.folder)["A01_DNA.tif"] == b"other"
    with given_inputs(packed, teller=teller) as given:
        assert content(given.folder)["A01_DNA.tif"] == b"other"


def test_a_copy_that_is_given_by_its_path_is_read_too(packed, teller, cache):
    with given_inputs(packed, teller=teller) as given:
        folder = given.folder
    home = folder.parents[1]
    assert not reader_of(home)
    with given_inputs(folder, teller=teller):
        assert reader_of(home)
    assert not reader_of(home)


def test_a_reader_that_was_killed_reads_no_more(tmp_path):
    program = (
        "import sys, time; from pathlib import Path\n"
        "from cellwise.app.inputs.readers import reading\n"
        f"with reading(Path({str(tmp_path)!r})):\n"
        "    print('reads', flush=True); time.sleep(60)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "reads\n"
        assert reader_of(tmp_path).startswith(f"process {process.pid} on")
    finally:
        process.kill()
        process.wait(20)
        process.stdout.close()
    assert not reader_of(tmp_path)
    assert not list((tmp_path / "readers").glob("*.lock"))


def test_reading_where_nothing_can_be_locked_is_reading(tmp_path):
    (tmp_path / "readers").write_text("in the way", encoding="utf-8")
    with reading(tmp_path):
        assert not reader_of(tmp_path)


def test_two_that_fetch_at_once_wait_for_each_other(packed, told, cache):
    """The second one says what it waits for, and then finds all there."""
    home = home_of(cache, "plate1", str(packed.absolute()))
    home.mkdir(parents=True)
    lock = FileLock(home / ".lock", thread_local=False)
    lock.acquire()
    what = f'{{"pid": 1, "host": "node1", "what": "fetch {packed.absolute()}"}}'
    (home / ".lock.json").write_text(what, encoding="utf-8")
    said = threading.Event()

    def say(text):
        told.append(text)
        said.set()

    def release():
        said.wait(30)
        (home / ".lock.json").unlink()
        lock.release()

    thread = threading.Thread(target=release)
    thread.start()
    teller = Teller(say, lambda done, total, note: None)
    with given_inputs(packed, teller=teller) as given:
        assert content(given.folder) == FILES
    thread.join()
    assert told[0].startswith("Waiting for process 1 on node1 to fetch")
    assert "at most" in told[0]


def test_a_cache_held_for_something_else_is_refused(packed, teller, cache):
    home = home_of(cache, "plate1", str(packed.absolute()))
    began = time.monotonic()
    with (
        locked(home),
        pytest.raises(RunLocked, match=r"is being written by process .*--cache"),
        given_inputs(packed, teller=teller),
    ):
        pass
    assert time.monotonic() - began < 20


def test_a_cache_that_cannot_be_written_names_the_cure(packed, tmp_path, teller):
    (tmp_path / "file").mkdir()
    home = home_of(tmp_path / "file", "plate1", str(packed.absolute()))
    home.write_text("in the way", encoding="utf-8")
    with (
        pytest.raises(StorageError) as error,
        given_inputs(packed, cache=tmp_path / "file", teller=teller),
    ):
        pass
    assert "--cache DIR" in error.value.strerror
    assert "--out" not in error.value.strerror


@pytest.mark.slow
@pytest.mark.long
def test_folder_labels_and_masks_of_a_bucket(bucket, teller, cache):
    for name, data in FILES.items():
        bucket.put(f"plate1/{name}", data)
        bucket.put(f"masks/{name}", data)
    bucket.put("labels.csv", b"well,label\n")
    bucket.put("plate2.zip", b"PK")
    root = f"s3://{bucket.name}"
    with given_inputs(
        f"{root}/plate1", labels=f"{root}/labels.csv", masks=f"{root}/masks", teller=teller
    ) as given:
        assert content(given.folder) == content(given.masks) == FILES
        assert given.labels.read_bytes() == b"well,label\n"
        assert (given.name, given.beside) == ("plate1", Path())
    for words, said in (
        ({"folder": f"{root}/plate2.zip"}, "one object.*Fetch it, and give the file"),
        ({"folder": f"{root}/labels.csv"}, "one object.*Name its folder"),
        ({"folder": f"{root}/plate3"}, "holds no file"),
        ({"folder": "plate1", "labels": f"{root}/none.csv"}, "is not there"),
        ({"folder": "plate1", "labels": f"{root}/plate1"}, "is not there"),
    ):
        with pytest.raises(PreflightError, match=said), given_inputs(**words, teller=teller):
            pass
