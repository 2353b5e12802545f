"""What was odd about brought masks: kept in a table, and read from older runs too."""

import json

import pytest

from cellwise.errors import FormatError
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.segmentation import read_notes, write_notes


@pytest.fixture
def run(tmp_path):
    return RunFolder(tmp_path)


def zeros(**counts):
    return {"overlapped_pixels": 0, "outlines_lost": 0, "outlines_skipped": 0, **counts}


def remember(run, **counts):
    """The completion records that earlier versions of cellwise were read from."""
    run.done.mkdir()
    rows = [json.dumps({"site": site, "counts": found}) for site, found in counts.items()]
    (run.done / "segment.jsonl").write_text("\n".join([*rows, '{"site": "a", "cou']))


def test_odd_sites_have_a_row_and_other_counts_none(run):
    write_notes(
        run,
        {"a": {"cells": 9, "overlapped_pixels": 3.0}, "b": {"cells": 1}, "c": {"outlines_lost": 2}},
    )
    assert read_notes(run) == {"a": zeros(overlapped_pixels=3), "c": zeros(outlines_lost=2)}


def test_an_older_run_is_read_from_its_records_until_it_has_the_table(run):
    remember(run, a={"cells": 9, "overlapped_pixels": 1200}, b={"cells": 3})
    assert read_notes(run) == {"a": {"overlapped_pixels": 1200.0}}
    write_notes(run, {"c": {"outlines_lost": 2.0}})
    assert read_notes(run) == {"c": zeros(outlines_lost=2)}


def test_a_run_without_either_has_no_notes(run):
    assert read_notes(run) == {}


def test_a_torn_table_is_refused(run):
    run.segmentation.write_bytes(b"half")
    with pytest.raises(FormatError, match=r"segmentation\.parquet"):
        read_notes(run)
