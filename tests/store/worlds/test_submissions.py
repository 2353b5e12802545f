"""Submission files of strangers: what is right is read, what is wrong is named with its line."""

import gzip
import string
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.truths import submission_rows, write_submission

from cellwise.errors import CellwiseError, FormatError
from cellwise.store.worlds.raw_lines import is_ended
from cellwise.store.worlds.submissions import (
    HPA_COLUMNS,
    RXRX1_COLUMNS,
    read_hpa_submission,
    read_rxrx1_submission,
    refuse_faults,
    submission_kind,
)

EMPTY = "eNoLCAgIMAEABJkBdQ=="


def test_each_text_is_kept_once(tmp_path):
    path = write_submission(tmp_path / "s.csv", submission_rows(sites=4, cells=3))
    submission = read_hpa_submission(path)
    assert submission.faults == ()
    assert [row.raw_id for row in submission.rows] == ["f01", "f03"]
    row = submission.rows[0]
    assert (row.line, row.width, row.height) == (2, 40, 40)
    # Three cells, three classes each: nine predictions, three texts.
    assert row.kinds.tolist() == [0, 7, 18] * 3
    assert row.masks.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert len(row.texts) == 3


def test_fields_without_predictions_need_no_size(tmp_path):
    path = write_submission(tmp_path / "s.csv", [["a", "", "", ""], ["b", "9", "8", ""]])
    rows = read_hpa_submission(path).rows
    assert [(row.width, row.height, len(row.kinds)) for row in rows] == [(None, None, 0), (9, 8, 0)]


@pytest.mark.parametrize(
    ("row", "code", "words"),
    [
        (["b", "8", "8", "0 1"], "word_count", "2 words are no triples"),
        (["b", "8", "8", f"0 1 {EMPTY} 0"], "word_count", "4 words"),
        (["b", "8", "8", f"19 1 {EMPTY}"], "unknown_class", "class '19' is not in 0..18"),
        (["b", "8", "8", f"-1 1 {EMPTY}"], "unknown_class", "class '-1'"),
        (["b", "8", "8", f"0.0 1 {EMPTY}"], "unknown_class", "class '0.0'"),
        (["b", "8", "8", f"0 nan {EMPTY}"], "confidence", "'nan' is not finite"),
        (["b", "8", "8", f"0 inf {EMPTY}"], "confidence", "'inf' is not finite"),
        (["b", "8", "8", f"0 sure {EMPTY}"], "confidence", "sure"),
        (["b", "8", "8", f"0 1_0 {EMPTY}"], "confidence", "'1_0'"),
        (["b", "8", "8", f"0 ٣ {EMPTY}"], "confidence", "'٣'"),
        (["", "8", "8", f"0 1 {EMPTY}"], "no_id", "no id"),
        (["b", "0", "8", f"0 1 {EMPTY}"], "image_size", "'0' is no image size"),
        (["b", "8.0", "8", f"0 1 {EMPTY}"], "image_size", "'8.0'"),
        (["b", "", "8", f"0 1 {EMPTY}"], "image_size", "''"),
        (["b", "8", "99999999", f"0 1 {EMPTY}"], "image_size", "99999999"),
        (["a", "8", "8", ""], "duplicate_row", "stands already in line 2"),
    ],
)
def test_a_faulty_row_is_named(tmp_path, row, code, words):
    path = write_submission(tmp_path / "s.csv", [["a", "8", "8", ""], row, [*row[:3], "0 1"]])
    faults = read_hpa_submission(path).faults
    assert (faults[0].line, faults[0].code) == (3, code)
    assert words in faults[0].reason
    with pytest.raises(FormatError, match=r"line 3 .* 1 more rows are faulty"):
        refuse_faults(path, faults)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("cut", ["b", "b,8", "b,8,8"])
def test_a_row_that_is_cut_is_no_field_without_cells(tmp_path, cut, end):
    path = tmp_path / "s.csv"
    whole = ["ID,ImageWidth,ImageHeight,PredictionString", "a,8,8,", "", cut]
    path.write_bytes(end.join(whole).encode())
    found = read_hpa_submission(path)
    # Blank lines are nothing, and count in the numbers of lines.
    assert [(one.line, one.raw_id, one.code) for one in found.faults] == [(4, "b", "cut_row")]
    assert [row.raw_id for row in found.rows] == ["a"]
    assert not is_ended(path)
    path.write_bytes(end.join([*whole[:2], "b,8,8,", ""]).encode())
    assert read_hpa_submission(path).faults == ()
    assert is_ended(path)


def test_a_compressed_table_has_no_lines_to_be_cut(tmp_path):
    text = "ID,ImageWidth,ImageHeight,PredictionString\na,8,8,\n"
    (tmp_path / "s.csv").write_bytes(gzip.compress(text.encode()))
    assert read_hpa_submission(tmp_path / "s.csv").faults == ()
    assert is_ended(tmp_path / "s.csv")


def test_a_header_alone_answers_nothing(tmp_path):
    for header, read in (
        (HPA_COLUMNS, lambda path: read_hpa_submission(path).faults),
        (RXRX1_COLUMNS, lambda path: read_rxrx1_submission(path)[1]),
    ):
        path = write_submission(tmp_path / "s.csv", [], header=header)
        assert [(one.line, one.code) for one in read(path)] == [(1, "no_row")]


def test_files_that_are_no_submission(tmp_path):
    path = tmp_path / "s.csv"
    for text, words in (
        ("", "it is empty"),
        ("ID,ImageWidth,PredictionString\n", "column ImageHeight is missing"),
        ("id_code,label\n", "column sirna is missing"),
        ("a,b\n1,2\n", "is no submission file"),
        ("ID;ImageWidth;ImageHeight;PredictionString\n", "semicolons stand between"),
        ("id_code\tsirna\n", "tabs stand between"),
        ("ID,sirna" + "x" * 90_000 + "\n", "is missing .found: ID, sirnax{35}.. Write"),
        ("ID,ImageWidth,ImageHeight,PredictionString\na,1,1,x,y,z\n", "cannot be read as a table"),
    ):
        path.write_text(text)
        with pytest.raises(FormatError, match=words):
            submission_kind(path)


def test_the_kind_is_told_from_the_header(tmp_path):
    write_submission(tmp_path / "hpa.csv", [])
    write_submission(tmp_path / "rxrx1.csv", [["a", "1"]], header=("id_code", "sirna"))
    assert submission_kind(tmp_path / "hpa.csv") == "hpa"
    assert submission_kind(tmp_path / "rxrx1.csv") == "rxrx1"


def test_wells_that_are_listed_twice_or_have_no_answer(tmp_path):
    rows = [["a", "1"], ["b", ""], ["a", "2"], ["c", " 3 "]]
    path = write_submission(tmp_path / "s.csv", rows, header=("id_code", "sirna"))
    table, faults = read_rxrx1_submission(path)
    assert table.rows() == [(2, "a", "1"), (5, "c", "3")]
    assert [(fault.line, fault.code) for fault in faults] == [(3, "no_class"), (4, "duplicate_row")]


WORDS = st.one_of(
    st.sampled_from(
        ["0", "18", "19", "1", "0.5", "nan", "-inf", "1e999", "1_0", EMPTY, "===", "٣"]
    ),
    st.text(string.printable, max_size=6),
)
FIELDS = st.one_of(
    st.sampled_from(["f00", "f01", "f03", "40", "0", "-1", "²"]),
    st.text(max_size=6),
    st.lists(WORDS, max_size=7).map(" ".join),
)


@given(st.lists(st.lists(FIELDS, min_size=1, max_size=5), max_size=5))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_in_a_file_it_is_read_or_refused(tmp_path, rows):
    path = write_submission(tmp_path / "fuzz.csv", rows)
    for read in (submission_kind, read_hpa_submission, read_rxrx1_submission):
        with suppress(CellwiseError):
            read(path)


@given(st.binary(max_size=200))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_bytes_of_any_kind_are_read_or_refused(tmp_path, content):
    path = tmp_path / "fuzz.csv"
    for head in (b"", b"ID,ImageWidth,ImageHeight,PredictionString\n", b"id_code,sirna\n"):
        path.write_bytes(head + content)
        for read in (submission_kind, read_hpa_submission, read_rxrx1_submission):
            with suppress(CellwiseError):
                read(path)
