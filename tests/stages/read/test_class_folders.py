"""Folders that may be classes or places: whichever is taken, the other is said with its command."""

import shlex

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.stages.read.read_folders import put, put_channels, put_table, read

from cellwise.app.cli import app

UNSURE = ("1", "02", "10", "0.1", "A", "C3", "p53", "WT", "drug 2", "s1", "KO")
SETTLED = ("plate1", "Plate_B", "batch 2", "run3", "BR00117010", "20240312", "well4", "train")


def folder_of(place, names, kind):
    for number, name in enumerate(names):
        files = {
            "stains": [f"{name}/x{n}_{c}.png" for n in (1, 2) for c in ("dapi", "gfp")],
            "wells": [f"{name}/B0{n}_{c}.png" for n in (1, 2) for c in ("dapi", "gfp")],
            "single": [f"{name}/img{7 * number + n:03d}.png" for n in (1, 2, 3)],
            "several": [f"{name}/x{n}.tif" for n in (1, 2)],
        }[kind]
        if kind == "several":
            more = {"imagej": True, "metadata": {"axes": "CYX"}}
            put_channels(place, *files, channels=2, size=(24, 200), **more)
        else:
            put(place, *files)
    return place


def offers(reading):
    """The words of each command in the notes."""
    return [
        shlex.split(note.partition("cellwise check ")[2])
        for note in reading.notes
        if "cellwise check " in note
    ]


@settings(max_examples=12, deadline=None)
@given(
    st.sampled_from(["stains", "wells", "single", "several"]),
    st.lists(st.sampled_from(UNSURE), min_size=2, max_size=4, unique_by=str.lower),
)
def test_the_other_meaning_of_folders_is_said_and_works(tmp_path_factory, kind, names):
    folder = folder_of(tmp_path_factory.mktemp("of classes"), names, kind)
    reading = read(folder)
    ((where, _, layout),) = [words[:3] for words in offers(reading)]
    assert where == str(folder)
    other = read(folder, layout=layout)
    classes = reading if reading.layout == "class_folders" else other
    places = other if classes is reading else reading
    assert (classes.layout, places.classes) == ("class_folders", None)
    assert {name.lower() for name in classes.classes.names} == {name.lower() for name in names}
    assert all(site.labels is None for site in places.sites)


@pytest.mark.parametrize("kind", ["stains", "wells", "single"])
def test_folders_that_say_what_they_are_need_no_word(tmp_path, kind):
    folder = folder_of(tmp_path, SETTLED, kind)
    reading = read(folder)
    assert reading.layout != "class_folders"
    assert offers(reading) == []


def test_labels_settle_what_folders_are(tmp_path):
    folder = folder_of(tmp_path / "in", ("1", "2"), "wells")
    table = put_table(tmp_path / "l.csv", ("plate", "well", "label"), ("1", "B01", "a"))
    assert offers(read(folder, labels=str(table))) == []


def test_run_says_how_it_understood_the_folder(tmp_path, capsys, monkeypatch):
    folder = folder_of(tmp_path / "in", ("1", "2"), "wells")
    monkeypatch.chdir(tmp_path)
    words = ["run", "in", "--out", "out.run", "--recipe", "segment-only", "--workers", "1"]
    app([*words, "--set", "segment.name=grid"], standalone_mode=False)
    shown = capsys.readouterr()
    assert f"cellwise check {folder.name} --layout class_folders" in shown.err + shown.out
