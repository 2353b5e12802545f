"""Tables of verdicts: both forms are understood, and what cannot be is named with its line."""

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellwise.errors import PreflightError
from cellwise.store.annotations.tables import read_verdicts

CLASSES = ("Golgi", "Cytosol")


def _read(tmp_path, text, encoding="utf-8"):
    path = tmp_path / "verdicts.csv"
    path.write_bytes(text.encode(encoding))
    os.utime(path, (86400, 86400))
    return read_verdicts(path, CLASSES, "Negative")


def _said(brought):
    return brought.rows["site_id", "cell_id", "class", "verdict"].rows()


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_a_row_for_each_class_is_read_whatever_stands_between(tmp_path, mark):
    text = (
        "Site,Cell,Class,Verdict,Annotator\ns,1,Golgi,YES,ann\ns,1,Cytosol,0,ann\ns,2.0,Golgi,?,\n"
    )
    found = _read(tmp_path, "\ufeff" + text.replace(",", mark))
    assert _said(found) == [
        ("s", 1, "Golgi", "yes"), ("s", 1, "Cytosol", "no"), ("s", 2, "Golgi", "unsure"),
    ]  # fmt: skip
    assert found.rows["who"].to_list() == ["ann", "ann", ""]
    assert set(found.rows["drawn"]) == {"import"}
    # Without a column for it the time is that of the file.
    assert set(found.rows["when"]) == {"1970-01-02T00:00:00+00:00"}


def test_a_row_for_each_cell_says_something_of_every_class(tmp_path):
    text = (
        "site_id,x,y,classes\ns,1,2,Golgi\ns,3,4,Negative\ns,5,6,\ns,7,8,?\ns,9,9,Golgi|Cytosol\n"
    )
    found = _read(tmp_path, text)
    assert found.rows["x", "class", "verdict"].rows() == [
        (1, "Golgi", "yes"), (1, "Cytosol", "no"), (3, "Golgi", "no"), (3, "Cytosol", "no"),
        (7, "Golgi", "unsure"), (7, "Cytosol", "unsure"),
        (9, "Golgi", "yes"), (9, "Cytosol", "yes"),
    ]  # fmt: skip


def test_seen_as_negative_refuses_every_class(tmp_path):
    found = _read(tmp_path, "site_id,cell_id,class,verdict\ns,1,Negative,yes\n")
    assert _said(found) == [("s", 1, "Golgi", "no"), ("s", 1, "Cytosol", "no")]


def test_rows_that_repeat_others_are_counted(tmp_path):
    found = _read(tmp_path, "site_id,cell_id,class,verdict\n" + "s,1,Golgi,yes\n" * 3)
    assert (len(found.rows), found.repeated) == (1, 2)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("site_id,cell_id,class,verdict\ns,1,Golgi,yes\ns,1,Gogli,yes\n", "line 3.*mean 'Golgi'"),
        ("site_id,cell_id,class,verdict\ns,1,Golgi,good\n", "line 2: the verdict is 'good'"),
        ("site_id,cell_id,class,verdict\ns,one,Golgi,yes\n", "line 2: cell_id is 'one'"),
        ("site_id,cell_id,class,verdict\ns,-1,Golgi,yes\n", "line 2: cell_id is '-1'"),
        ("site_id,cell_id,class,verdict\ns,1.5,Golgi,yes\n", "line 2: cell_id is '1.5'"),
        ("site_id,x,y,class,verdict\ns,nan,1,Golgi,yes\n", "line 2"),
        ("site_id,x,y,class,verdict\ns,,1,Golgi,yes\n", "line 2: no field, or neither"),
        ("site_id,cell_id,class,verdict\n,1,Golgi,yes\n", "line 2: no field, or neither"),
        ("site_id,cell_id,class,verdict\ns,1,Negative,no\n", "of 'Negative' says of no class"),
        ("site_id,cell_id,classes\ns,1,negative\n", "mean 'Negative'"),
        ("site_id,cell_id,class,verdict\ns,2,Golgi,yes\ns,0,Golgi,no\n", "line 3.*from 1"),
        ("site_id,cell_id,classes,when\ns,1,Golgi,03.02.2026\n", "line 2.*year first"),
        ("site_id,cell_id,classes,when\ns,1,Golgi,2/3/26 14:05\n", "line 2.*year first"),
        ("site_id,cell_id,classes,when\ns,1,Golgi,20260203\n", "line 2.*year first"),
        ("site_id,cell_id,classes\ns,1,Negative|Golgi\n", "stands alone"),
        ("site_id,cell_id,classes\ns,1,Golgi|ER\n", "no class 'ER'"),
        ("cell_id,class,verdict\n1,Golgi,yes\n", "need 'site_id'"),
        ("site_id,x,class,verdict\ns,1,Golgi,yes\n", "'x' and 'y' in pixels"),
        ("site_id,cell_id,class\ns,1,Golgi\n", "'class' with 'verdict'"),
        ("site_id,cell_id,class,Class,verdict\ns,1,Golgi,Cytosol,yes\n", "two columns 'class'"),
        ("site_id,cell_id,class,verdict,classes\ns,1,Golgi,no,Golgi\n", "line 2.*Keep one of both"),
        ("", "cannot be read as a table"),
        ("site_id,cell_id,classes,when\ns,1,Golgi,2026-13-45\n", "line 2.*year first"),
        ("site_id,cell_id,classes,when\ns,1,Golgi,2026-31-01\n", "line 2.*year first"),
        ("site_id,cell_id,classes,when\ns,1,Golgi,2026-02-03 09:00 PM\n", "line 2.*year first"),
        ("site_id,cell_id,classes\ns,1,|\n", "line 2: '|' names no class"),
        ("site_id,cell_id,class,verdict\ns,1,Golgi,yes\ns,2,Gol", "ends in the middle of a row"),
        ("site_id;cell_id;classes\ns;1.000;Golgi\n", "point between thousands"),
        ("site_id;x;y;classes\ns;1.018;2;Golgi\ns;3,5;2;Golgi\n", "point between thousands"),
        ("site_id,cell_id,object,classes\ns,1,1,?\ns,2,1,Golgi\n", "line 3: the column 'cell_id'"),
        ("site,image,cell,classes\ns,s,1,?\nt,s,1,?\n", "line 3: the column 'site'.*'image'"),
    ],
)  # fmt: skip
def test_what_cannot_be_understood_is_refused_with_its_place(tmp_path, text, words):
    with pytest.raises(PreflightError, match=words):
        _read(tmp_path, text)


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ("2026-02-03T9:05", "2026-02-03T10:05"),
        ("2026-02-03T09:00", "2026-02-03 10:00"),
        ("2026-02-04T01:00:00+00:00", "2026-02-03T23:30:00-05:00"),
        ("2026-02-03", "2026-02-03 00:01"),
        ("2026-02-03T10:00:00", "2026-02-03T10:00:00.5Z"),
    ],
)
def test_times_sort_as_they_follow_each_other(tmp_path, earlier, later):
    rows = f"s,1,Golgi,no,{later}\ns,1,Golgi,yes,{earlier}\n"
    found = _read(tmp_path, "site_id,cell_id,class,verdict,when\n" + rows).rows
    assert found.sort("when")["verdict"].to_list() == ["yes", "no"]


def test_two_columns_of_other_things_are_no_contradiction(tmp_path):
    text = "image,cell_id,object,class,label,verdict\ns,1,Cells,Golgi,7,yes\n"
    assert _said(_read(tmp_path, text)) == [("s", 1, "Golgi", "yes")]


def test_chance_is_chance_in_any_case_of_letters(tmp_path):
    found = _read(tmp_path, "site_id,cell_id,classes,queue\ns,1,Golgi,Random\n")
    assert set(found.rows["drawn"]) == {"random"}


def test_a_class_is_known_however_its_accents_are_coded(tmp_path):
    path = tmp_path / "v.csv"
    path.write_text("site_id,cell_id,classes\ns,1,Zu\u0308g\n")
    assert _said(read_verdicts(path, ("Z\u00fcg",), None)) == [("s", 1, "Z\u00fcg", "yes")]


ROWS = "site_id{0}x{0}y{0}classes\nÄ 01{0}1{1}5{0}20{0}Golgi\nÄ 02{0}3{0}4{1}25{0}Negative\n"


@given(
    mark=st.sampled_from(";\t,"),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252"]),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    said=st.booleans(),
    equals=st.booleans(),
)
def test_what_spreadsheets_of_any_country_write_is_read_alike(mark, encoding, end, said, equals):
    text = ROWS.format(mark, "." if mark == "," else ",")
    text = text.replace("Ä 01", '="Ä 01"') if equals else text
    text = f"sep={mark}\n{text}" if said else text
    with tempfile.TemporaryDirectory() as folder:
        found = _read(Path(folder), text.replace("\n", end), encoding)
        assert found.rows["site_id", "x", "y", "class", "verdict"].rows() == [
            ("Ä 01", 1.5, 20, "Golgi", "yes"), ("Ä 01", 1.5, 20, "Cytosol", "no"),
            ("Ä 02", 3, 4.25, "Golgi", "no"), ("Ä 02", 3, 4.25, "Cytosol", "no"),
        ]  # fmt: skip
        wrong = text.replace("Negative", "Golgy").replace("\n", end)
        with pytest.raises(PreflightError, match=f"line {4 if said else 3}.*mean 'Golgi'"):
            _read(Path(folder), wrong, encoding)


def test_no_text_and_no_file_are_refused(tmp_path):
    (tmp_path / "verdicts.csv").write_bytes(b"PK\x03\x04\x81\x00\xff")
    with pytest.raises(PreflightError, match="CSV in UTF-8"):
        read_verdicts(tmp_path / "verdicts.csv", CLASSES, None)
    with pytest.raises(PreflightError, match="there is no file"):
        read_verdicts(tmp_path / "none.csv", CLASSES, None)
