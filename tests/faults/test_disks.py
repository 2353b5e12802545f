"""Disks that are full, read-only or closed to the user: a clear message, exit 5 or 4, resumable."""

import ctypes
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager

import pytest
from tests.faults.fault_runs import (
    SOURCE,
    call,
    command,
    environment,
    here,
    left_on_disk,
    partial_files,
    quarantine,
    record,
    run,
    words,
)
from tests.worlds import plate

UNABLE = 77


@contextmanager
def mounted(*options, place):
    """Mount something for a while; skips where mounting is not allowed."""
    done = subprocess.run(
        ["mount", *map(str, options), str(place)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip(f"mounting is not allowed here: {done.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


@contextmanager
def read_only(folder):
    """The same folder, to which nothing can be written."""
    with mounted("--bind", folder, place=folder):
        subprocess.run(["mount", "-o", "remount,bind,ro", str(folder)], check=True)
        yield folder


def like_a_user():
    """In the child: take from root the right to pass over permissions, which users lack anyway."""
    if os.getuid() == 0:
        libc = ctypes.CDLL(None, use_errno=True)
        for capability in (1, 2, 3):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER
            if libc.prctl(24, capability, 0, 0, 0):  # PR_CAPBSET_DROP
                os._exit(UNABLE)


def as_user(words, **variables):
    """Run a command to which permissions apply, also where the tests run as root."""
    env = {**environment(), **variables}
    done = subprocess.run(
        words, env=env, check=False, capture_output=True, text=True, preexec_fn=like_a_user
    )
    if done.returncode == UNABLE:
        pytest.skip("root may not give up its rights here, and to it no permission applies")
    return done


@contextmanager
def closed(path, mode):
    """Other permissions for a while."""
    before = path.stat().st_mode
    path.chmod(mode)
    try:
        yield path
    finally:
        path.chmod(before)


def says_so(done, *parts, code=5):
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("cellwise: ")
    assert "[Errno" not in last
    for part in parts:
        assert part in last


def test_a_read_only_place_for_the_output_is_named(still_plate, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    with read_only(disk):
        done = here(words(still_plate, disk / "out.run"))
    says_so(done, "out.run", "Read-only file system", "Choose another --out")


def test_a_finished_run_on_a_read_only_disk_is_not_torn_by_trying(
    still_plate, undisturbed, tmp_path
):
    out = tmp_path / "out.run"
    run(still_plate, out)
    with read_only(out):
        says_so(here(words(still_plate, out)), "Read-only file system")
        looked = here(command("status", out))
    assert looked.returncode == 0
    assert ": done" in looked.stdout
    assert left_on_disk(out) == undisturbed


def test_a_place_without_permission_is_named(still_plate, tmp_path):
    place = tmp_path / "closed"
    place.mkdir()
    with closed(place, 0o555):
        says_so(as_user(words(still_plate, place / "out.run")), "closed", "Permission denied")
        assert list(place.iterdir()) == []


def test_an_output_that_may_not_even_be_looked_at_is_refused(still_plate, tmp_path):
    place = tmp_path / "closed"
    place.mkdir()
    with closed(place, 0o000):
        says_so(as_user(words(still_plate, place / "out.run")), "closed", code=4)


def test_a_part_of_the_output_without_permission_ends_with_5(still_plate, undisturbed, tmp_path):
    out = tmp_path / "out.run"
    (out / "done").mkdir(parents=True)
    (out / "done" / "read.jsonl").touch()
    (out / "masks").mkdir()
    with closed(out / "masks", 0o555):
        says_so(as_user(words(still_plate, out)), "masks", "Permission denied")
    assert run(still_plate, out).exit_code == 0
    assert left_on_disk(out) == undisturbed


@pytest.mark.slow
def test_images_on_a_read_only_disk_are_no_trouble(tmp_path, undisturbed):
    images = plate(tmp_path / "images")
    with read_only(images):
        assert run(images, tmp_path / "out.run").exit_code == 0
    # Its table of sites holds the times of the files.
    left, expected = left_on_disk(tmp_path / "out.run"), {**undisturbed}
    assert left.pop("sites.parquet") != expected.pop("sites.parquet")
    assert left == expected


@pytest.mark.slow
def test_neither_a_home_nor_a_writable_installation_is_needed(still_plate, undisturbed, tmp_path):
    code = tmp_path / "code"
    shutil.copytree(SOURCE, code, ignore=shutil.ignore_patterns("__pycache__"))
    folders = [code, *(path for path in code.rglob("*") if path.is_dir())]
    for folder in folders:
        folder.chmod(0o555)
    try:
        out = tmp_path / "out.run"
        done = as_user(words(still_plate, out), PYTHONPATH=str(code), HOME=str(code / "home"))
    finally:
        for folder in folders:
            folder.chmod(0o755)
    assert done.returncode == 0, done.stderr
    assert left_on_disk(out) == undisturbed


@pytest.mark.slow
def test_an_image_without_permission_is_set_aside_until_it_is_given(tmp_path):
    images = plate(tmp_path / "images", 2)
    out = tmp_path / "out.run"
    with closed(images / "A01_GFP.png", 0o000):
        done = as_user(words(images, out))
    assert done.returncode == 3, done.stderr
    assert [row["path"] for row in quarantine(out)] == ["A01_GFP.png"]
    # A permission leaves size and time of the file as they were.
    assert run(images, out).exit_code == 0
    assert quarantine(out) == []


@pytest.mark.slow
@pytest.mark.long
def test_a_folder_without_permission_is_listed_and_the_others_go_on(tmp_path):
    images = plate(tmp_path / "images", 2)
    plate(images / "second", 2)
    out = tmp_path / "out.run"
    with closed(images / "second", 0o000):
        done = as_user(words(images, out))
    assert done.returncode == 3, done.stderr
    assert [row["code"] for row in quarantine(out)] == ["unreadable_folder"]
    assert run(images, out).exit_code == 0
    assert record(out)["counts"]["sites"] == 4


@pytest.mark.parametrize(
    "free", ["96k", *(pytest.param(size, marks=pytest.mark.slow) for size in ("40k", "200k"))]
)
def test_a_full_disk_ends_with_5_and_more_room_is_enough(still_plate, undisturbed, tmp_path, free):
    disk = tmp_path / "disk"
    disk.mkdir()
    with mounted("-t", "tmpfs", "-o", f"size={free}", "tmpfs", place=disk):
        out = disk / "out.run"
        done = call(words(still_plate, out))
        says_so(done, "No space left on device")
        assert partial_files(out) == []
        subprocess.run(["mount", "-o", "remount,size=20m", str(disk)], check=True)
        assert run(still_plate, out).exit_code == 0
        assert left_on_disk(out) == undisturbed


LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), resource.RLIM_INFINITY))
sys.argv = ["cellwise", *sys.argv[2:]]
from cellwise.app.cli import main
main()
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "size", [2500, *(pytest.param(size, marks=pytest.mark.slow) for size in (300, 9000))]
)
def test_a_limit_on_file_size_ends_with_5(still_plate, undisturbed, tmp_path, size):
    out = tmp_path / "out.run"
    own = words(still_plate, out)[3:]
    done = call([sys.executable, "-c", LIMITED, str(size), *own])
    says_so(done, "File too large")
    assert run(still_plate, out).exit_code == 0
    assert left_on_disk(out) == undisturbed


@pytest.mark.slow
@pytest.mark.long
def test_a_full_disk_with_workers_is_said_once(still_plate, undisturbed, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    with mounted("-t", "tmpfs", "-o", "size=96k", "tmpfs", place=disk):
        out = disk / "out.run"
        done = call(words(still_plate, out, workers=2))
        says_so(done, "No space left on device")
        subprocess.run(["mount", "-o", "remount,size=20m", str(disk)], check=True)
        assert run(still_plate, out).exit_code == 0
        assert left_on_disk(out) == undisturbed


@pytest.mark.slow
@pytest.mark.long
def test_output_that_nobody_reads_is_no_error(still_plate, tmp_path):
    out = tmp_path / "out.run"
    run(still_plate, out)
    shutil.rmtree(out / "crops")
    text = " ".join(f"'{word}'" for word in words(still_plate, out))
    done = subprocess.run(
        ["bash", "-c", f"{text} 2>/dev/null | true; exit ${{PIPESTATUS[0]}}"],
        env=environment(),
        check=False,
    )
    # The command's library answers a closed pipe with 1; what counts is that the run is whole.
    assert done.returncode in (0, 1)
    assert record(out)["status"] == "done"
