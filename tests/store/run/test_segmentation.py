"""What was odd about brought masks: taken from the batches, kept, and read from older runs too."""

import json

import pytest

from cellwise.errors import FormatError
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.segmentation import leave_notes, merge_notes, read_notes


@pytest.fixture
def run(tmp_path):
    return RunFolder(tmp_path)


@pytest.fixture
def folder(run):
    return run.temporary / "segment"


def zeros(**counts):
    return {"overlapped_pixels": 0, "outlines_lost": 0, "outlines_skipped": 0, **counts}


def remember(run, **counts):
    """The completion records that earlier versions of cellwise were read from."""
    run.done.mkdir()
    rows = [json.dumps({"site": site, "counts": found}) for site, found in counts.items()]
    (run.done / "segment.jsonl").write_text("\n".join([*rows, '{"site": "a", "cou']))


def test_odd_sites_have_a_row_and_the_batches_leave_nothing(run, folder):
    leave_notes(folder, "k1", {"a": {"overlapped_pixels": 3.0}, "b": {}})
    leave_notes(folder, "k2", {"c": {"outlines_lost": 2.0}})
    merge_notes(run, folder, {"a": "k1", "b": "k1", "c": "k2"})
    assert read_notes(run) == {"a": zeros(overlapped_pixels=3), "c": zeros(outlines_lost=2)}
    assert not list(folder.iterdir())


def test_a_batch_of_other_settings_does_not_speak_for_a_site(run, folder):
    leave_notes(folder, "k1", {"a": {"overlapped_pixels": 3.0}})
    merge_notes(run, folder, {"a": "k1"})
    leave_notes(folder, "k1", {"a": {"overlapped_pixels": 5.0}})
    leave_notes(folder, "k2", {"a": {}})
    merge_notes(run, folder, {"a": "k2"})
    assert read_notes(run) == {}


def test_a_batch_done_in_two_goes_is_found_whole(run, folder):
    leave_notes(folder, "k", {"a": {"outlines_lost": 1.0}})
    leave_notes(folder, "k", {"b": {"outlines_lost": 4.0}})
    merge_notes(run, folder, {"a": "k", "b": "k"})
    assert {site: row["outlines_lost"] for site, row in read_notes(run).items()} == {"a": 1, "b": 4}


def test_sites_that_were_settled_before_keep_their_row(run, folder):
    leave_notes(folder, "k1", {"a": {"outlines_skipped": 1.0}, "b": {"outlines_skipped": 2.0}})
    merge_notes(run, folder, {"a": "k1", "b": "k1"})
    leave_notes(folder, "k2", {"c": {"outlines_skipped": 3.0}})
    merge_notes(run, folder, {"a": "k1", "c": "k2"})
    found = read_notes(run)
    assert {site: row["outlines_skipped"] for site, row in found.items()} == {"a": 1, "c": 3}


def test_an_older_run_is_read_from_its_records_until_it_has_the_table(run, folder):
    remember(run, a={"cells": 9, "overlapped_pixels": 1200}, b={"cells": 3})
    assert read_notes(run) == {"a": {"overlapped_pixels": 1200.0}}
    leave_notes(folder, "new", {"c": {"outlines_lost": 2.0}})
    merge_notes(run, folder, {"a": "old", "b": "old", "c": "new"})
    assert read_notes(run) == {"a": zeros(overlapped_pixels=1200), "c": zeros(outlines_lost=2)}


def test_a_run_without_either_has_no_notes(run):
    assert read_notes(run) == {}


def test_a_torn_table_is_refused(run):
    run.segmentation.write_bytes(b"half")
    with pytest.raises(FormatError, match=r"segmentation\.parquet"):
        read_notes(run)
