"""Labels in several columns, tables that are no list of rows, doses with a column of units."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.stages.read.read_folders import put, put_table, read

from cellwise.errors import BadOption, PreflightError
from cellwise.stages.read._tables import LabelTable
from cellwise.stages.read.label_columns import join_label_columns

WELLS = ("A01", "A02", "B01", "B02")


@pytest.fixture(scope="module")
def plate(tmp_path_factory):
    folder = tmp_path_factory.mktemp("plate")
    return put(folder, *(f"{w}_{c}.png" for w in WELLS for c in ("dna", "gfp")))


def table_of(tmp_path, header, *rows):
    return str(put_table(tmp_path / "l.csv", header, *rows))


CLASSES = ("ER", "Golgi", "Lysosome")


@given(st.lists(st.tuples(*[st.booleans()] * 3), min_size=1, max_size=6), st.data())
def test_columns_of_0_and_1_are_the_classes_that_hold_1(rows, data):
    spelled = {False: ("0", "0.0", "False", "no", ""), True: ("1", "1.0", "TRUE", "yes")}
    texts = [
        {n: data.draw(st.sampled_from(spelled[v])) for n, v in zip(CLASSES, row, strict=True)}
        for row in [*rows, (True, True, True)]
    ]
    table = LabelTable(Path("l.csv"), CLASSES, tuple(texts))
    joined = join_label_columns(table, "ER,Golgi,Lysosome")
    for row, found in zip(rows, joined.rows, strict=False):
        expected = {name for name, value in zip(CLASSES, row, strict=True) if value}
        assert set(filter(None, found["ER,Golgi,Lysosome"].split("|"))) == expected
    empty = sum(not any(row) for row in rows)
    assert (f"rows without any: {empty}" in joined.notes[-1]) == (empty > 0)


@pytest.mark.parametrize(
    "names", [("label1", "label2"), ("Label", "Label_2"), ("class_1", "class 2")]
)
def test_numbered_label_columns_are_proposed_and_taken_together(plate, tmp_path, names):
    rows = (("A01", "ER", "Golgi"), ("A02", "ER", ""), ("B01", "NA", "Golgi"))
    table = table_of(tmp_path, ("well", *names), *rows)
    with pytest.raises(PreflightError, match=f"read.label={','.join(names)}"):
        read(plate, labels=table)
    reading = read(plate, labels=table, label=",".join(names))
    assert [site.labels for site in reading.sites] == [("ER", "Golgi"), ("ER",), ("Golgi",), None]


def test_columns_of_0_and_1_are_never_proposed_one_by_one(plate, tmp_path):
    table = table_of(tmp_path, ("well", "ER", "Golgi", "age"), ("A01", 1, 0, 5), ("A02", 1, 1, 7))
    with pytest.raises(PreflightError, match=r"'ER' and 'Golgi' could .*read\.label=ER,Golgi$"):
        read(plate, labels=table)
    with pytest.raises(BadOption, match="columns of one kind"):
        read(plate, labels=table, label="ER,age")


@pytest.mark.parametrize("name", ["label", "Class", "treatment", "genotype"])
@pytest.mark.parametrize("beside", [("batch",), ("control", "replicate")])
def test_a_label_column_of_0_and_1_beside_others_of_0_and_1_is_the_label(
    plate, tmp_path, name, beside
):
    rows = [(well, place % 2, *(1 for _ in beside)) for place, well in enumerate(WELLS)]
    reading = read(plate, labels=table_of(tmp_path, ("well", name, *beside), *rows))
    assert reading.classes.names == ("0", "1")
    assert [site.labels for site in reading.sites] == [("0",), ("1",)] * 2


def test_a_single_label_column_is_no_group(plate, tmp_path):
    table = table_of(tmp_path, ("well", "label", "flag", "used"), ("A01", "x", 1, 0))
    assert read(plate, labels=table).sites[0].labels == ("x",)


def test_a_table_without_column_names_is_refused_before_its_first_row_is_lost(plate, tmp_path):
    for first in (("A01", "x"), ("A01_dna.png", "x"), ("x", "b2")):
        table = table_of(tmp_path, first, ("A02", "y"))
        with pytest.raises(PreflightError, match="no line of column names"):
            read(plate, labels=table)


def test_a_plate_map_drawn_as_a_plate_is_refused_as_such(plate, tmp_path):
    for numbers in (range(1, 13), ("01", "02", "03")):
        table = table_of(tmp_path, ("", *numbers), ("A", *("x" for _ in numbers)))
        with pytest.raises(PreflightError, match="drawn as a plate"):
            read(plate, labels=table)


def test_a_title_above_the_column_names_is_named(plate, tmp_path):
    table = table_of(tmp_path, ("Map of May",), ("well", "label"), ("A01", "x"))
    with pytest.raises(PreflightError, match="remove what is above them"):
        read(plate, labels=table)


def test_a_row_for_each_label_of_a_field_is_refused_with_the_cure(plate, tmp_path):
    rows = [(well, label) for well in WELLS[:3] for label in ("ER", "Golgi")]
    table = table_of(tmp_path, ("well", "label"), *rows, ("B02", "ER"))
    with pytest.raises(PreflightError, match=r"3 of 4 fields have several rows.*one row as a\|b"):
        read(plate, labels=table)


def test_one_slip_among_many_rows_is_named_and_not_refused(plate, tmp_path):
    table = table_of(tmp_path, ("well", "label"), *zip(WELLS, "xyxy", strict=True), ("A01", "y"))
    reading = read(plate, labels=table)
    (problem,) = reading.problems
    assert problem.code == "label_contradiction"
    assert "x|y" in problem.remedy


@pytest.mark.parametrize("unit", ["dose_unit", "Dose Units", "unit"])
def test_units_of_a_column_of_their_own_count(plate, tmp_path, unit):
    rows = (("A01", "x", 10, "nM"), ("A02", "x", 0.1, "uM"), ("B01", "x", "NA", "uM"))
    reading = read(plate, labels=table_of(tmp_path, ("well", "label", "dose", unit), *rows))
    assert [site.metadata.get("dose") for site in reading.sites][:2] == ["10 nM", "0.1 uM"]
    assert any("dose is read as numbers in" in note for note in reading.notes)
    assert not reading.problems


def test_units_are_written_to_plain_numbers_only(plate, tmp_path):
    rows = (("A01", "x", "10 nM", "nM"), ("A02", "x", "1e-1", "uM"), ("B01", "x", "none", "nM"))
    reading = read(plate, labels=table_of(tmp_path, ("well", "label", "dose", "unit"), *rows))
    doses = [site.metadata.get("dose") for site in reading.sites]
    assert doses[:2] == ["10 nM", "1e-1 uM"]
    assert doses[2] in (None, "none")


@pytest.mark.parametrize(
    ("key", "label", "first"),
    [
        ("Id", "Target", "5"),
        ("image", "label", "5"),
        ("ID", "Label", "Nuclear bodies"),
    ],
)
def test_numbers_are_classes_of_hpa19_only_in_the_table_of_that_challenge(
    tmp_path, key, label, first
):
    colours = ("red", "green", "blue", "yellow")
    folder = put(tmp_path / "in", *(f"{i}f_{c}.png" for i in (1, 2) for c in colours))
    table = table_of(tmp_path, (key, label), ("1f", "5"), ("2f", "0"))
    reading = read(folder, labels=table)
    assert reading.layout == "hpa"
    assert reading.sites[0].labels == (first,)
