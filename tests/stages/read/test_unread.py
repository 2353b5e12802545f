"""Files of kinds that are not read are counted on the screen, a Zarr folder as one thing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.stages.read.read_folders import put, read

from cellwise.errors import PreflightError
from cellwise.stages.read._unread import unread_files


def test_what_lies_beside_the_images_is_named_with_its_count(tmp_path):
    put(tmp_path, *(f"{w}_{c}.png" for w in ("A01", "A02") for c in ("dna", "gfp")))
    for name in ("a.nd2", "b.nd2", "c.lif", "notes.txt", "plate.xml"):
        (tmp_path / name).write_bytes(b"x")
    for folder, mark in (("P.zarr/0", "c"), ("plain", "zarr.json"), ("old.ZARR", "x")):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / mark).write_bytes(b"{}")
        put(tmp_path / folder, "chunk.png")
    reading = read(tmp_path)
    (problem,) = reading.problems
    assert problem.code == "not_read"
    assert not problem.set_aside
    assert "6 files" in problem.reason
    for text in ("2 .nd2", "1 .lif", "3 .zarr"):
        assert text in problem.reason
    assert "OME-TIFF" in problem.remedy
    assert len(reading.usable) == 2


def test_arrays_in_a_folder_of_masks_are_passed_over(tmp_path):
    put(tmp_path, *(f"{w}_{c}.png" for w in ("A01", "A02") for c in ("dna", "gfp")))
    for name in ("train_cell_mask/A01.npz", "masks/A02.npy", "arrays/A01.npz"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    reading = read(tmp_path)
    (problem,) = reading.problems
    assert "1 .npz" in problem.reason
    assert ".npy" not in problem.reason
    assert sum(reading.counts["ignored_files"].values()) == 2


def test_a_folder_of_such_files_only_is_refused_with_the_cure(tmp_path):
    (tmp_path / "a.czi").write_bytes(b"x")
    with pytest.raises(PreflightError, match=r"1 \.czi.*OME-TIFF"):
        read(tmp_path)


@given(
    st.dictionaries(st.sampled_from([".czi", ".gif", ".csv", ".zarr", ".h5"]), st.integers(1, 9))
)
def test_every_such_file_is_counted_once(others):
    known = {ending: count for ending, count in others.items() if ending != ".csv"}
    found = unread_files(others)
    assert len(found) == bool(known)
    for problem in found:
        assert problem.reason.startswith(f"{sum(known.values())} file")
        assert all(f"{count} {ending} (" in problem.reason for ending, count in known.items())


@pytest.mark.parametrize(
    "folder", ["$RECYCLE.BIN", "#recycle/P1", "@eaDir", "thumbs", "lost+found", "a/#snapshot/x"]
)
def test_what_systems_keep_of_deleted_files_is_no_field(tmp_path, folder):
    names = [f"{w}_{c}.png" for w in ("A01", "A02") for c in ("dna", "gfp")]
    put(tmp_path, *names, *(f"{folder}/{name}" for name in names))
    reading = read(tmp_path)
    assert [site.id for site in reading.sites] == ["A01", "A02"]
    assert sum(reading.counts["ignored_files"].values()) == 4


@pytest.mark.parametrize("ending", [".part", ".crdownload", ".filepart", ".TMP"])
def test_images_that_are_still_being_copied_are_named(tmp_path, ending):
    put(tmp_path, *(f"{w}_{c}.png" for w in ("A01", "A02") for c in ("dna", "gfp")))
    for name in (f"A03_dna.png{ending}", f"A03_gfp.TIF{ending}", f"notes{ending}", "a.png.json"):
        (tmp_path / name).write_bytes(b"x")
    (problem,) = read(tmp_path).problems
    assert "2 files are" in problem.reason
    assert f"1 .png{ending.lower()} (images not yet copied to their end)" in problem.reason
    assert "wait until it is whole" in problem.remedy
