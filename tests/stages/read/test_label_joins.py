"""A row of a labels file labels the fields that its columns name, and never another."""

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.stages.read.read_folders import by_id, codes, put, put_table, read

from cellwise.domain.records import Site
from cellwise.errors import BadOption, PreflightError
from cellwise.stages.read._fields import Fields
from cellwise.stages.read._keys import find_keys
from cellwise.stages.read._labels import join_labels
from cellwise.stages.read._tables import LabelTable

WELLS, STAINS = ("A01", "A02"), ("dna", "gfp")


@pytest.fixture
def fields(tmp_path):
    """One plate, two wells of two fields each."""
    names = [f"{w}_s{s}_{c}.png" for w in WELLS for s in (1, 2) for c in STAINS]
    return put(tmp_path / "fields", *names)


@pytest.fixture
def plates(tmp_path):
    """Two plates with bar codes, two wells each."""
    names = [f"CP07{p}/{w}_{c}.png" for p in (1, 2) for w in WELLS for c in STAINS]
    return put(tmp_path / "plates", *names)


def labels_of(folder, tmp_path, *rows, **options):
    table = put_table(tmp_path / "l.csv", *rows)
    return {s.id: s.labels for s in read(folder, labels=str(table), **options).sites}


@pytest.mark.parametrize("name", ["site", "Metadata_Site", "field", "FOV", "Field ID"])
@pytest.mark.parametrize("spelled", ["{}", "00{}", "s{}", "{}.0", "Field {}"])
def test_fields_of_one_well_may_differ(fields, tmp_path, name, spelled):
    rows = [(w, spelled.format(s), f"k{s}") for w in ("A1", "a02") for s in (1, 2)]
    found = labels_of(fields, tmp_path, ("Well Position", name, "class"), *rows)
    assert found == {f"{w}_{s}": (f"k{s}",) for w in WELLS for s in (1, 2)}


@pytest.mark.parametrize(
    ("name", "plate"),
    [
        ("plate", "CP071"),
        ("Metadata_Plate", "cp071 "),
        ("Assay_Plate_Barcode", "CP071"),
        ("barcode", "Plate_CP071"),
        ("cassette", "CP071"),
        ("plate", "CP71"),
        ("plate", "71"),
    ],
)
def test_rows_of_one_plate_leave_the_other_alone(plates, tmp_path, name, plate):
    found = labels_of(plates, tmp_path, (name, "well", "label"), (plate, "A1", "x"))
    assert {k: v for k, v in found.items() if v} == {"CP071_A01": ("x",)}


def test_a_plate_may_be_called_by_the_last_or_first_words_of_its_folder(tmp_path):
    names = [f"wk4_{p}__run/{w}_{c}.png" for p in (81, 82) for w in WELLS for c in STAINS]
    folder = put(tmp_path / "in", *names)
    rows = [("wk4_82", "A01", "x"), ("wk4_81", "A01", "y")]
    found = labels_of(folder, tmp_path, ("plate", "well", "label"), *rows)
    assert {k: v for k, v in found.items() if v} == {
        "wk4_81__run_A01": ("y",),
        "wk4_82__run_A01": ("x",),
    }


def test_a_folder_of_one_plate_may_be_called_as_it(tmp_path):
    folder = put(tmp_path / "CP072", *(f"{w}_{c}.png" for w in WELLS for c in STAINS))
    rows = [("CP071", "A01", "x"), ("CP072", "A01", "y")]
    assert labels_of(folder, tmp_path, ("plate", "well", "label"), *rows)["A01"] == ("y",)
    other = put(tmp_path / "elsewhere", *(f"{w}_{c}.png" for w in WELLS for c in STAINS))
    with pytest.raises(
        PreflightError, match=r"labels none .*'plate' says 'CP071', 'CP072'|'plate' names"
    ):
        labels_of(other, tmp_path, ("plate", "well", "label"), *rows)


@pytest.mark.parametrize(("row", "column"), [("A", "2"), ("1", "02"), ("a", "2.0")])
def test_row_and_column_make_a_well(fields, tmp_path, row, column):
    found = labels_of(fields, tmp_path, ("Row", "Col", "label"), (row, column, "x"))
    assert {k for k, v in found.items() if v} == {"A02_1", "A02_2"}


def test_rows_that_count_from_0_are_refused(fields, tmp_path):
    with pytest.raises(PreflightError, match="counts from 0"):
        labels_of(fields, tmp_path, ("row", "column", "label"), ("0", "1", "x"), ("1", "2", "y"))


@pytest.mark.parametrize("name", ["Image_FileName_DNA", "FileName_OrigGFP", "path", "URL_x"])
def test_files_of_one_channel_name_their_field(fields, tmp_path, name):
    rows = [(f"/data/raw/A02_s{s}_dna.png", f"k{s}") for s in (1, 2)]
    found = labels_of(fields, tmp_path, (name, "genotype"), *rows)
    assert (found["A02_1"], found["A02_2"], found["A01_1"]) == (("k1",), ("k2",), None)


def test_columns_that_name_different_fields_label_nothing_and_are_said(fields, tmp_path):
    rows = [("A01_s1_dna.png", "A02", "x"), ("A02_s1_dna.png", "A02", "y")]
    table = put_table(tmp_path / "l.csv", ("file", "well", "label"), *rows)
    reading = read(fields, labels=str(table))
    assert codes(reading) == ["label_without_image"]
    assert "different fields" in reading.problems[0].reason
    assert {s.id for s in reading.sites if s.labels} == {"A02_1"}


def test_an_empty_key_labels_nothing(fields, tmp_path):
    table = put_table(
        tmp_path / "l.csv", ("well", "site", "label"), ("A01", "", "x"), ("A02", "1", "y")
    )
    reading = read(fields, labels=str(table))
    assert {s.id for s in reading.sites if s.labels} == {"A02_1"}
    assert "key is empty" in reading.problems[0].reason


REFUSED = {
    "sites from 0": ("site", ("A01", "0", "x"), ("A01", "1", "y"), "from 0"),
    "other sites": ("site", ("A01", "left", "x"), ("A02", "right", "y"), "'site' names"),
    "other images": ("image", ("A01", "i7.tif", "x"), ("A02", "i8.tif", "x"), "'image' names"),
    "field numbers": ("tile", ("A01", "1", "x"), ("A01", "2", "x"), "read.key=well,tile"),
    "two plates": ("plate", ("A01", "P1", "x"), ("A02", "P2", "y"), "'plate' names"),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
def test_a_table_that_is_finer_than_its_key_is_refused_by_the_columns_name(fields, tmp_path, case):
    name, *rows, said = case
    with pytest.raises(PreflightError, match=re.escape(said)):
        labels_of(fields, tmp_path, ("well", name, "label"), *rows)


def test_a_column_that_is_no_part_of_a_place_does_not_disturb(fields, tmp_path):
    rows = (("well", "part", "label"), ("A01", "u", "x"), ("A02", "u", "x"))
    assert set(labels_of(fields, tmp_path, *rows).values()) == {("x",)}


def test_the_word_of_the_person_is_taken(fields, tmp_path):
    rows = (("well", "tile", "label"), ("A01", "1", "x"), ("A01", "2", "x"), ("A02", "1", "y"))
    assert set(labels_of(fields, tmp_path, *rows, key="well").values()) == {("x",), ("y",)}
    finer = labels_of(fields, tmp_path, *rows, key="well,tile")
    assert finer == {"A01_1": ("x",), "A01_2": ("x",), "A02_1": ("y",), "A02_2": None}
    with pytest.raises(BadOption, match="no column 'tyle'"):
        labels_of(fields, tmp_path, *rows, key="well,tyle")


def test_a_chosen_key_does_not_reach_over_plates(plates, tmp_path):
    rows = (("plate", "well", "name", "label"), ("CP072", "A01", "a", "x"))
    found = labels_of(plates, tmp_path, *rows, key="well")
    assert {k for k, v in found.items() if v} == {"CP072_A01"}


def test_a_map_for_all_plates_says_one_thing_of_each_well(plates, tmp_path):
    rows = (("well", "label"), ("A01", "x"), ("A01", "y"), ("A02", "y"))
    with pytest.raises(PreflightError, match=r"A01 has different labels.*2 plates.*column `plate`"):
        labels_of(plates, tmp_path, *rows)


def test_replicate_numbers_that_look_like_plates_are_refused(tmp_path):
    names = [f"P{p}/{w}_{c}.png" for p in (1, 2) for w in WELLS for c in STAINS]
    folder = put(tmp_path / "in", *names)
    rows = (("well", "replicate", "label"), ("A01", "1", "x"), ("A01", "2", "x"), ("A02", "1", "y"))
    with pytest.raises(PreflightError, match=r"'replicate'.*read\.key=well,replicate"):
        labels_of(folder, tmp_path, *rows)


def test_an_id_that_is_no_field_does_not_disturb(fields, tmp_path):
    rows = (("ID", "well", "label"), ("cpd-9", "A01", "x"), ("cpd-4", "A02", "y"))
    table = put_table(tmp_path / "l.csv", *rows)
    reading = read(fields, labels=str(table))
    assert by_id(reading)["A01_2"].labels == ("x",)
    assert by_id(reading)["A01_2"].metadata["ID"] == "cpd-9"
    assert reading.label_columns == {"well": "well", "label": "label"}


def test_well_and_field_may_be_one_text(fields, tmp_path):
    rows = (("image", "label"), ("A1_1", "x"), ("a02_f2", "y"), ("A02 - site 1", "z"))
    found = labels_of(fields, tmp_path, *rows)
    assert found == {"A01_1": ("x",), "A01_2": None, "A02_1": ("z",), "A02_2": ("y",)}


def test_numbers_of_fields_alone_say_nothing_of_several_wells(fields, tmp_path):
    with pytest.raises(PreflightError, match=r"'site' says a number that 2 fields.*`well`"):
        labels_of(fields, tmp_path, ("site", "label"), ("1", "x"), ("2", "y"))


def test_names_of_samples_that_look_like_wells_do_not_disturb(fields, tmp_path):
    rows = (("Sample", "well", "label"), ("A02", "A01", "x"), ("A01", "A02", "y"))
    found = labels_of(fields, tmp_path, *rows)
    assert (found["A01_1"], found["A02_1"]) == (("x",), ("y",))


def test_the_one_plate_of_another_name_is_said(tmp_path):
    folder = put(tmp_path / "in", *(f"CP071/{w}_{c}.png" for w in WELLS for c in STAINS))
    table = put_table(tmp_path / "l.csv", ("barcode", "well", "label"), ("K9", "A01", "x"))
    reading = read(folder, labels=str(table))
    assert "Plate 'K9' of the table is taken as the only plate here, 'CP071'." in reading.notes
    assert by_id(reading)["CP071_A01"].labels == ("x",)


def test_files_of_one_name_in_two_folders_want_their_folders(plates, tmp_path):
    with pytest.raises(PreflightError, match=r"labels none .*several fields of that name"):
        labels_of(plates, tmp_path, ("file", "label"), ("A01_dna.png", "x"))
    found = labels_of(plates, tmp_path, ("file", "label"), ("D:\\CP072\\A01_dna.png", "x"))
    assert {k for k, v in found.items() if v} == {"CP072_A01"}


def test_many_rows_of_absent_images_are_one_line(fields, tmp_path):
    rows = [(f"C{n:02d}", "x") for n in range(1, 24)]
    table = put_table(tmp_path / "l.csv", ("well", "label"), ("A01", "x"), *rows)
    reading = read(fields, labels=str(table))
    (problem,) = reading.problems
    assert "23 rows, the first of 'C01'" in problem.reason
    assert reading.counts["labels_without_image"] == 23


def test_metadata_bear_one_prefix_and_the_usual_names(fields, tmp_path):
    header = ("Metadata_Well", "Metadata_Plate_Barcode", "Metadata_Dose", "label")
    table = put_table(tmp_path / "l.csv", header, ("a1", "BR9", "3", "x"))
    metadata = by_id(read(fields, labels=str(table)))["A01_1"].metadata
    assert metadata == {"Well": "A01", "Site": "1", "Plate": "BR9", "Dose": "3"}


PLACES = [(p, w, s) for p in ("P1", "P2") for w in ("A01", "B02") for s in ("1", "2")]
SITES = [
    Site(f"{p}_{w}_{s}", f"{p}/{w}_s{s}", (), metadata={"Plate": p, "Well": w, "Site": s})
    for p, w, s in PLACES
]
OWN = [dict(zip(("plate", "well", "site"), place, strict=True)) for place in PLACES]
SPELLED = {
    "plate": ["{}", "plate {}", " {} "],
    "well": ["{}", "{0[0]}{0[2]}", "{0[0]}-{0[2]}", "{0[0]}0{0[1]}{0[2]}", "{0[2]}{0[0]}"],
    "site": ["{}", "0{}", "s{}", "{}.0"],
}  # fmt: skip


def joined(rows, columns):
    table = LabelTable(Path("l.csv"), tuple(columns), tuple(rows))
    seen = Fields(SITES, {site.id: site.id for site in SITES})
    return join_labels(SITES, table, find_keys(seen, table), seen)


@st.composite
def tables(draw):
    """Columns of a place, and rows about places there and not there."""
    names = draw(
        st.sampled_from([["plate", "well", "site"], ["well", "plate"], ["site", "plate", "well"]])
    )
    places = draw(
        st.lists(
            st.sampled_from([*PLACES, ("P1", "C03", "1"), ("P1", "A01", "7")]),
            min_size=1,
            max_size=10,
        )
    )
    rows = []
    for place in places:
        row = dict(zip(("plate", "well", "site"), place, strict=True))
        rows.append({n: row[n] for n in names} | {"label": draw(st.sampled_from("xyz"))})
    return [*names, "label"], rows


@given(tables(), st.randoms(use_true_random=False))
@settings(max_examples=150, deadline=None)
def test_no_row_labels_a_field_that_it_does_not_name_however_it_is_written(table, random):
    columns, rows = table
    meant = {
        site.id: {r["label"] for r in rows if all(r[n] == own[n] for n in columns[:-1])}
        for own, site in zip(OWN, SITES, strict=True)
    }
    apart = sum(len(labels) > 1 for labels in meant.values())
    long_form = apart >= 3 and 5 * apart >= sum(map(bool, meant.values()))
    if long_form or not any(len(labels) == 1 for labels in meant.values()):
        with pytest.raises(PreflightError, match=r"l\.csv"):
            joined(rows, columns)
        return
    found = joined(rows, columns)
    for site_id, labels in meant.items():
        expected = None if not labels else labels.pop() if len(labels) == 1 else ""
        assert found.labels.get(site_id) == expected
    other = [
        {n: random.choice(SPELLED[n]).format(v) if n in SPELLED else v for n, v in row.items()}
        for row in rows
    ]
    random.shuffle(other)
    random.shuffle(columns)
    again = joined(other, columns)
    assert again.labels == found.labels
    assert again.counts == found.counts
