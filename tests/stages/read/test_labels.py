"""Labels find their fields whatever the table looks like, and what does not fit is named."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.stages.read.read_folders import by_id, codes, put, put_table, read

from cellwise.errors import BadOption, PreflightError
from cellwise.stages.read._tables import read_label_table

WELLS = ("A01", "A02", "B01")


@pytest.fixture
def plate(tmp_path):
    return put(tmp_path / "plate", *(f"{w}_{c}.png" for w in WELLS for c in ("dna", "gfp")))


def labelled(reading):
    return {site.id: site.labels for site in reading.sites}


@pytest.mark.parametrize("key", ["well", "Well", "site_id", "ID", "image"])
@pytest.mark.parametrize("label", ["label", "Label", "labels"])
def test_the_known_columns_are_found_by_name(plate, tmp_path, key, label):
    table = put_table(
        tmp_path / "l.csv", (key, label, "Drug"), ("A01", "b|a", "x"), ("A02", "", "y")
    )
    reading = read(plate, labels=str(table))
    assert labelled(reading) == {"A01": ("a", "b"), "A02": None, "B01": None}
    sites = by_id(reading)
    assert sites["A01"].metadata["Drug"] == "x"
    assert {i: s.part for i, s in sites.items()} == {
        "A01": "train",
        "A02": "unlabelled",
        "B01": "unlabelled",
    }
    assert reading.unlabelled == ("B01",)
    assert reading.counts["images_without_label"] == 1
    assert reading.counts["sites_labelled"] == 1


@pytest.mark.parametrize("well", ["a1", " A01 ", "A-01", "A1", "a01"])
def test_wells_are_the_same_however_they_are_written(plate, tmp_path, well):
    table = put_table(tmp_path / "l.csv", ("well", "label"), (well, "x"))
    assert labelled(read(plate, labels=str(table)))["A01"] == ("x",)


@pytest.mark.parametrize(
    "text",
    ["A01_dna.png", "/far/plate/A01_dna.png", "a01_DNA", ".\\A01_dna.png", "A01", "A01_gfp.tif"],
    ids=repr,
)
def test_a_field_may_be_called_by_its_file(plate, tmp_path, text):
    table = put_table(tmp_path / "l.csv", ("file", "label"), (text, "x"))
    assert labelled(read(plate, labels=str(table))) == {"A01": ("x",), "A02": None, "B01": None}


def test_a_path_that_leads_elsewhere_names_nothing(plate, tmp_path):
    table = put_table(tmp_path / "l.csv", ("file", "label"), ("plate/../A01", "x"))
    with pytest.raises(PreflightError, match=r"labels none of the 3.*'plate/../A01'"):
        read(plate, labels=str(table))


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_spreadsheet_forms_are_understood(plate, tmp_path, delimiter, encoding):
    table = put_table(
        tmp_path / "l.csv",
        ("well", "label", "note"),
        ("A01", "Zellkörper", f"a{delimiter}b"),
        delimiter=delimiter,
        encoding=encoding,
    )
    reading = read(plate, labels=str(table))
    assert labelled(reading)["A01"] == ("Zellkörper",)
    assert by_id(reading)["A01"].metadata["note"] == f"a{delimiter}b"
    assert any("Windows-1252" in note for note in reading.notes) == (encoding == "cp1252")


def test_a_column_of_words_is_proposed_before_one_of_numbers(plate, tmp_path):
    rows = (("A01", "x1", 3, "low"), ("A02", "x2", 0, "high"), ("A03", "x3", 3, "low"))
    table = put_table(tmp_path / "l.csv", ("well", "remark", "step", "arm"), *rows)
    with pytest.raises(PreflightError) as refused:
        read(plate, labels=str(table))
    assert str(refused.value).endswith("--set read.label=arm")


def test_all_that_is_open_is_said_at_once_with_one_line_that_settles_it(plate, tmp_path):
    table = put_table(
        tmp_path / "l.csv", ("place", "drug", "gene"), ("A01", "x", "g"), ("A02",) * 3
    )
    with pytest.raises(PreflightError) as refused:
        read(plate, labels=str(table))
    said = str(refused.value)
    assert "'place'" in said
    assert "'drug' or 'gene'" in said
    assert said.endswith("--set read.key=place --set read.label=drug")
    reading = read(plate, labels=str(table), key="place", label="drug")
    assert labelled(reading)["A01"] == ("x",)
    assert by_id(reading)["A01"].metadata["gene"] == "g"


def test_two_label_columns_are_both_named(plate, tmp_path):
    header = ("image", "well", "label", "labels")
    table = put_table(tmp_path / "l.csv", header, ("A01_dna.png", "A01", "x", "y"))
    with pytest.raises(PreflightError, match=r"'label' or 'labels'.*--set read\.label=label$"):
        read(plate, labels=str(table))
    assert labelled(read(plate, labels=str(table), label="labels"))["A01"] == ("y",)


def test_missing_and_unknown_columns_are_named(plate, tmp_path):
    table = put_table(tmp_path / "l.csv", ("place", "control"), ("A01", "positive"))
    with pytest.raises(PreflightError, match=r"columns place, control\."):
        read(plate, labels=str(table), key="place")
    with pytest.raises(BadOption, match="no column 'plce'"):
        read(plate, labels=str(table), key="plce")
    with pytest.raises(BadOption, match="cannot be both"):
        read(plate, labels=str(table), key="place", label="place")
    reading = read(plate, labels=str(table), key="place", label="control")
    assert labelled(reading)["A01"] == ("positive",)


def test_a_labels_file_that_is_none_is_refused(plate, tmp_path):
    with pytest.raises(BadOption, match="no labels file"):
        read(plate, labels=str(tmp_path / "none.csv"))
    (tmp_path / "x.csv").write_bytes(b"PK\x03\x04rest")
    with pytest.raises(PreflightError, match="spreadsheet"):
        read(plate, labels=str(tmp_path / "x.csv"))
    (tmp_path / "e.csv").write_text("\n")
    with pytest.raises(PreflightError, match="empty"):
        read(plate, labels=str(tmp_path / "e.csv"))
    put_table(tmp_path / "t.csv", ("well", "label", "label"), ("A01", "x", "y"))
    with pytest.raises(PreflightError, match="'label' twice"):
        read(plate, labels=str(tmp_path / "t.csv"))
    with pytest.raises(BadOption, match="--labels"):
        read(plate, key="well")


def test_rows_without_image_malformed_and_doubled_rows_are_listed_and_counted(plate, tmp_path):
    table = tmp_path / "l.csv"
    table.write_text("well,label\nA01,x\nA01,x\nA02,x\nA02,y\nB01,x,z\nH12,x\nH11,\n\n")
    reading = read(plate, labels=str(table))
    assert codes(reading) == ["label_row_malformed", "label_without_image", "label_contradiction"]
    assert labelled(reading) == {"A01": ("x",), "A02": None, "B01": None}
    assert reading.counts["label_rows_doubled"] == 2
    assert reading.counts["labels_without_image"] == 1
    assert not any(problem.set_aside for problem in reading.problems)
    (absent,) = [p for p in reading.problems if p.code == "label_without_image"]
    assert "'H12'" in absent.reason


def test_labels_in_another_order_do_not_contradict(plate, tmp_path):
    table = put_table(tmp_path / "l.csv", ("well", "label"), ("A01", "a|b"), ("A01", "b | a"))
    assert codes(read(plate, labels=str(table))) == []


def test_negative_stands_alone(plate, tmp_path):
    table = put_table(
        tmp_path / "l.csv", ("well", "label"), ("A01", "x|Negative"), ("A02", "Negative")
    )
    reading = read(plate, labels=str(table))
    assert codes(reading) == ["label_contradiction"]
    assert labelled(reading)["A01"] is None
    assert labelled(reading)["A02"] == ("Negative",)
    assert reading.classes.negative == "Negative"


def test_labels_outside_the_declared_classes_are_refused(plate, tmp_path):
    table = put_table(tmp_path / "l.csv", ("well", "label"), ("A01", "18"), ("A02", "19"))
    with pytest.raises(PreflightError, match=r"1 label not among the 19 classes of hpa19: '19'"):
        read(plate, labels=str(table), classes="hpa19")
    words = put_table(tmp_path / "w.csv", ("well", "label"), ("A01", "a"), ("A02", "c"))
    with pytest.raises(PreflightError, match="'c'"):
        read(plate, labels=str(words), classes="a|b")
    assert read(plate, labels=str(words), classes="a|b|c").classes.names == ("a", "b", "c")


def test_whole_numbers_without_a_list_are_classes_in_the_order_of_numbers(plate, tmp_path):
    rows = [("A01", "10"), ("A02", "2"), ("B01", "1")]
    table = put_table(tmp_path / "l.csv", ("well", "label"), *rows)
    reading = read(plate, labels=str(table))
    assert reading.classes.names == ("1", "2", "10")
    assert labelled(reading) == {"A01": ("10",), "A02": ("2",), "B01": ("1",)}


@pytest.fixture
def two_plates(tmp_path):
    names = [f"P{p}/{w}_{c}.png" for p in (1, 2) for w in WELLS for c in ("dna", "gfp")]
    return put(tmp_path / "two", *names)


def test_a_plate_column_tells_equal_wells_apart(two_plates, tmp_path):
    rows = [("p1", "A01", "x"), ("P2 ", "A01", "y"), ("P3", "A01", "z")]
    table = put_table(tmp_path / "l.csv", ("plate", "well", "label"), *rows)
    reading = read(two_plates, labels=str(table))
    found = labelled(reading)
    assert (found["P1_A01"], found["P2_A01"]) == (("x",), ("y",))
    assert codes(reading) == ["label_without_image"]


def test_labels_for_one_plate_leave_the_other_unlabelled(two_plates, tmp_path):
    table = put_table(tmp_path / "l.csv", ("plate", "well", "label"), ("P2", "A01", "y"))
    found = labelled(read(two_plates, labels=str(table)))
    assert (found["P1_A01"], found["P2_A01"]) == (None, ("y",))


def test_wells_without_plate_are_those_of_all_plates_and_this_is_said(two_plates, tmp_path):
    table = put_table(tmp_path / "l.csv", ("well", "label"), ("A01", "x"))
    reading = read(two_plates, labels=str(table))
    assert labelled(reading)["P1_A01"] == labelled(reading)["P2_A01"] == ("x",)
    assert any("names no plate" in note for note in reading.notes)


def test_one_plate_on_each_side_is_the_same_plate(plate, tmp_path):
    table = put_table(tmp_path / "l.csv", ("plate", "well", "label"), ("Plate_7", "A1", "x"))
    reading = read(plate, labels=str(table))
    assert labelled(reading)["A01"] == ("x",)
    assert by_id(reading)["A01"].metadata["Plate"] == "Plate_7"


def test_a_plate_and_well_may_be_one_text(two_plates, tmp_path):
    table = put_table(tmp_path / "l.csv", ("id", "label"), ("P2_A01", "y"))
    assert labelled(read(two_plates, labels=str(table)))["P2_A01"] == ("y",)


def test_tables_inside_the_folder_are_mentioned_and_not_used(plate):
    put_table(plate / "wells.csv", ("well", "label"), ("A01", "x"))
    reading = read(plate)
    assert reading.classes is None
    assert any("wells.csv" in note and "--labels" in note for note in reading.notes)


def test_declared_labels_can_be_ignored(tmp_path):
    put(tmp_path, "k/a.tif", "l/b.tif")
    assert read(tmp_path).classes.names == ("k", "l")
    reading = read(tmp_path, layout="class_folders", declared="ignore")
    assert reading.classes is None
    assert {site.part for site in reading.sites} == {"unlabelled"}


def test_row_numbers_in_messages_are_those_of_the_file(tmp_path):
    (tmp_path / "l.csv").write_text("well,label\nA01,x\nA02,y,z\n")
    (problem,) = read_label_table(tmp_path / "l.csv").problems
    assert problem.path == "l.csv, row 3"


FORMS = {
    "trailing columns": "well,label,,\nA01,x,,\nA02,y\n".replace("A02,y\n", "A02,y,,\n"),
    "blanks and quotes": '  Well , "Label" \n A01 , "x" \n"A02", y\n',
    "remarks": "# plate 3\n# by hand, in May\n\nwell\tlabel\nA01\tx\nA02\ty\n",
    "excel's own": 'sep=;\nwell;label\n="A01";x\nA02;y;\n',
    "longer rows of nothing": "well,label\nA01,x,,,\nA02,y\n\n,\n",
}


@pytest.mark.parametrize("text", FORMS.values(), ids=FORMS)
def test_what_spreadsheets_leave_behind_does_not_matter(plate, tmp_path, text):
    (tmp_path / "l.txt").write_text(text)
    reading = read(plate, labels=str(tmp_path / "l.txt"))
    assert labelled(reading) == {"A01": ("x",), "A02": ("y",), "B01": None}
    assert codes(reading) == []


def test_an_old_spreadsheet_is_refused(plate, tmp_path):
    (tmp_path / "l.csv").write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")
    with pytest.raises(PreflightError, match="spreadsheet"):
        read(plate, labels=str(tmp_path / "l.csv"))


def test_doses_that_cannot_be_read_are_counted(plate, tmp_path):
    rows = [("A01", "x", "0,3 nM"), ("A02", "y", "a lot"), ("B01", "x", "NA")]
    table = put_table(tmp_path / "l.csv", ("well", "label", "Concentration"), *rows)
    reading = read(plate, labels=str(table))
    (problem,) = reading.problems
    assert problem.code == "dose_unreadable"
    assert "Concentration: 1 of 3 rows without a number that can be read in nM: 'a lot' (1)" in (
        problem.reason
    )
    assert "Concentration is read as numbers in nM." in reading.notes


def test_well_types_in_unknown_words_are_named(plate, tmp_path):
    rows = [("A01", "x", "Vehikel", ""), ("A02", "y", "n/a", "negcon"), ("B01", "x", "dmso", "no")]
    table = put_table(tmp_path / "l.csv", ("well", "label", "Well_Type", "control"), *rows)
    reading = read(plate, labels=str(table))
    (problem,) = reading.problems
    assert (problem.code, problem.path) == ("well_type_unknown", str(table))
    assert not problem.set_aside
    # What another column says in a known word is known.
    assert "of 1 site it says" in problem.reason
    assert "'Vehikel' (1). They count as neither" in problem.reason
    assert "negative_control" in problem.remedy


@given(
    st.lists(
        st.tuples(st.sampled_from(WELLS), st.text("aZ é", min_size=1, max_size=4)), min_size=1
    ),
    st.sampled_from(["\n", "\r", "\r\n"]),
    st.sampled_from([",", ";", "\t"]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"]),
    st.sampled_from(["", " ", "\u00a0"]),
)
def test_a_table_says_the_same_however_it_is_saved(
    tmp_path_factory, rows, ending, mark, encoding, blank
):
    lines = [("well", "label"), *rows]
    text = ending.join(f"{a}{blank}{mark}{blank}{b}{blank}" for a, b in lines) + ending
    path = tmp_path_factory.mktemp("t") / "l.csv"
    path.write_bytes(text.encode(encoding))
    table = read_label_table(path)
    assert table.columns == ("well", "label")
    assert [(r["well"], r["label"]) for r in table.rows] == [(a, b.strip()) for a, b in rows]


def test_a_web_page_saved_as_a_spreadsheet_is_one(tmp_path):
    path = tmp_path / "l.xls"
    path.write_text("\n<html><table><tr><td>well</td></tr></table></html>")
    with pytest.raises(PreflightError, match="spreadsheet"):
        read_label_table(path)


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("well|label\nA01|x\n", ("well", "label")),
        ("well;label;note (a, b, c)\nA01;x;\nA02;y;1,5\n", ("well", "label", "note (a, b, c)")),
        ("well,label,dose; in uM\nA01,x,1\n", ("well", "label", "dose; in uM")),
        ("ID,Label\n1f,0|5\n", ("ID", "Label")),
        ('well,label\nA01,"x\ny"\n', ("well", "label")),
        ('well,note,label\nA01,"line\nmore, and more, again",x\n', ("well", "note", "label")),
        (f"well,label,sequence\nA01,x,{'ACGT' * 40000}\n", ("well", "label", "sequence")),
    ],
)
def test_what_stands_between_columns_is_what_all_lines_agree_on(tmp_path, text, columns):
    path = tmp_path / "l.csv"
    path.write_text(text)
    table = read_label_table(path)
    assert table.columns == columns
    assert not table.problems
    assert table.rows


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("well;label\nA01,x\nA02,y\n", "no row has as many values"),
        ('well,label\nA01,"x\nA02,y\nA03,z\n', "before row 4: a quotation mark is not closed"),
        ('well,label,note\nA01,x,"5 in\nA02,y,\nA03,z,\n', "before row 4: a quotation mark"),
        ('well,label,note\nA01,x,"5\nA02,y,\nA03,z,"\nB01,x,\n', "before row 4: a quotation"),
        ('well,label,note,\nA01,x,"5 in,\n\nA02,y\n', "before row 4: a quotation mark"),
        ('[{"well": "A01"}]', "JSON"),
        ("PAR1xPAR1", "Parquet"),
    ],
)
def test_a_table_that_would_lose_its_rows_is_refused(tmp_path, text, words):
    path = tmp_path / "l.csv"
    path.write_text(text)
    with pytest.raises(PreflightError, match=words):
        read_label_table(path)


@pytest.mark.parametrize("spelled", ["{}", "t{:02d}", "T{:04d}", "{}.0", "frame {}"])
def test_labels_of_time_points_are_joined_on_their_time(tmp_path, spelled):
    folder = tmp_path / "in"
    put(folder, *(f"{w}_t{t}_{c}.png" for w in WELLS for t in (3, 4) for c in ("dna", "gfp")))
    rows = [(w, spelled.format(t), "early" if t == 3 else "late") for w in WELLS for t in (3, 4)]
    table = put_table(tmp_path / "l.csv", ("well", "time", "label"), *rows)
    sites = read(folder, labels=str(table), time="each").sites
    assert len(sites) == 6
    for site in sites:
        assert site.labels == ("early" if site.metadata["TimePoint"] == "3" else "late",)


def test_hours_of_treatment_are_no_time_points(plate, tmp_path):
    rows = [(w, 24, w[0]) for w in WELLS]
    table = put_table(tmp_path / "l.csv", ("well", "time", "label"), *rows)
    reading = read(plate, labels=str(table))
    assert [site.labels for site in reading.sites] == [("A",), ("A",), ("B",)]
    assert {site.metadata["time"] for site in reading.sites} == {"24"}


@pytest.mark.parametrize(("cell", "text"), [('"=""01"""', "01"), ("=a+b", "=a+b"), ("=", "=")])
def test_only_the_quoted_form_of_excel_loses_its_sign(tmp_path, cell, text):
    (tmp_path / "l.csv").write_text(f"well,label\nA01,{cell}\n")
    assert read_label_table(tmp_path / "l.csv").rows[0]["label"] == text
