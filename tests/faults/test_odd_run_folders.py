"""Run folders that are old, torn or somebody else's: a plain answer, never a traceback."""

import json
import shutil

import pytest
from tests.faults.fault_runs import call, left_on_disk, record, run, words

from cellwise.app.status import run_status
from cellwise.errors import CellwiseError, FormatError, PreflightError


@pytest.fixture(scope="module")
def finished(still_plate, tmp_path_factory):
    out = tmp_path_factory.mktemp("finished") / "out.run"
    run(still_plate, out)
    return out


@pytest.fixture
def copy(finished, tmp_path):
    shutil.copytree(finished, tmp_path / "out.run")
    return tmp_path / "out.run"


def goes_on(still_plate, undisturbed, out):
    assert run(still_plate, out).exit_code == 0
    assert left_on_disk(out) == undisturbed
    assert record(out)["status"] == "done"


@pytest.mark.parametrize("content", [b"", b'{"format_ver', b"\xff\xfe\x00", b"[]", b"null"])
def test_a_torn_record_of_the_run_is_written_anew(still_plate, undisturbed, copy, content):
    (copy / "run.json").write_bytes(content)
    with pytest.raises(CellwiseError):
        run_status(copy)
    goes_on(still_plate, undisturbed, copy)


@pytest.mark.parametrize(
    "line",
    [
        *(b"{", b"3", b"null", b'"x"', b"[]", b"{}", b"\xff\xff\xff"),
        b'{"site": 3, "key": "k", "counts": {}, "shard": "", "error": null}',
        b'{"site": "A01", "key": "k", "counts": null, "shard": "", "error": null}',
        b'{"site": "A01", "key": "k", "counts": {}, "shard": "", "error": {"code": "x"}}',
        b'{"site": "A01", "key": "k", "counts": {}, "shard": "", "error": null, "new": 1}',
    ],
)
def test_foreign_lines_among_the_completion_records_are_passed_over(
    still_plate, undisturbed, copy, line
):
    path = copy / "done" / "segment.jsonl"
    path.write_bytes(line + b"\n" + path.read_bytes() + line + b"\n" + line)
    goes_on(still_plate, undisturbed, copy)


def test_lost_completion_records_cost_time_only(still_plate, undisturbed, copy):
    shutil.rmtree(copy / "done")
    goes_on(still_plate, undisturbed, copy)


@pytest.mark.parametrize("name", ["cells.parquet", "pixels.parquet", "sites.parquet", "masks"])
def test_a_result_that_was_deleted_is_made_again(still_plate, undisturbed, copy, name):
    path = copy / name
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    goes_on(still_plate, undisturbed, copy)


@pytest.mark.parametrize("folder", ["work", "crops"])
def test_deleted_notes_and_crops_are_made_again(still_plate, undisturbed, copy, folder):
    shutil.rmtree(copy / folder)
    goes_on(still_plate, undisturbed, copy)


def test_one_deleted_mask_is_made_again(still_plate, undisturbed, copy):
    (copy / "masks" / "A02_nuclei.tif").unlink()
    goes_on(still_plate, undisturbed, copy)
    counts = {step["name"]: step["state"] for step in record(copy)["steps"]}
    assert counts == {"read": "reused", "segment": "done", "cells": "reused"}


@pytest.mark.parametrize("name", ["reading.json", "sites.parquet", "pixels.parquet"])
def test_a_torn_table_is_named(still_plate, copy, name):
    (copy / name).write_bytes((copy / name).read_bytes()[:-9])
    (copy / "done" / "cells.jsonl").unlink()
    shutil.rmtree(copy / "masks")
    with pytest.raises(FormatError, match=name):
        run(still_plate, copy)


def test_a_run_of_a_newer_cellwise_is_refused(still_plate, copy):
    content = {**record(copy), "format_version": 99}
    (copy / "run.json").write_text(json.dumps(content))
    with pytest.raises(FormatError, match="newer cellwise"):
        run(still_plate, copy)
    assert record(copy)["format_version"] == 99


@pytest.mark.parametrize("content", ["{}", '{"format_version": "2", "recipe": {}}'])
def test_a_record_of_another_program_is_refused(still_plate, tmp_path, content):
    out = tmp_path / "out.run"
    out.mkdir()
    (out / "run.json").write_text(content)
    with pytest.raises(PreflightError, match="not written by cellwise"):
        run(still_plate, out)
    assert [path.name for path in out.iterdir()] == ["run.json"]


def test_a_folder_with_crops_of_another_program_is_left_alone(still_plate, tmp_path):
    out = tmp_path / "out.run"
    (out / "crops").mkdir(parents=True)
    (out / "crops" / "mine.npy").write_text("years of work")
    with pytest.raises(PreflightError, match="no run of cellwise"):
        run(still_plate, out)
    assert (out / "crops" / "mine.npy").read_text() == "years of work"
    assert [path.name for path in out.iterdir()] == ["crops"]


def test_other_files_in_the_run_folder_are_kept(still_plate, undisturbed, copy):
    (copy / "notes.txt").write_text("keep me")
    (copy / "masks" / "extra.tif").write_text("and me")
    (copy / ".hidden").write_text("and me")
    assert run(still_plate, copy).exit_code == 0
    for name in ("notes.txt", "masks/extra.tif", ".hidden"):
        assert (copy / name).exists()


def test_files_under_temporary_names_are_swept_up(still_plate, undisturbed, copy):
    content = {**record(copy), "status": "running"}
    (copy / "run.json").write_text(json.dumps(content))
    left = [
        copy / "masks" / f".{'0a' * 16}.partial.tif",
        copy / f".{'0a' * 16}.partial.parquet",
        copy / "work" / "segment" / f".{'0a' * 16}.partial.parquet",
        copy / "crops" / ".A01.partial.npy",
    ]
    for path in left:
        path.write_text("half")
    bundle = copy / "models" / "cell" / f".fold0.{'0a' * 16}.partial"
    bundle.mkdir(parents=True)
    goes_on(still_plate, undisturbed, copy)
    assert not [path for path in (*left, bundle) if path.exists()]


def test_a_run_folder_where_folders_are_files_ends_with_a_message(still_plate, tmp_path):
    out = tmp_path / "out.run"
    out.mkdir()
    (out / "done").write_text("a file")
    done = call(words(still_plate, out))
    assert done.returncode in (4, 5), done.stderr
    assert "Traceback" not in done.stderr
