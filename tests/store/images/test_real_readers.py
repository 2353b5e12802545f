"""The readers of bioio themselves, on files that are written here; skipped where not installed."""

import struct
import warnings

import numpy as np
import pytest
from tests.store.images.microscope_bytes import lif

from cellwise.domain.channels import Channel
from cellwise.domain.records import ChannelFile
from cellwise.errors import InputError
from cellwise.store.images.fields import read_header, read_pixels

# These libraries warn of their own future.
pytestmark = pytest.mark.filterwarnings("ignore")


def library(name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip(name, reason=f"{name} is not installed")


def pixels(*shape):
    return np.random.default_rng(7).integers(0, 4096, shape).astype("uint16")


def held(folder, path, plane=None):
    return read_pixels(ChannelFile(Channel("c"), (path,), plane), folder)


def test_a_leica_file_of_two_images(tmp_path):
    library("bioio_lif")
    first, second = pixels(2, 3, 4, 20, 28), pixels(1, 3, 1, 12, 16)
    path = lif(tmp_path / "a.lif", ("one", first), ("two", second))
    header = read_header(path)
    found = [(h.t, h.channels, h.z, h.height, h.width) for h in (header, *header.series)]
    assert found == [first.shape, second.shape]
    assert header.pixel_size == pytest.approx(0.325)
    np.testing.assert_array_equal(held(tmp_path, "a.lif#t=1", 2), first[1, 2].max(axis=0))
    np.testing.assert_array_equal(held(tmp_path, "a.lif#s=1", 1), second[0, 1, 0])
    np.testing.assert_array_equal(held(tmp_path, "a.lif#t=0#z=3", 0), first[0, 0, 3])


def put_czi(path, scenes, *, named=True, left_out=()):
    """Write arrays `[T, C, Z, Y, X]` as the scenes of one file."""
    czi = library("pylibCZIrw.czi")
    with czi.create_czi(str(path)) as document:
        for number, array in enumerate(scenes):
            for t, c, z in np.ndindex(array.shape[:3]):
                if (number, t, c, z) not in left_out:
                    document.write(
                        np.ascontiguousarray(array[t, c, z][..., None]),
                        plane={"T": t, "C": c, "Z": z},
                        scene=number,
                        location=(1000 * number, 0),
                    )
        names = {0: "DAPI", 1: "GFP"}
        document.write_metadata("a", channel_names=names, scale_x=2e-7, scale_y=2e-7)
    if named:
        _name_scenes(path, len(scenes))
    return path


def _name_scenes(path, count):
    """Add the names of the scenes to the description, as ZEN does: a new one at the end."""
    content = bytearray(path.read_bytes())
    (where,) = struct.unpack_from("<q", content, 92)
    (length,) = struct.unpack_from("<i", content, where + 32)
    text = bytes(content[where + 288 : where + 288 + length])
    scenes = "".join(f'<Scene Index="{n}" Name="P{n}"/>' for n in range(count))
    named = f"<Dimensions><S><Scenes>{scenes}</Scenes></S>".encode()
    assert text.count(b"<Dimensions>") == 1
    text = text.replace(b"<Dimensions>", named)
    struct.pack_into("<q", content, 92, len(content))
    size = 256 + len(text)
    content += struct.pack("<16sqqii248x", b"ZISRAWMETADATA", size, size, len(text), 0) + text
    path.write_bytes(content)


def test_a_zeiss_file_of_two_scenes(tmp_path):
    library("bioio_czi")
    scenes = [pixels(2, 2, 3, 40, 56), pixels(2, 2, 3, 30, 44)]
    header = read_header(put_czi(tmp_path / "a.czi", scenes))
    found = [(h.t, h.channels, h.z, h.height, h.width) for h in (header, *header.series)]
    assert found == [array.shape for array in scenes]
    assert header.channel_names == ("DAPI", "GFP")
    assert header.pixel_size == pytest.approx(0.2)
    for number, array in enumerate(scenes):
        place = f"a.czi{f'#s={number}' if number else ''}#t=1"
        np.testing.assert_array_equal(held(tmp_path, place, 1), array[1, 1].max(axis=0))


def test_scenes_that_the_reader_passes_over_and_planes_that_it_fills_are_refused(tmp_path):
    library("bioio_czi")
    scenes = [pixels(1, 2, 2, 20, 24), pixels(1, 2, 2, 20, 24)]
    unnamed = put_czi(tmp_path / "unnamed.czi", scenes, named=False)
    gap = put_czi(tmp_path / "gap.czi", scenes[:1], named=False, left_out={(0, 0, 1, 1)})
    for path in (unnamed, gap):
        with pytest.raises(InputError) as caught:
            read_header(path)
        assert caught.value.code == "planes_missing"


def test_a_zeiss_file_of_colours(tmp_path):
    library("bioio_czi")
    czi = library("pylibCZIrw.czi")
    blue_first = np.zeros((20, 30, 3), "uint8")
    blue_first[..., 0], blue_first[..., 2] = 10, 200
    with czi.create_czi(str(tmp_path / "a.czi")) as document:
        document.write(blue_first, plane={"T": 0, "C": 0, "Z": 0})
    assert read_header(tmp_path / "a.czi").colour
    assert [int(held(tmp_path, "a.czi", n)[0, 0]) for n in range(3)] == [200, 0, 10]


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("kind", ["czi", "lif"])
def test_a_cut_file_is_refused(tmp_path, kind, share):
    library(f"bioio_{kind}")
    array = pixels(1, 2, 2, 40, 56)
    path = tmp_path / f"a.{kind}"
    _ = put_czi(path, [array], named=False) if kind == "czi" else lif(path, ("one", array))
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(InputError):
        read_header(path)


def test_a_nikon_file_that_is_none_is_refused(tmp_path):
    library("bioio_nd2")
    path = tmp_path / "a.nd2"
    path.write_bytes(b"\xda\xce\xbe\x0a" + bytes(400))
    with pytest.raises(InputError):
        read_header(path)
