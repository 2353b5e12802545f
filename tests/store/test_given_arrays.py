"""Masks as numpy files, and pickles that are opened by nobody's mistake."""

import builtins
import datetime
import os
import pickle
import zipfile

import numpy as np
import pytest

from cellwise.errors import InputError
from cellwise.store.given_arrays import read_npy, read_npz, read_seg_npy

LABELS = np.array([[0, 1], [70_000, 1]], np.int64)


class Trap:
    """Unpickling this would make a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def seg(path, **more):
    content = {"masks": LABELS, "outlines": LABELS, "filename": "a.png", "diameter": np.nan}
    flows = [np.zeros((2, 2, 3), np.uint8), [], np.float32(3)]
    np.save(path, {**content, "flows": flows, "ismanual": np.zeros(2, bool), **more})
    return path


def test_an_array_is_read(tmp_path):
    np.save(tmp_path / "a.npy", LABELS)
    assert np.array_equal(read_npy(tmp_path / "a.npy"), LABELS)


@pytest.mark.parametrize("key", ["arr_0", "masks", "labels", "whatever"])
def test_the_mask_of_an_archive_is_found_by_its_usual_names(tmp_path, key):
    np.savez_compressed(tmp_path / "a.npz", **{key: LABELS})
    cells, nuclei = read_npz(tmp_path / "a.npz")
    assert np.array_equal(cells, LABELS)
    assert nuclei is None


def test_an_archive_may_hold_cells_and_nuclei(tmp_path):
    np.savez(tmp_path / "a.npz", nuclei=LABELS * 0, cells=LABELS, masks=LABELS)
    cells, nuclei = read_npz(tmp_path / "a.npz")
    assert np.array_equal(cells, LABELS)
    assert not nuclei.any()


def test_an_archive_without_a_known_array_says_what_it_holds(tmp_path):
    np.savez(tmp_path / "a.npz", one=LABELS, two=LABELS)
    with pytest.raises(InputError, match="it holds one, two") as caught:
        read_npz(tmp_path / "a.npz")
    assert caught.value.code == "mask_key"


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.95])
@pytest.mark.parametrize("ending", ["npy", "npz", "seg"])
def test_a_torn_file_is_named(tmp_path, share, ending):
    path = tmp_path / f"a.{ending}"
    whole = tmp_path / "whole.npy"
    if ending == "npz":
        whole = tmp_path / "whole.npz"
        np.savez(whole, arr_0=LABELS)
    elif ending == "npy":
        np.save(whole, LABELS)
    else:
        seg(whole)
    content = whole.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    read = {"npy": read_npy, "npz": read_npz, "seg": lambda p: read_seg_npy(p, allow_pickle=True)}
    with pytest.raises(InputError, match=path.name) as caught:
        read[ending](path)
    assert caught.value.code == "mask_file"
    assert caught.value.remedy


def test_claims_of_endless_arrays_are_not_believed(tmp_path):
    path = tmp_path / "a.npy"
    with path.open("wb") as stream:
        np.lib.format.write_array_header_1_0(
            stream, {"descr": "<u8", "fortran_order": False, "shape": (1 << 20, 1 << 20)}
        )
    with pytest.raises(InputError, match="larger than any field"):
        read_npy(path)
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.write(path, "arr_0.npy")
    with pytest.raises(InputError, match="larger than any field"):
        read_npz(tmp_path / "a.npz")


@pytest.mark.parametrize("kind", ["npy", "npz", "seg"])
def test_objects_are_refused_unopened(tmp_path, kind):
    trap = tmp_path / "sprung"
    content = np.array({"masks": LABELS, "x": Trap(trap)}, dtype=object)
    path = tmp_path / f"a.{'npz' if kind == 'npz' else 'npy'}"
    np.savez(path, arr_0=content) if kind == "npz" else np.save(path, content)
    read = {"npy": read_npy, "npz": read_npz, "seg": lambda p: read_seg_npy(p, allow_pickle=False)}
    with pytest.raises(InputError, match="pickle") as caught:
        read[kind](path)
    assert caught.value.code == "mask_pickle"
    assert "segment.allow_pickle=true" in caught.value.remedy
    assert not trap.exists()


def test_an_allowed_file_of_the_cellpose_editor_is_read(tmp_path):
    path = seg(tmp_path / "a_seg.npy", colors=[[1, 2, 3]], ratio=1.0, name=np.str_("x"))
    assert np.array_equal(read_seg_npy(path, allow_pickle=True), LABELS)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_every_protocol_of_python_is_read(tmp_path, protocol):
    path = tmp_path / "a_seg.npy"
    content = np.array({"masks": LABELS, "text": b"bytes", "number": np.int64(3)}, dtype=object)
    with path.open("wb") as stream:
        np.lib.format.write_array_header_1_0(
            stream, {"descr": "|O", "fortran_order": False, "shape": ()}
        )
        pickle.dump(content, stream, protocol=protocol)
    assert np.array_equal(read_seg_npy(path, allow_pickle=True), LABELS)


@pytest.mark.parametrize(
    "foreign", [Trap, lambda path: datetime.datetime(2020, 1, 1), lambda path: builtins.eval]
)
def test_even_an_allowed_pickle_builds_plain_data_only(tmp_path, foreign):
    trap = tmp_path / "sprung"
    path = seg(tmp_path / "a_seg.npy", extra=foreign(trap))
    with pytest.raises(InputError, match="no plain data") as caught:
        read_seg_npy(path, allow_pickle=True)
    assert caught.value.code == "mask_pickle"
    assert not trap.exists()


def test_encodings_that_would_load_code_are_refused(tmp_path):
    path = tmp_path / "a_seg.npy"
    with path.open("wb") as stream:
        np.lib.format.write_array_header_1_0(
            stream, {"descr": "|O", "fortran_order": False, "shape": ()}
        )
        stream.write(b"c_codecs\nencode\n(Vx\nVidna\ntR.")
    with pytest.raises(InputError, match="encoding 'idna'"):
        read_seg_npy(path, allow_pickle=True)


def test_an_editor_file_without_masks_says_so(tmp_path):
    np.save(tmp_path / "a_seg.npy", {"outlines": LABELS})
    with pytest.raises(InputError, match="no array 'masks'") as caught:
        read_seg_npy(tmp_path / "a_seg.npy", allow_pickle=True)
    assert caught.value.code == "mask_key"
