import pytest

from cellwise.domain.steps import SiteRecord
from cellwise.errors import InputError, StorageError
from cellwise.flow.pipeline.done import TABLE, Done, DoneLog, from_site


def test_the_latest_record_of_a_site_counts(tmp_path):
    log = DoneLog(tmp_path / "done" / "a.jsonl")
    log.append([Done("s", "k1"), Done("t", "k1")])
    log.append([Done("s", "k2", {"cells": 3}, "shard")])
    back = DoneLog(tmp_path / "done" / "a.jsonl").latest
    assert back["s"] == Done("s", "k2", {"cells": 3}, "shard")
    assert back["t"].key == "k1"


@pytest.mark.parametrize("cut", range(1, 60, 7))
def test_a_torn_last_line_is_ignored_and_mended(tmp_path, cut):
    path = tmp_path / "a.jsonl"
    log = DoneLog(path)
    log.append([Done("s", "k1")])
    whole = path.read_bytes()
    log.append([Done("t", "k1", {"cells": 1})])
    path.write_bytes(path.read_bytes()[:-cut] if cut < 60 else whole)
    again = DoneLog(path)
    assert again.latest["s"].key == "k1"
    again.append([Done("t", "k9")])
    assert DoneLog(path).latest["t"].key == "k9"


def test_the_reason_of_a_site_set_aside_is_kept():
    error = InputError("torn", code="truncated", remedy="copy again", path="a.png")
    record = from_site(SiteRecord("s", error=error), "k", "")
    assert record.error == {
        "path": "a.png",
        "code": "truncated",
        "reason": "torn",
        "remedy": "copy again",
    }


def test_records_that_cannot_be_written_stop_the_run(tmp_path):
    (tmp_path / "done").write_text("a file where a folder should be")
    with pytest.raises(StorageError):
        DoneLog(tmp_path / "done" / "a.jsonl").append([Done("s", "k")])


def test_records_that_may_wait_are_written_at_once_and_synced_together(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr("os.fsync", synced.append)
    path = tmp_path / "a.jsonl"
    log = DoneLog(path)
    for number in range(50):
        log.append([Done(f"s{number}", "k")], soon=True)
    assert len(DoneLog(path).latest) == 50
    assert len(synced) < 25
    before = len(synced)
    log.append([Done("", "k")])
    assert len(synced) == before + 1


def test_sites_set_aside_are_known_without_going_through_all(tmp_path):
    error = {"path": "a.png", "code": "truncated", "reason": "torn", "remedy": ""}
    log = DoneLog(tmp_path / "a.jsonl")
    log.append([Done("s", "k", error=error), Done("t", "k", error=error), Done("u", "k")])
    log.append([Done("t", "k2")])
    assert set(log.aside) == set(DoneLog(tmp_path / "a.jsonl").aside) == {"s"}


def test_what_came_after_the_last_table_is_in_no_table(tmp_path):
    path = tmp_path / "x.jsonl"
    log = DoneLog(path)
    log.append([Done("a", "k"), Done("b", "k"), Done(TABLE, "t")])
    assert log.unmerged == set()
    log.void({TABLE: ""})
    log.void({TABLE: "other", "a": "new"})
    log.append([Done("a", "new")])
    assert log.unmerged == {"a"}
    assert DoneLog(path).unmerged == {"a"}, "also for the next call"
    log.append([Done(TABLE, "u")])
    assert log.unmerged == DoneLog(path).unmerged == set()
