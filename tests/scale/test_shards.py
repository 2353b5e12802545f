"""Shards of a run, merged: the same files as on one machine, and clear words where some lack."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.faults.deaths import died
from tests.faults.fault_runs import left_on_disk, partial_files, record
from tests.scale.shard_runs import finish, merge, shard, shards, whole
from tests.worlds import SIZE, plate, save

from cellwise.errors import PreflightError, UsageError
from cellwise.flow.pipeline.done import Done, DoneLog
from cellwise.flow.pipeline.events import Silent
from cellwise.flow.pipeline.shards.part import Part
from cellwise.flow.pipeline.shards.stretch import stretches
from cellwise.flow.pipeline.shards.work import work_on_shard
from cellwise.flow.recipe.load import load_recipe, recipe_names
from cellwise.flow.recipe.resolve import resolve


@given(st.sets(st.text("abc/_0", min_size=1, max_size=4), max_size=30), st.integers(1, 12))
def test_each_site_is_in_one_shard_and_none_has_two_more_than_another(sites, of):
    taken = [Part(of, number).takes(sites) for number in range(1, of + 1)]
    assert sorted(site for own in taken for site in own) == sorted(sites)
    assert max(map(len, taken)) - min(map(len, taken)) <= 1


@pytest.mark.parametrize(
    "text", ["3/2", "0/4", "4", "a/b", "1/0", "-1/2", "1/2/3", "1 / 2", "1/2\n"]
)
def test_what_is_no_shard_is_refused(text):
    with pytest.raises(UsageError, match="a shard is I/N with I from 1 to N"):
        Part.parse(text)


def test_shards_of_all_recipes_take_all_per_site_steps_in_order():
    found = {}
    for name in recipe_names():
        steps = resolve(load_recipe(name), {}).steps
        found[name] = [[step.title for step in stretch] for stretch in stretches(steps)]
        per_site = [step.title for step in steps if step.spec.grain == "site"]
        assert [title for stretch in found[name] for title in stretch] == per_site, name
    assert found["hpa-inherit"] == [["segment", "cells", "curate"], ["score cell"]]
    # Measurements read the merged table of cells, fingerprints the masks of each field.
    measured = ["embed measured", "curate"]
    assert found["features-quick"] == [["segment", "cells"], measured, ["score cell"]]
    assert found["plate-quick"] == [["segment", "cells"], ["score cell"], ["score control"]]


@pytest.mark.parametrize("of", [1, 3, 7])
def test_shards_leave_what_one_machine_leaves(still_plate, alone, tmp_path, of):
    out = tmp_path / "out.run"
    for outcome in shards(still_plate, out, of):
        assert (outcome.steps, outcome.exit_code) == (("segment", "cells"), 0)
    assert merge(still_plate, out).waiting == "embed measured"
    assert record(out)["status"] == "shared"
    assert {o.steps for o in shards(still_plate, out, of)} == {("embed measured",)}
    assert finish(still_plate, out).waiting == ""
    assert left_on_disk(out) == alone
    assert partial_files(out) == []
    assert not (out / "done" / "shards").exists()
    said = record(out)
    assert said["status"] == "done"
    assert [one["shard"] for one in said["shards"]] == 2 * [f"{n + 1}/{of}" for n in range(of)]
    assert sum(one["sites"] for one in said["shards"]) == 2 * 5
    assert {one["status"] for one in said["shards"]} == {"done"}


@pytest.mark.slow
def test_what_shards_did_not_do_before_the_end_is_done_by_the_last_call(
    still_plate, alone, tmp_path
):
    out = tmp_path / "out.run"
    shards(still_plate, out, 2)
    assert finish(still_plate, out).exit_code == 0
    assert left_on_disk(out) == alone


def test_shards_that_lack_are_named_with_the_command_that_does_them(
    still_plate, alone, tmp_path, monkeypatch
):
    out = tmp_path / "out.run"
    shard(still_plate, out, "2/3")
    with pytest.raises(PreflightError) as refused:
        finish(still_plate, out)
    assert str(refused.value).splitlines() == [
        "Shard 1/3: 2 sites left, it has not begun.",
        "Shard 3/3: 1 site left, it has not begun.",
        "Give them again, then the same command:",
        '  for shard in 1 3; do cellwise run images --out out.run --shard "$shard/3"; done',
    ]
    shard(still_plate, out, "3/3")
    jobs = tmp_path / "my jobs.sh"
    jobs.touch()
    monkeypatch.setenv("CELLWISE_JOBS", str(jobs))
    with pytest.raises(PreflightError, match=rf"Shard 1/3: .*\n.*\n  bash '{jobs}' 1$"):
        finish(still_plate, out)
    shard(still_plate, out, "1/3")
    assert finish(still_plate, out).exit_code == 0
    assert left_on_disk(out) == alone


def test_a_shard_that_failed_is_named_with_its_reason(still_plate, alone, tmp_path, monkeypatch):
    out = tmp_path / "out.run"
    shard(still_plate, out, "1/2")
    with monkeypatch.context() as patch:
        patch.setattr("cellwise.stages.segment.step.write_masks", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            shard(still_plate, out, "2/2")
    with pytest.raises(PreflightError, match=r"Shard 2/2: 2 sites left, it failed on .*: division"):
        finish(still_plate, out)
    shard(still_plate, out, "2/2")
    finish(still_plate, out)
    assert left_on_disk(out) == alone


def test_a_finish_without_any_shard_is_refused(still_plate, tmp_path):
    with pytest.raises(PreflightError, match="is no run yet: give its shards first"):
        finish(still_plate, tmp_path / "out.run")


@pytest.mark.slow
def test_fields_that_are_set_aside_are_no_lack(tmp_path):
    images = plate(tmp_path / "images", 4)
    # Clipped all over: no header tells.
    save(images / "A02_GFP.png", np.full((SIZE, SIZE), 255, np.uint8))
    assert whole(images, tmp_path / "alone.run").exit_code == 3
    out = tmp_path / "out.run"
    assert [o.exit_code for o in shards(images, out, 2)] == [3, 0]
    assert finish(images, out).exit_code == 3
    assert left_on_disk(out) == left_on_disk(tmp_path / "alone.run")


def test_a_finished_run_has_nothing_for_shards(still_plate, alone, tmp_path):
    out = tmp_path / "out.run"
    whole(still_plate, out)
    assert shard(still_plate, out, "1/2").steps == ()
    assert finish(still_plate, out).exit_code == 0
    assert {step["state"] for step in record(out)["steps"]} == {"reused"}
    assert left_on_disk(out) == alone


@pytest.mark.slow
def test_a_run_that_was_stopped_goes_on_in_shards(still_plate, alone, tmp_path, death):
    out = tmp_path / "out.run"
    assert died(death, out, lambda: whole(still_plate, out), after=100)
    assert (out / "done" / "segment.jsonl").is_file()
    assert not (out / "cells.parquet").exists()
    shards(still_plate, out, 2)
    finish(still_plate, out)
    assert left_on_disk(out) == alone


@pytest.mark.slow
def test_the_run_goes_on_alone_with_what_shards_did(still_plate, alone, tmp_path):
    out = tmp_path / "out.run"
    shard(still_plate, out, "1/2")
    assert whole(still_plate, out).exit_code == 0
    assert left_on_disk(out) == alone
    assert [one["shard"] for one in record(out)["shards"]] == ["1/2"]


def test_records_of_the_run_are_only_read_by_shards(tmp_path):
    main, own = tmp_path / "segment.jsonl", tmp_path / "own" / "segment.jsonl"
    DoneLog(main).append([Done("a", "k1"), Done("b", "k1"), Done("", "t")])
    with main.open("ab") as handle:
        handle.write(b'{"torn')
    before = main.read_bytes()
    log = DoneLog(own, under=main)
    log.append([Done("b", "k2")])
    assert {site: r.key for site, r in log.latest.items()} == {"a": "k1", "b": "k2", "": "t"}
    assert log.unmerged == {"b"}
    assert main.read_bytes() == before
    assert json.loads(own.read_text())["key"] == "k2"
    assert DoneLog(own, under=main).latest == log.latest


@pytest.mark.slow
@pytest.mark.parametrize("after", [60, 90])
def test_shards_of_other_settings_take_nothing_of_a_run_back(
    still_plate, alone, tmp_path, death, after
):
    """Files that a killed shard overwrote are made again where the settings go back."""
    out = tmp_path / "out.run"
    whole(still_plate, out)
    other = ["segment.reach=0.5", "cells.size=32"]
    assert died(death, out, lambda: shard(still_plate, out, "1/2", *other), after=after)
    assert left_on_disk(out) != alone
    whole(still_plate, out, "segment.reach=1.5", "cells.size=24")
    assert left_on_disk(out) == alone


def test_nothing_is_asked_for_while_another_call_opens_the_run(still_plate, tmp_path):
    """A request looks at the whole folder: only one call may do so for a new run."""
    out, asked = tmp_path / "out.run", []
    shard(still_plate, out, "1/2")

    def ask():
        asked.append((out / "done" / "shards" / "plan.json").is_file())
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work_on_shard(ask, out, Part(2, 2), Silent())
    assert asked == [True]
