"""Tables of other plates, counted otherwise, or with two columns exchanged."""

import pytest
from tests.stages.read.read_folders import codes, put, put_table, read

from cellwise.errors import PreflightError

WELLS = ("A01", "A02", "A03", "B01", "B02", "B03")
STAINS = ("dna", "gfp")


def plates(tmp_path, *names):
    return put(tmp_path / "in", *(f"{p}{w}_{c}.png" for p in names for w in WELLS for c in STAINS))


def labelled(folder, tmp_path, columns, *rows):
    reading = read(folder, labels=str(put_table(tmp_path / "l.csv", columns, *rows)))
    return reading, {site.id: site.labels for site in reading.sites}


def test_paths_of_another_folder_label_nothing_where_those_of_this_one_stand_beside_them(tmp_path):
    folder = plates(tmp_path, "p1/")
    rows = [(f"/scans/p1/{w}_dna.png", "x") for w in WELLS[:4]]
    rows += [(f"/scans/p2/{w}_dna.png", "y") for w in WELLS]
    reading, labels = labelled(folder, tmp_path, ("file", "label"), *rows)
    assert [labels[f"p1_{w}"] for w in WELLS] == [("x",)] * 4 + [None] * 2
    assert codes(reading) == ["label_without_image"] * 6


def test_paths_of_one_other_folder_are_joined_by_name_and_said(tmp_path):
    folder = plates(tmp_path, "p1/")
    rows = [(f"D:\\old\\p7\\{w}_dna.png", "x") for w in WELLS]
    reading, labels = labelled(folder, tmp_path, ("file", "label"), *rows)
    assert set(labels.values()) == {("x",)}
    assert any("'p7'" in note and "'p1'" in note for note in reading.notes)


def test_paths_of_two_other_folders_mean_none_of_the_images_here(tmp_path):
    folder = plates(tmp_path, "p1/")
    rows = [(f"{p}/{w}_dna.png", p) for p in ("p7", "p8") for w in WELLS]
    with pytest.raises(PreflightError, match=r"labels none of the 6 fields"):
        labelled(folder, tmp_path, ("file", "label"), *rows)


@pytest.mark.parametrize("place", ["", "p1/", "batch/p1/"])
@pytest.mark.parametrize("before", ["", "./", "C:\\data\\in\\", "/mnt/p1/"])
def test_paths_above_the_images_do_not_count(tmp_path, place, before):
    folder = plates(tmp_path, place)
    rows = [(f"{before}{place}{w}_dna.png", "x") for w in WELLS]
    reading, labels = labelled(folder, tmp_path, ("file", "label"), *rows)
    assert set(labels.values()) == {("x",)}
    assert not any("Paths of the table" in note for note in reading.notes)


@pytest.mark.parametrize("stated", [("0", "1"), ("plate0", "plate1"), ("0", "1", "2")])
def test_plates_counted_from_0_on_one_side_are_refused(tmp_path, stated):
    folder = plates(tmp_path, *(f"plate{n + 1}/" for n in range(len(stated))))
    rows = [(p, w, f"k{p}") for p in stated for w in WELLS]
    with pytest.raises(PreflightError, match="counts plates from 0, the images from 1"):
        labelled(folder, tmp_path, ("plate", "well", "label"), *rows)


def test_the_only_plate_may_be_called_0(tmp_path):
    rows = [("0", w, "x") for w in WELLS]
    _, labels = labelled(plates(tmp_path, "plate1/"), tmp_path, ("plate", "well", "label"), *rows)
    assert set(labels.values()) == {("x",)}


def test_row_and_column_that_are_exchanged_are_refused(tmp_path):
    folder = plates(tmp_path, "")
    rows = [(int(w[1:]), "AB".index(w[0]) + 1, w[0]) for w in WELLS]
    columns = ("row", "column", "label")
    with pytest.raises(PreflightError, match=r"'row' and 'column' seem to be exchanged: 2 of 6"):
        labelled(folder, tmp_path, columns, *rows)
    _, labels = labelled(folder, tmp_path, columns, *((b, a, k) for a, b, k in rows))
    assert [labels[w] for w in WELLS] == [(w[0],) for w in WELLS]


def test_wells_that_are_not_here_are_no_exchange(tmp_path):
    folder = plates(tmp_path, "")
    rows = [(row, column, "x") for row in (1, 2, 3) for column in (1, 2, 3, 4)]
    reading, labels = labelled(folder, tmp_path, ("row", "column", "label"), *rows)
    assert set(labels.values()) == {("x",)}
    assert codes(reading) == ["label_without_image"] * 6


def test_fields_beside_those_of_a_plate_are_labelled_alike_and_it_is_said(tmp_path):
    folder = plates(tmp_path, "", "backup/")
    reading, _ = labelled(folder, tmp_path, ("well", "label"), *((w, w) for w in WELLS))
    said = "its wells are those of plate 'backup' and of 6 fields without a plate"
    assert any(said in note for note in reading.notes)
