"""Files of microscopes: every scene, time, channel and plane is read or refused, none as zeros."""

import struct
import sys

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.store.images.microscope_bytes import czi, lif, nd2, stand_in

from cellwise.domain.channels import Channel
from cellwise.domain.records import ChannelFile
from cellwise.errors import InputError
from cellwise.store.images.fields import read_header, read_hues, read_pixels
from cellwise.store.images.microscope_structure import planes_of

_TEXT = {"czi": "bioio_czi", "nd2": "bioio_nd2", "lif": "bioio_lif"}


def pixels(*shape, dtype="uint16"):
    return np.random.default_rng(sum(shape)).integers(0, 200, shape).astype(dtype)


def held(folder, path, plane=None, z="max", *, colour=False):
    return read_pixels(ChannelFile(Channel("c"), (path,), plane, colour), folder, z)


def write(folder, kind, scenes):
    """A container that holds as many planes as these scenes state."""
    path = folder / f"a.{kind}"
    planes = [
        {"S": number, "T": t, "C": c, "Z": z}
        for number, (axes, array, *_) in enumerate(scenes)
        for t in range(dict(zip(axes, array.shape, strict=True)).get("T", 1))
        for c in range(dict(zip(axes, array.shape, strict=True)).get("C", 1))
        for z in range(dict(zip(axes, array.shape, strict=True)).get("Z", 1))
    ]
    if kind == "czi":
        return czi(path, planes)
    if kind == "nd2":
        return nd2(path, len({tuple(p[a] for a in "STZ") for p in planes}))
    return lif(path, ("one", pixels(1, 1, 1, 4, 8)))


@pytest.mark.parametrize("kind", _TEXT)
@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    axes=st.permutations("TCZ"),
    lengths=st.tuples(*[st.integers(1, 3)] * 3),
    scenes=st.integers(1, 3),
)
def test_every_part_of_a_file_is_found_where_it_is_stated(
    kind, axes, lengths, scenes, tmp_path_factory
):
    folder = tmp_path_factory.mktemp("files")
    order = "".join(axes) + "YX"
    held_in = [pixels(*lengths, 4 + n, 8) for n in range(scenes)]
    with pytest.MonkeyPatch.context() as patch:
        stated = [(order, array, None, 0.3) for array in held_in]
        stand_in(patch, {f"a.{kind}": stated}, _TEXT[kind])
        path = write(folder, kind, stated)
        header = read_header(path)
        sizes = dict(zip(axes, lengths, strict=True))
        found = [header, *header.series]
        assert [(h.height, h.width) for h in found] == [(4 + n, 8) for n in range(scenes)]
        assert {(h.t, h.channels, h.z) for h in found} == {(sizes["T"], sizes["C"], sizes["Z"])}
        assert header.pixel_size == 0.3
        for number, array in enumerate(held_in):
            whole = array.transpose([order.index(axis) for axis in "TCZYX"])
            for t in range(sizes["T"]):
                place = f"{path.name}{f'#s={number}' if number else ''}#t={t}"
                for c in range(sizes["C"]):
                    expected = whole[t, c]
                    found_max = held(folder, place, c if sizes["C"] > 1 else None)
                    np.testing.assert_array_equal(found_max, expected.max(axis=0))
                    last = held(folder, f"{place}#z={sizes['Z'] - 1}", c)
                    np.testing.assert_array_equal(last, expected[-1])


def test_scenes_unlike_the_largest_are_odd_and_channels_keep_their_names(tmp_path, monkeypatch):
    scenes = [
        ("CYX", pixels(2, 4, 8), ["DAPI", " GFP "], 0.2),
        ("YX", pixels(3, 3), None, 0.2),
        ("CYX", pixels(2, 2, 2, dtype="uint8"), None, None),
    ]
    stand_in(monkeypatch, {"a.lif": scenes}, "bioio_lif")
    header = read_header(write(tmp_path, "lif", scenes))
    assert header.channel_names == ("DAPI", "GFP")
    assert header.series == ()
    assert header.odd == ("an image (3 x 3, uint16)", "an image (2 planes of 2 x 2, uint8)")


def test_a_mosaic_and_numbers_that_are_no_intensities_are_refused(tmp_path, monkeypatch):
    for scene, text in (
        (("MYX", pixels(2, 4, 8), None, None), "axes MYX"),
        (("YX", np.ones((4, 8), "complex64"), None, None), "complex64"),
    ):
        stand_in(monkeypatch, {"a.lif": [scene]}, "bioio_lif")
        with pytest.raises(InputError, match=text):
            read_header(write(tmp_path, "lif", [scene]))


def test_colours_of_zeiss_are_turned_to_red_green_and_blue(tmp_path, monkeypatch):
    blue_first = np.zeros((4, 8, 3), "uint8")
    blue_first[..., 0], blue_first[..., 2] = 10, 200
    scenes = [("YXS", blue_first, None, None)]
    stand_in(monkeypatch, {"a.czi": scenes}, "bioio_czi")
    path = write(tmp_path, "czi", scenes)
    assert read_header(path).colour
    assert [int(held(tmp_path, "a.czi", plane)[0, 0]) for plane in range(3)] == [200, 0, 10]
    assert read_hues(ChannelFile(Channel("c"), ("a.czi",), None), tmp_path) == "one"


def test_parts_that_are_not_there_are_refused(tmp_path, monkeypatch):
    scenes = [("TCYX", pixels(2, 2, 4, 8), None, None)]
    stand_in(monkeypatch, {"a.lif": scenes}, "bioio_lif")
    write(tmp_path, "lif", scenes)
    for place, plane, text in (
        ("a.lif#s=1", 0, "1 field, none with number 2"),
        ("a.lif#t=2", 0, "no time point number 3 of 2"),
        ("a.lif", 2, "no channel number 3"),
        ("a.lif", None, "2 channels where one"),
    ):
        with pytest.raises(InputError, match=text):
            held(tmp_path, place, plane)


@pytest.mark.parametrize("kind", ["czi", "nd2"])
def test_planes_that_were_never_written_are_missing(kind, tmp_path, monkeypatch):
    stated = [("TYX", pixels(3, 4, 8), None, None)]
    stand_in(monkeypatch, {f"a.{kind}": stated}, _TEXT[kind])
    path = write(tmp_path, kind, [("TYX", pixels(2, 4, 8), None, None)])
    with pytest.raises(InputError) as caught:
        read_header(path)
    assert caught.value.code == "planes_missing"
    assert "states 3 planes in 1 scene, and holds 2" in caught.value.reason


@pytest.mark.parametrize("kind", _TEXT)
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(share=st.floats(0.0, 0.999))
def test_a_file_cut_anywhere_is_refused(kind, share, tmp_path):
    scenes = [("TZYX", pixels(2, 2, 4, 8), None, None)]
    path = write(tmp_path, kind, scenes)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.MonkeyPatch.context() as patch:
        stand_in(patch, {path.name: scenes}, _TEXT[kind])
        with pytest.raises(InputError) as caught:
            read_header(path)
    # The mark of the list stands in the list too: a cut there leaves a file that names no plane.
    assert caught.value.code in ("truncated", "unreadable", "empty_file", "planes_missing")


def test_smaller_copies_and_tiles_are_no_planes_of_their_own(tmp_path):
    planes = [{"S": 0, "Z": 0, "M": 0}, {"S": 0, "Z": 0, "M": 1}, {"S": 0, "Z": 1, "M": 0}]
    assert planes_of(czi(tmp_path / "a.czi", planes), "czi") == 2


def test_a_reader_that_is_not_installed_is_named(tmp_path, monkeypatch):
    path = lif(tmp_path / "named.tif", ("one", pixels(1, 1, 1, 4, 8)))
    monkeypatch.setitem(sys.modules, "bioio_lif", None)
    monkeypatch.setattr("cellwise.store.images.microscope_files.can_read", lambda ending: False)
    with pytest.raises(InputError) as caught:
        read_header(path)
    assert caught.value.code == "reader_missing"
    assert "pip install 'cellwise[bioio]'" in caught.value.remedy


@pytest.mark.parametrize("lost", [0, 1, 2])
@pytest.mark.parametrize("how", ["gone", "renamed", "short"])
def test_a_leica_file_without_the_pixels_of_an_image_is_named(tmp_path, lost, how):
    images = [(f"image {n}", pixels(1, 2, 3, 6, 8 + n)) for n in range(3)]
    path = lif(tmp_path / "a.lif", *images)
    assert planes_of(path, "lif") is None
    content = path.read_bytes()
    name = f"MemBlock_{lost}".encode("utf-16-le")
    begins = content.rindex(name) - 22
    held = images[lost][1].nbytes
    ends = begins + 22 + len(name) + held
    if how == "gone":
        content = content[:begins] + content[ends:]
    elif how == "renamed":
        other = "MemBlock_X".encode("utf-16-le")
        content = content[: begins + 22] + other + content[begins + 22 + len(name) :]
    else:
        length = struct.pack("<Q", held - 2)
        head = content[begins : begins + 9] + length + content[begins + 17 : begins + 22]
        content = content[:begins] + head + content[begins + 22 : ends - 2] + content[ends:]
    path.write_bytes(content)
    with pytest.raises(
        InputError, match="Of 3 blocks of pixels that the file states, 1 is"
    ) as caught:
        planes_of(path, "lif")
    assert caught.value.code == "planes_missing"
    assert f"MemBlock_{lost}" in caught.value.reason
