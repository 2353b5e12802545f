"""Files outside a run count by what they hold, those that belong together as one."""

from types import SimpleNamespace
from typing import Any

import pytest
from tests.faults.fault_runs import run
from tests.worlds import labels, plate

from cellwise.domain.specs import Content
from cellwise.errors import PreflightError
from cellwise.flow.pipeline.checks import earlier_record
from cellwise.flow.pipeline.contents import earlier_digest, files_digest, held_digest
from cellwise.flow.pipeline.files.listed import listing_digest
from cellwise.store.run.folder import RunFolder

PAIR = Content("file", beside=(".csv", ".npy"))


def test_files_that_belong_together_count_as_one(tmp_path):
    array, table = tmp_path / "e.npy", tmp_path / "e.csv"
    array.write_bytes(b"numbers")
    table.write_text("a,1")
    first = files_digest(array, PAIR)
    table.write_text("b,1")
    assert files_digest(array, PAIR) != first
    table.write_text("a,1")
    assert files_digest(array, PAIR) == first
    table.unlink()
    assert files_digest(array, PAIR) == "", "half of it is none of it"
    other = tmp_path / "e.parquet"
    other.write_bytes(b"numbers")
    assert files_digest(other, PAIR)


def test_a_record_speaks_of_the_very_file_it_names():
    step: Any = SimpleNamespace(title="embed", options={"file": "old/e.parquet"})
    earlier = {"inputs": {"files": {"embed: file": {"path": "old/e.parquet", "digest": "abc"}}}}
    assert earlier_digest(earlier, step, PAIR) == held_digest(earlier, step, PAIR) == "abc"
    step.options["file"] = "new/e.parquet"
    assert earlier_digest(earlier, step, PAIR) == ""
    assert held_digest(earlier, step, PAIR) == "abc"
    # Before files were listed by step.
    old = {"inputs": {"labels": "x.csv", "labels_sha256": "123"}}
    step = SimpleNamespace(title="read", options={"labels": "x.csv"})
    assert earlier_digest(old, step, Content("labels")) == "123"
    assert earlier_digest({}, step, Content("labels")) == ""


def test_a_finished_run_needs_its_labels_no_more_but_no_others_that_are_not_there(tmp_path):
    images, out = tmp_path / "images", tmp_path / "out.run"
    plate(images, 2)
    file = labels(tmp_path / "labels.csv", 2)
    run(images, out, f"read.labels={file}")
    file.unlink()
    assert run(images, out, f"read.labels={file}").exit_code == 0
    with pytest.raises(PreflightError, match=r"'read', option 'labels': .*elsewhere\.csv"):
        run(images, out, f"read.labels={tmp_path / 'elsewhere.csv'}")


def test_embeddings_of_another_program_are_not_taken_for_a_run(tmp_path):
    (tmp_path / "out" / "embeddings" / "mine").mkdir(parents=True)
    with pytest.raises(PreflightError, match="'embeddings', but no run"):
        earlier_record(RunFolder(tmp_path / "out"))


def test_a_link_in_a_circle_leads_nowhere(tmp_path):
    (tmp_path / "a.png").write_bytes(b"a")
    before = listing_digest(tmp_path)
    (tmp_path / "round").symlink_to(tmp_path / "round")
    assert listing_digest(tmp_path) == before
