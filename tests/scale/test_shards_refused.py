"""Shards that do not belong together, two coordinators, and waits that end."""

import json
import os
import threading
import time

import pytest
from tests.faults.fault_runs import Heard, command, here, left_on_disk
from tests.scale.shard_runs import TWO, asked, finish, merge, shard, shards, whole
from tests.worlds import field, plate

from cellwise.errors import PreflightError, RunLocked
from cellwise.flow.pipeline.lock import Waiting, locked
from cellwise.flow.pipeline.shards.part import Part
from cellwise.flow.pipeline.shards.plan import differences, facts_of
from cellwise.flow.pipeline.shards.work import _WHAT
from cellwise.store.run.folder import RunFolder

OTHERWISE = "were begun otherwise"


@pytest.fixture
def begun(still_plate, tmp_path):
    """A run whose first of two shards is done."""
    out = tmp_path / "out.run"
    shard(still_plate, out, "1/2")
    return out


@pytest.mark.parametrize(
    ("text", "settings", "options", "words"),
    [
        ("2/2", ["cells.size=32"], {}, "cells.size: 24 -> 32"),
        ("2/2", [], {"seed": 7}, "seed: 0 -> 7"),
        ("2/3", [], {}, "worked on in 2 shards, and --shard 2/3 names one of 3"),
    ],
)
def test_a_shard_of_other_settings_or_of_another_number_is_refused(
    still_plate, begun, text, settings, options, words
):
    with pytest.raises(PreflightError, match=words) as refused:
        shard(still_plate, begun, text, *settings, **options)
    assert "\n" not in str(refused.value)


@pytest.mark.slow
def test_a_finish_of_other_settings_is_refused_and_a_merge_begins_anew(
    still_plate, begun, tmp_path
):
    with pytest.raises(PreflightError, match=rf"{OTHERWISE} \(cells.size: 24 -> 32\)"):
        finish(still_plate, begun, "cells.size=32")
    heard = Heard()
    assert merge(still_plate, begun, "cells.size=32", listener=heard).waiting == "segment"
    assert any(OTHERWISE in said for said in heard.messages)
    shards(still_plate, begun, 3, "cells.size=32")
    finish(still_plate, begun, "cells.size=32")
    whole(still_plate, tmp_path / "alone.run", "cells.size=32")
    assert left_on_disk(begun) == left_on_disk(tmp_path / "alone.run")


def test_another_recipe_is_refused(still_plate, begun, tmp_path):
    other = tmp_path / "other.yaml"
    other.write_text(TWO.read_text().replace("{as: measured, by: measured}", "{by: measured}"))
    with pytest.raises(PreflightError, match=rf"{OTHERWISE} \(steps: "):
        shard(still_plate, begun, "2/2", recipe=str(other))


def test_another_version_or_other_libraries_are_refused(still_plate, begun, monkeypatch):
    monkeypatch.setattr("cellwise.flow.pipeline.shards.plan.__version__", "9.9")
    known = {"python": "3.99.0"}
    monkeypatch.setattr("cellwise.flow.pipeline.shards.plan.versions", lambda: known)
    with pytest.raises(PreflightError, match=r"cellwise: .* -> 9.9;.* python: .* -> 3.99.0"):
        shard(still_plate, begun, "2/2")


def test_facts_that_are_alike_differ_in_nothing(still_plate, tmp_path):
    request = asked(still_plate, tmp_path / "out.run")
    facts = facts_of(request, {})
    assert differences(facts, json.loads(json.dumps(facts))) == []


@pytest.mark.slow
def test_images_that_changed_are_refused(tmp_path):
    images, out = plate(tmp_path / "images", 4), tmp_path / "out.run"
    shard(images, out, "1/2")
    os.utime(images / "A02_GFP.png", (1, 1))
    with pytest.raises(PreflightError, match=r"A02_\w+.png changed since the shards of"):
        shard(images, out, "2/2")
    with pytest.raises(PreflightError, match="the image folder changed"):
        finish(images, out)
    merge(images, out)
    shards(images, out, 2)
    finish(images, out)
    whole(images, tmp_path / "alone.run")
    assert left_on_disk(out) == left_on_disk(tmp_path / "alone.run")


def test_images_that_came_later_are_refused_at_the_end(tmp_path):
    images, out = plate(tmp_path / "images", 4), tmp_path / "out.run"
    shards(images, out, 2)
    field(images, "B01", 9)
    with pytest.raises(PreflightError, match="the image folder changed"):
        finish(images, out)


def test_a_folder_of_other_images_is_refused(begun, tmp_path):
    other = plate(tmp_path / "other", 2)
    with pytest.raises(PreflightError, match=rf"{OTHERWISE} \(images: "):
        shard(other, begun, "2/2")


def test_a_shard_under_way_is_waited_for_by_nobody(still_plate, begun):
    with locked(Part(2, 2).folder(RunFolder(begun))):
        for call in (finish, merge, whole):
            with pytest.raises(RunLocked, match=rf"Shard 2/2 .* process {os.getpid()} on"):
                call(still_plate, begun)
        with pytest.raises(RunLocked, match=r"Shard 2/2 .* is being worked on by process"):
            shard(still_plate, begun, "2/2")


def test_a_shard_does_not_wait_for_a_whole_run(still_plate, begun):
    started = time.monotonic()
    with locked(begun), pytest.raises(RunLocked, match="is locked by process"):
        shard(still_plate, begun, "2/2")
    assert time.monotonic() - started < 60, "an hour is for those who open the run"


def test_a_shard_waits_for_who_opens_the_run_and_says_so(still_plate, tmp_path):
    out = tmp_path / "out.run"
    opened, done = threading.Event(), threading.Event()

    def open_slowly():
        with locked(out, Waiting(_WHAT, 60.0, print)):
            opened.set()
            done.wait(60)

    other = threading.Thread(target=open_slowly)
    other.start()
    opened.wait(60)

    class Freeing(Heard):
        """Lets the folder go as soon as somebody waits for it."""

        def message(self, text):
            super().message(text)
            done.set()

    heard = Freeing()
    assert shard(still_plate, out, "1/1", listener=heard).sites == 5
    other.join()
    waited = [text for text in heard.messages if "Waiting" in text]
    assert len(waited) == 1
    assert waited[0].endswith("to open the run for its shards (at most 60 minutes).")


def test_the_wait_has_an_end(tmp_path):
    waiting = Waiting("open", 0.6, lambda text: None)
    with locked(tmp_path, waiting), pytest.raises(RunLocked, match="is locked by process"):
        locked(tmp_path, waiting).__enter__()


@pytest.mark.parametrize(
    ("more", "code", "words"),
    [
        (["--shard", "3/2"], 2, "--shard 3/2: a shard is I/N"),
        (["--shard", "0/4"], 2, "--shard 0/4: a shard is I/N"),
        (["--shard", "1/2", "--finish"], 2, "Give one of --shard, --merge"),
        (["--slurm", "time=1"], 2, "--slurm goes with --print-slurm"),
        (["--shard", "1/2", "--engine", "dask"], 2, "leave --engine out"),
        (["--finish"], 4, "is no run yet"),
    ],
)
def test_the_command_refuses_in_one_line(still_plate, tmp_path, more, code, words):
    fixed = ["--recipe", TWO, "--device", "cpu", "--workers", 1]
    done = here(command("run", still_plate, "--out", tmp_path / "out.run", *fixed, *more))
    assert done.returncode == code
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_the_command_says_what_a_shard_did_and_status_says_which_are_there(still_plate, tmp_path):
    out = tmp_path / "out.run"
    fixed = ["run", still_plate, "--out", out, "--recipe", TWO, "--device", "cpu", "--workers", 1]
    done = here(command(*fixed, "--shard", "1/2"))
    assert done.returncode == 0
    said = "segment, cells · 3 sites · nothing set aside · exit 0"
    assert done.stdout.endswith(f"{said}\n")
    shown = here(command("status", out)).stdout
    assert "shared, recipe" in shown
    assert "1 shard done: 1/2" in shown
    facts = json.loads(here(command("status", out, "--json")).stdout)
    assert [(one["shard"], one["status"]) for one in facts["shards"]] == [("1/2", "done")]
    assert here(command(*fixed, "--shard", "2/2")).returncode == 0
    done = here(command(*fixed, "--merge"))
    assert "next for shards: embed measured · exit 0" in done.stdout
    done = here(command(*fixed, "--finish"))
    assert done.returncode == 0
    nothing = here(command(*fixed, "--shard", "1/2")).stdout
    assert nothing == "shard 1/2: nothing is left for shards before --merge or --finish\n"
