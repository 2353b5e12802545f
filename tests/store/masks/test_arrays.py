"""Masks as numpy files, and pickles that are opened by nobody's mistake."""

import builtins
import contextlib
import datetime
import os
import pickle
import tracemalloc
import zipfile
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cellwise.errors import InputError
from cellwise.store.masks.arrays import read_npy, read_npz, read_seg_npy

LABELS = np.array([[0, 1], [70_000, 1]], np.int64)


class Trap:
    """Unpickling this would make a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def seg(path, **more):
    content: dict[str, Any] = {
        "masks": LABELS,
        "outlines": LABELS,
        "filename": "a.png",
        "diameter": np.nan,
    }
    flows = [np.zeros((2, 2, 3), np.uint8), [], np.float32(3)]
    content |= {"flows": flows, "ismanual": np.zeros(2, bool), **more}
    np.save(path, np.array(content, dtype=object))
    return path


def test_an_array_is_read(tmp_path):
    np.save(tmp_path / "a.npy", LABELS)
    assert np.array_equal(read_npy(tmp_path / "a.npy"), LABELS)


@pytest.mark.parametrize("key", ["arr_0", "masks", "labels", "whatever"])
def test_the_mask_of_an_archive_is_found_by_its_usual_names(tmp_path, key):
    arrays: dict[str, Any] = {key: LABELS}
    np.savez_compressed(tmp_path / "a.npz", **arrays)
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


def test_an_archive_may_not_unfold_to_more_than_a_gigabyte(tmp_path):
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("arr_0.npy", b"")
    # The directory at the end of the archive says how long a member is once it is unfolded.
    content = bytearray(path.read_bytes())
    at = content.rindex(b"PK\x01\x02") + 24
    content[at : at + 4] = (10**9 + 1).to_bytes(4, "little")
    path.write_bytes(content)
    with pytest.raises(InputError, match="1 GB") as caught:
        read_npz(path)
    assert caught.value.code == "mask_file"


def object_file(path, content):
    """A numpy file of objects whose pickle is `content`."""
    with path.open("wb") as stream:
        np.lib.format.write_array_header_1_0(
            stream, {"descr": "|O", "fortran_order": False, "shape": ()}
        )
        stream.write(content)
    return path


def test_a_memo_of_absurd_length_is_not_believed(tmp_path):
    # None is noted as number 2^24, for which a table by number takes 256 MB.
    path = object_file(tmp_path / "a_seg.npy", b"\x80\x02Nr\x00\x00\x00\x01.")
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match="no array 'masks'"):
            read_seg_npy(path, allow_pickle=True)
        assert tracemalloc.get_traced_memory()[1] < 1 << 24
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("kind", [">u2", "<u2", ">i8", "<f4", "u1", "O", "<U3"])
def test_arrays_of_any_byte_order_keep_their_numbers(tmp_path, kind):
    masks, twin = LABELS.clip(0, 60_000).astype(">u2"), np.array([3, 4, 5]).astype(kind)
    content = np.array({"twin": twin, "again": twin, "masks": masks, "x": masks.T}, dtype=object)
    np.save(tmp_path / "a_seg.npy", content)
    found = read_seg_npy(tmp_path / "a_seg.npy", allow_pickle=True)
    assert np.array_equal(found, LABELS.clip(0, 60_000))


def test_number_types_that_claim_to_hold_objects_are_not_believed(tmp_path):
    path = tmp_path / "a_seg.npy"
    object_file(path, pickle.dumps(np.array({"masks": LABELS}, dtype=object), protocol=4))
    content = path.read_bytes()
    # The last entry of the number type's state, before the bytes of the array.
    assert content.count(b"K\x00t\x94b\x89C") == 1
    path.write_bytes(content.replace(b"K\x00t\x94b\x89C", b"K\x3ft\x94b\x89C"))
    assert np.array_equal(read_seg_npy(path, allow_pickle=True), LABELS)


@pytest.mark.parametrize("changed", [b"cnumpy\nndarray\n", b"c_codecs\nencode\n", b"]"])
def test_nothing_but_an_array_may_be_given_content(tmp_path, changed):
    path = object_file(
        tmp_path / "a_seg.npy", b"\x80\x02" + changed + b"}X\x01\x00\x00\x00aK\x01sb."
    )
    with pytest.raises(InputError, match="changes an object") as caught:
        read_seg_npy(path, allow_pickle=True)
    assert caught.value.code == "mask_pickle"


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_any_damage_to_a_pickle_is_an_error_of_the_file_or_none(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("damage") / "a_seg.npy"
    content = bytearray(pickle.dumps({"masks": LABELS, "x": ["a", 1.5]}, protocol=2))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    object_file(path, bytes(content))
    # Any other error fails the test.
    with contextlib.suppress(InputError):
        assert isinstance(read_seg_npy(path, allow_pickle=True), np.ndarray)


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
    np.save(tmp_path / "a_seg.npy", np.array({"outlines": LABELS}, dtype=object))
    with pytest.raises(InputError, match="no array 'masks'") as caught:
        read_seg_npy(tmp_path / "a_seg.npy", allow_pickle=True)
    assert caught.value.code == "mask_key"
