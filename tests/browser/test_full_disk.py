"""The label desk on a disk that is really full: a small one of its own, mounted for the test."""

import errno
import shutil
import subprocess

import pytest
from tests.browser.conftest import can_judge, served

from cellwise.store.annotations.saves import annotations
from cellwise.store.run.folder import RunFolder

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

pytestmark = pytest.mark.browser

ROOM = 256 * 1024


@pytest.fixture
def disk(tmp_path, report_run):
    """A disk of its own with a copy of the run, and little room beside it."""
    place = tmp_path / "disk"
    place.mkdir()
    held = sum(-(-f.stat().st_size // 4096) * 4096 for f in report_run.run.rglob("*"))
    size = f"size={held + ROOM}"
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(place)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        pytest.skip(f"mounting is not allowed here: {done.stderr.strip()}")
    try:
        shutil.copytree(report_run.run, place / "own.run")
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def fill(path):
    """Write until there is no room for one more byte."""
    with path.open("wb", buffering=0) as handle:
        for size in (65536, 4096, 1):
            try:
                while True:
                    handle.write(bytes(size))
            except OSError as error:
                assert error.errno == errno.ENOSPC  # noqa: PT017 (any other is a fault)


def kept(run):
    """What lies in the folder of annotations, by name."""
    return {f.name: f.read_bytes() for f in run.annotations.iterdir()}


@pytest.mark.slow
def test_a_verdict_waits_for_room_and_is_kept_once(visit, disk):
    run = RunFolder(disk / "own.run")
    with served(run.path, edit=True) as address:
        page = visit.page
        page.goto(f"{address}/cells?token=secret&desk=open")
        playwright.expect(page.locator("#desk")).to_be_visible()
        page.locator("#who-word").fill("ann")
        page.keyboard.press("Enter")
        playwright.expect(page.locator("#who-form")).to_be_hidden()
        page.locator("#gallery").focus()
        can_judge(page)
        page.keyboard.press("1")
        playwright.expect(page.locator("#desk-note")).to_contain_text("1 cell", timeout=15_000)
        before = annotations(run).rows()
        assert len(before) == 1
        page.wait_for_timeout(1500)
        files = kept(run)
        fill(disk / "filler")
        page.keyboard.press("2")
        unsaved = page.locator("#unsaved")
        playwright.expect(unsaved).to_contain_text("No space left on device", timeout=15_000)
        playwright.expect(unsaved).to_contain_text("Nothing was saved")
        playwright.expect(unsaved).to_contain_text("1 save is kept")
        # What was kept before is as it was, and nothing half written lies about.
        assert kept(run) == files
        assert annotations(run).rows() == before
        # Another page of the same browser tab has it still.
        page.on("dialog", lambda dialog: dialog.accept())
        page.reload()
        playwright.expect(unsaved).to_contain_text("1 save is kept", timeout=15_000)
        (disk / "filler").unlink()
        playwright.expect(unsaved).to_be_hidden(timeout=30_000)
        playwright.expect(page.locator("#desk-note")).to_contain_text("2 cells", timeout=15_000)
        page.goto("about:blank")
    after = annotations(run)
    assert sorted(after["verdict"]) == ["no", "yes"]
    assert len(list(run.annotations.glob("save-*"))) == 2
