"""Pieces that are not there: a loss is told from black, and neither passes without a word."""

import json

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.store.images.zarr_folders import put_zarr

from cellwise.store.images.fields import read_header
from cellwise.store.images.zarr_pieces import refuse_cut_pieces
from cellwise.store.images.zarr_plates import broken_wells, images_in

SIDE, PIECE = 64, 16
VERSIONS = st.sampled_from(["0.4", "0.5"])


def piece_of(folder, y, x):
    name = folder / "0" / "c" if (folder / "zarr.json").is_file() else folder / "0"
    return name / str(y) / str(x)


def camera(seed):
    """Noise on an offset, as cameras give it: no pixel is black."""
    return np.random.default_rng(seed).integers(90, 4000, (SIDE, SIDE)).astype("uint16")


def cut_out(seed):
    """A disc on black, as a region that was cut out."""
    y, x = np.indices((SIDE, SIDE))
    return np.where((y - 20) ** 2 + (x - 22) ** 2 < 18**2, camera(seed), 0).astype("uint16")


def saved(folder, pixels, **options):
    return put_zarr(folder / "a.zarr", pixels, "yx", pieces=(PIECE, PIECE), **options)


@settings(max_examples=12, deadline=None)
@given(VERSIONS, st.integers(0, 2), st.integers(0, 3), st.integers(0, 3))
def test_a_lost_piece_of_a_cameras_image_is_a_loss(tmp_path_factory, version, copies, y, x):
    folder = saved(tmp_path_factory.mktemp("z"), camera(y), version=version, copies=copies)
    assert (read_header(folder).lost, read_header(folder).black) == ("", 0)
    piece_of(folder, y, x).unlink()
    found = read_header(folder)
    assert "Of 16 pieces of the image, 1 is not in the folder" in found.lost
    assert found.black == 1


@settings(max_examples=6, deadline=None)
@given(VERSIONS, st.integers(0, 2))
def test_black_pieces_need_not_be_stored_and_are_counted(tmp_path_factory, version, copies):
    folder = saved(tmp_path_factory.mktemp("z"), cut_out(copies), version=version, copies=copies)
    found = read_header(folder)
    assert found.lost == ""
    assert found.black == sum(
        not cut_out(copies)[y : y + PIECE, x : x + PIECE].any()
        for y in range(0, SIDE, PIECE)
        for x in range(0, SIDE, PIECE)
    )


@settings(max_examples=8, deadline=None)
@given(VERSIONS, st.integers(0, 1), st.booleans(), st.integers(0, 1), st.integers(0, 1))
def test_signal_that_is_lost_beside_black_is_a_loss(
    tmp_path_factory, version, copies, keep_black, y, x
):
    folder = saved(
        tmp_path_factory.mktemp("z"),
        cut_out(1),
        version=version,
        copies=copies,
        keep_black=keep_black,
    )
    piece_of(folder, y, x).unlink()
    assert read_header(folder).lost


def test_where_black_pieces_are_stored_a_missing_one_is_lost(tmp_path):
    folder = saved(tmp_path, cut_out(1), copies=0, keep_black=True)
    assert read_header(folder).black == 0
    piece_of(folder, 3, 3).unlink()
    assert "stored elsewhere" in read_header(folder).lost


def test_a_damaged_copy_hides_no_loss(tmp_path):
    folder = saved(tmp_path, camera(3), copies=1, version="0.4")
    for path in (folder / "1").rglob("*"):
        if path.is_file() and not path.name.startswith("."):
            path.write_bytes(b"torn")
    piece_of(folder, 1, 1).unlink()
    assert read_header(folder).lost


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("{", "cannot be read"),
        ("{}", "states no fields"),
        ('{"well": {"images": 3}}', "states no fields"),
        ('{"well": {"images": [{}]}}', "without its folder"),
        ('{"well": {"images": [{"path": "../../B/2/0"}]}}', "without its folder"),
        (None, "is not in the plate"),
    ],
)
def test_a_broken_well_is_named_and_hides_no_other(tmp_path, said, reason):
    plate = tmp_path / "p.zarr"
    (plate / "B" / "2").mkdir(parents=True)
    (plate / "B" / "2" / ".zattrs").write_text('{"well": {"images": [{"path": "0"}]}}')
    wells = [{"path": "A/1"}, {"path": "B/2"}, {}]
    (plate / ".zattrs").write_text(json.dumps({"plate": {"wells": wells}}))
    if said is not None:
        (plate / "A" / "1").mkdir(parents=True)
        (plate / "A" / "1" / ".zattrs").write_text(said)
    assert images_in(plate) == ("B/2/0",)
    broken = broken_wells(plate)
    assert set(broken) == {"A/1", "well 3"}
    assert reason in broken["A/1"]


def test_pieces_with_a_checksum_behind_blosc_are_whole(tmp_path):
    pixels = np.random.default_rng(5).integers(1, 900, (48, 64), dtype=np.uint16)
    compressors = [zarr.codecs.BloscCodec(cname="lz4", typesize=2), zarr.codecs.Crc32cCodec()]
    array = zarr.create_array(
        str(tmp_path / "0"), data=pixels, chunks=(16, 32), compressors=compressors, zarr_format=3
    )
    refuse_cut_pieces(tmp_path / "0", array, "YX", {})
    np.testing.assert_array_equal(array[:], pixels)
