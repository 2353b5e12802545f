"""OME-Zarr: the axes that are stated, at full resolution, and nothing that was lost on the way."""

import json
import os
import shutil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.store.images.zarr_folders import put_zarr

from cellwise.domain.channels import Channel
from cellwise.domain.records import ChannelFile
from cellwise.errors import InputError
from cellwise.flow.pipeline.files.listed import list_files
from cellwise.flow.pipeline.files.same_content import hash_of
from cellwise.store.images.fields import read_header, read_pixels
from cellwise.store.images.zarr_plates import images_in, is_ome_zarr


def pixels(*shape):
    return np.random.default_rng(sum(shape)).integers(1, 60000, shape).astype("uint16")


def held(folder, path, plane=None):
    return read_pixels(ChannelFile(Channel("c"), (path,), plane), folder)


@settings(max_examples=8, deadline=None)
@given(st.sampled_from(["0.4", "0.5"]), st.sampled_from(["tczyx", "czyx", "cyx", "yx", "tyx"]))
def test_every_plane_is_found_by_its_axes(tmp_path_factory, version, axes):
    folder = tmp_path_factory.mktemp("zarr")
    sizes = {"t": 2, "c": 3, "z": 2, "y": 10, "x": 12}
    array = pixels(*(sizes[axis] for axis in axes))
    names = ("DNA", "ER", "AGP") if "c" in axes else ()
    put_zarr(folder / "a.ome.zarr", array, axes, version=version, names=names, pixel_size=0.5)
    header = read_header(folder / "a.ome.zarr")
    assert (header.height, header.width, header.dtype) == (10, 12, "uint16")
    for axis, found in (("t", header.t), ("c", header.channels), ("z", header.z)):
        assert found == (sizes[axis] if axis in axes else 1)
    assert header.channel_names == names
    assert header.pixel_size == 0.5
    whole = array[tuple(slice(None) if axis in axes else None for axis in "tczyx")]
    for t in range(whole.shape[0]):
        for c in range(whole.shape[1]):
            shown = held(folder, f"a.ome.zarr#t={t}", c if "c" in axes else None)
            np.testing.assert_array_equal(shown, whole[t, c].max(axis=0))


def test_images_that_bioformats2raw_wrote_are_series(tmp_path):
    folder = tmp_path / "b.zarr"
    folder.mkdir()
    (folder / ".zgroup").write_text('{"zarr_format": 2}')
    (folder / ".zattrs").write_text('{"bioformats2raw.layout": 3}')
    arrays = [pixels(2, 6, 7), pixels(2, 9, 8)]
    for number, array in enumerate(arrays):
        put_zarr(folder / str(number), array, "cyx", version="0.4")
    header = read_header(folder)
    assert [(h.height, h.width) for h in (header, *header.series)] == [(6, 7), (9, 8)]
    np.testing.assert_array_equal(held(tmp_path, "b.zarr#s=1", 1), arrays[1][1])


@pytest.mark.parametrize(("lost", "listed"), [("1", False), ("2", True), ("0", False)])
def test_a_lost_image_of_several_does_not_hide_those_behind_it(tmp_path, lost, listed):
    folder = tmp_path / "b.zarr"
    (folder / "OME").mkdir(parents=True)
    (folder / ".zattrs").write_text('{"bioformats2raw.layout": 3}')
    for number in range(3):
        put_zarr(folder / str(number), pixels(6, 7), "yx", version="0.4")
    if listed:
        (folder / "OME" / ".zattrs").write_text('{"series": ["0", "1", "2"]}')
    assert len(read_header(folder).series) == 2
    shutil.rmtree(folder / lost)
    with pytest.raises(InputError) as caught:
        read_header(folder)
    assert caught.value.code == "planes_missing"


def test_the_wells_of_a_plate_that_bioformats2raw_wrote_are_its_images(tmp_path):
    folder = tmp_path / "p.zarr"
    put_zarr(folder / "A" / "1" / "0", pixels(6, 7), "yx", version="0.4")
    (folder / "A" / "1" / ".zattrs").write_text('{"well": {"images": [{"path": "0"}]}}')
    said = {"bioformats2raw.layout": 3, "plate": {"wells": [{"path": "A/1"}]}}
    (folder / ".zattrs").write_text(json.dumps(said))
    assert images_in(folder) == ("A/1/0",)


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_a_plane_that_was_lost_is_missing_and_a_cut_piece_is_refused(tmp_path, version):
    folder = put_zarr(tmp_path / "a.zarr", pixels(2, 10, 12), "cyx", version=version)
    piece = [p for p in sorted((folder / "0").rglob("0")) if p.is_file()][-1]
    spared = piece.read_bytes()
    piece.write_bytes(spared[: len(spared) // 2])
    read_header(folder)
    with pytest.raises(InputError) as caught:
        held(tmp_path, "a.zarr", 1)
    assert caught.value.code in ("unreadable", "truncated")
    piece.write_bytes(spared)
    plane = piece.parents[1]
    shutil.rmtree(plane)
    assert "Of 2 parts of the image, 1 is not" in read_header(folder).lost


def test_a_zarr_that_is_no_image_is_none(tmp_path):
    for name, text in (("a", "{}"), ("b", "["), ("c", '{"plate": {"wells": []}}')):
        (tmp_path / name).mkdir()
        (tmp_path / name / ".zattrs").write_text(text)
        assert not is_ome_zarr(tmp_path / name)
    two = put_zarr(tmp_path / "two.zarr", pixels(4, 5), "yx", version="0.4")
    said = json.loads((two / ".zattrs").read_text())
    (two / ".zattrs").write_text(json.dumps({"multiscales": said["multiscales"] * 2}))
    with pytest.raises(InputError, match="2 images side by side"):
        read_header(two)


def test_a_change_of_any_piece_is_a_change_of_the_one_file(tmp_path):
    folder = put_zarr(tmp_path / "a.zarr", pixels(2, 10, 12), "cyx", version="0.5")
    before, content = list_files(tmp_path), hash_of(folder)
    assert before.files["path"].to_list() == ["a.zarr"]
    piece = next(p for p in sorted((folder / "0" / "c").rglob("0")) if p.is_file())
    facts, spared = piece.stat(), piece.read_bytes()
    assert list_files(tmp_path).digest == before.digest
    piece.write_bytes(bytes([spared[0] ^ 1]) + spared[1:])
    assert list_files(tmp_path).digest != before.digest
    assert hash_of(folder) != content
    # Even where size and time are set back, the time of any change tells.
    os.utime(piece, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    after = list_files(tmp_path)
    assert after.digest == before.digest
    assert after.files["ctime_ns"].to_list() != before.files["ctime_ns"].to_list()
