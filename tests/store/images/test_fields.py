"""Images are decoded exactly or refused; a damaged file never gives part of an array."""

import pickle
import warnings
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile

from cellwise.domain.channels import Channel
from cellwise.domain.records import ChannelFile, Site
from cellwise.errors import InputError
from cellwise.store.images.fields import read_field, read_field_with_flags, read_header, read_pixels


def entry(*paths, plane=None, colour=False, name="dna"):
    return ChannelFile(Channel(name), tuple(paths), plane, colour)


def site(*files, pixel_size=None):
    return Site("A01", "A01", tuple(files), pixel_size=pixel_size)


def noise(dtype="uint16", shape=(60, 80)):
    top = np.iinfo(dtype).max
    return np.random.default_rng(0).integers(0, top + 1, shape, dtype=dtype)


def save(path, pixels, **options):
    if path.suffix in (".tif", ".tiff"):
        tifffile.imwrite(path, pixels, **{"photometric": "minisblack", **options})
    else:
        Image.fromarray(pixels).save(path, **options)
    return path


def code_of(call):
    with pytest.raises(InputError) as caught:
        call()
    assert caught.value.reason
    assert caught.value.remedy
    return caught.value.code


EXACT: list[tuple[str, str, dict[str, Any]]] = [
    ("a.png", "uint8", {}),
    ("a.png", "uint16", {}),
    ("a.bmp", "uint8", {}),
    ("a.tif", "uint8", {}),
    ("a.tif", "uint16", {}),
    ("a.tif", "uint16", {"compression": "zlib"}),
    ("a.tif", "uint16", {"compression": "zlib", "tile": (32, 32)}),
    ("a.tif", "uint16", {"compression": "lzw"}),
    ("a.tif", "uint16", {"byteorder": ">"}),
    ("a.tif", "uint16", {"bigtiff": True}),
    ("a.tif", "uint32", {}),
]


@pytest.mark.parametrize(("name", "dtype", "options"), EXACT)
def test_pixels_come_back_as_stored(tmp_path, name, dtype, options):
    pixels = noise(dtype)
    save(tmp_path / name, pixels, **options)
    read = read_pixels(entry(name), tmp_path)
    assert read.dtype == pixels.dtype
    np.testing.assert_array_equal(read, pixels)


def test_lossless_webp_comes_back_as_stored(tmp_path):
    pixels = noise("uint8")
    Image.fromarray(pixels).save(tmp_path / "a.webp", lossless=True)
    np.testing.assert_array_equal(read_pixels(entry("a.webp"), tmp_path), pixels)


def test_the_largest_16_bit_number_becomes_one(tmp_path):
    save(tmp_path / "a.png", np.array([[0, 1, 65535]], np.uint16))
    save(tmp_path / "b.png", np.array([[0, 1, 255]], np.uint8))
    field = read_field(site(entry("a.png"), entry("b.png", name="er")), tmp_path)
    assert field.pixels.dtype == np.float32
    np.testing.assert_array_equal(field.pixels[0, 0], np.array([0, 1 / 65535, 1], np.float32))
    np.testing.assert_array_equal(field.pixels[1, 0], np.array([0, 1 / 255, 1], np.float32))


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    dtype=st.sampled_from(["uint8", "uint16"]),
    ending=st.sampled_from([".png", ".tif"]),
    height=st.integers(1, 9),
    width=st.integers(1, 9),
    seed=st.integers(0, 99),
)
def test_any_grey_image_is_read_as_numbers_over_its_types_maximum(
    tmp_path, dtype, ending, height, width, seed
):
    top = np.iinfo(dtype).max
    pixels = np.random.default_rng(seed).integers(0, top + 1, (height, width), dtype=dtype)
    save(tmp_path / f"a{ending}", pixels)
    field = read_field(site(entry(f"a{ending}")), tmp_path)
    slow = [[[float(np.float32(v) / np.float32(top)) for v in row] for row in pixels]]
    assert field.pixels.tolist() == slow


def test_floats_up_to_one_stay_and_larger_ones_take_the_smallest_scale_that_covers_them(tmp_path):
    for top, scale in ((1.0, 1), (200, 255), (4000, 4095), (60000, 65535), (1e6, 1e6)):
        save(tmp_path / "f.tif", np.array([[0, top]], np.float32))
        field, flags = read_field_with_flags(site(entry("f.tif")), tmp_path)
        assert field.pixels[0, 0, 1] == pytest.approx(top / scale)
        assert flags == {"dna": [] if scale == 1 else ["float_scaled"]}


def test_nan_infinity_and_negative_numbers_become_zero_and_are_flagged(tmp_path):
    save(tmp_path / "f.tif", np.array([[np.nan, np.inf, -0.5, 0.25]], np.float32))
    field, flags = read_field_with_flags(site(entry("f.tif")), tmp_path)
    assert field.pixels[0, 0].tolist() == [0, 0, 0, 0.25]
    assert flags == {"dna": ["nan", "negative"]}
    save(tmp_path / "all.tif", np.full((3, 3), np.nan, np.float32))
    assert not read_field(site(entry("all.tif")), tmp_path).pixels.any()


CUTS = [0.1, 0.5, 0.9, 0.99, -1, -2, -12, -30]
FORMATS = [
    *[("a.png", dtype, {}) for dtype in ("uint8", "uint16")],
    ("a.jpg", "uint8", {}),
    ("a.jpg", "uint8", {"progressive": True}),
    ("a.webp", "uint8", {"lossless": True}),
    ("a.bmp", "uint8", {}),
    ("a.tif", "uint16", {}),
    ("a.tif", "uint16", {"compression": "zlib"}),
    ("a.tif", "uint16", {"compression": "lzw"}),
    ("a.tif", "uint16", {"compression": "zlib", "tile": (32, 32)}),
    ("a.tif", "uint16", {"bigtiff": True}),
    ("a.tif", "uint8", {"compression": "jpeg"}),
]


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize(("name", "dtype", "options"), FORMATS)
def test_a_cut_file_is_refused_whatever_its_format(tmp_path, name, dtype, options, cut):
    path = save(tmp_path / name, noise(dtype, (200, 300)), **options)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * cut) if cut > 0 else len(content) + cut])
    assert code_of(lambda: read_pixels(entry(name), tmp_path)) == "truncated"
    if not name.endswith(".bmp"):
        assert code_of(lambda: read_header(path)) == "truncated"


@pytest.mark.parametrize("options", [{}, {"compression": "zlib"}])
@pytest.mark.parametrize("cut", [0.4, 0.5, 0.7, 0.9, 0.99])
def test_a_cut_stack_does_not_lose_its_last_channels(tmp_path, options, cut):
    pixels = noise(shape=(3, 100, 100))
    metadata = {"axes": "CYX", "Channel": {"Name": ["a", "b", "c"]}}
    path = save(tmp_path / "a.ome.tif", pixels, metadata=metadata, **options)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * cut)])
    assert code_of(lambda: read_header(path)) == "truncated"
    assert code_of(lambda: read_pixels(entry(path.name, plane=0), tmp_path)) == "truncated"


def test_a_setting_of_another_package_does_not_make_half_images_whole(tmp_path, monkeypatch):
    path = save(tmp_path / "a.jpg", noise("uint8", (200, 200)))
    content = path.read_bytes()
    # A preview's end mark lies in a comment, so that only the decoder can notice the cut.
    comment = b"\xff\xfe\x00\x04\xff\xd9"
    path.write_bytes((content[:2] + comment + content[2:])[: len(content) // 2])
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    assert code_of(lambda: read_pixels(entry("a.jpg"), tmp_path)) == "truncated"


@pytest.mark.parametrize("tag", ["StripOffsets", "StripByteCounts"])
def test_pixels_that_were_never_written_are_no_zeros(tmp_path, tag):
    path = save(tmp_path / "a.tif", noise(), rowsperstrip=20)
    with tifffile.TiffFile(path, mode="r+b") as tiff:
        values = tiff.pages[0].tags[tag].value
        tiff.pages[0].tags[tag].overwrite((*values[:-1], 0))
    assert code_of(lambda: read_pixels(entry("a.tif"), tmp_path)) == "truncated"


def test_damaged_bytes_inside_a_png_are_refused(tmp_path):
    path = save(tmp_path / "a.png", noise("uint8", (100, 100)))
    content = bytearray(path.read_bytes())
    for position in range(2000, 2040):
        content[position] ^= 0xFF
    path.write_bytes(bytes(content))
    assert code_of(lambda: read_pixels(entry("a.png"), tmp_path)) in ("unreadable", "truncated")


def test_empty_missing_and_foreign_files_are_told_apart(tmp_path):
    (tmp_path / "zero.png").write_bytes(b"")
    (tmp_path / "text.tif").write_text("<html>not here</html>")
    (tmp_path / "folder.png").mkdir()
    assert code_of(lambda: read_header(tmp_path / "zero.png")) == "empty_file"
    assert code_of(lambda: read_pixels(entry("zero.png"), tmp_path)) == "empty_file"
    assert code_of(lambda: read_header(tmp_path / "text.tif")) == "unreadable"
    assert code_of(lambda: read_header(tmp_path / "none.png")) == "not_found"
    assert code_of(lambda: read_header(tmp_path / "folder.png")) == "unreadable"


def test_an_error_names_its_file_and_survives_pickling(tmp_path):
    with pytest.raises(InputError) as caught:
        read_header(tmp_path / "none.png")
    copy = pickle.loads(pickle.dumps(caught.value))
    assert copy.path.endswith("none.png")
    assert (copy.code, copy.reason) == ("not_found", caught.value.reason)


def test_content_counts_and_not_the_ending(tmp_path):
    save(tmp_path / "a.png", noise("uint8"))
    (tmp_path / "a.png").rename(tmp_path / "a.tif")
    np.testing.assert_array_equal(read_pixels(entry("a.tif"), tmp_path), noise("uint8"))


@pytest.mark.parametrize("ending", [".png", ".tif", ".webp"])
def test_colours_are_refused_unless_equal_or_declared(tmp_path, ending):
    name = f"a{ending}"
    grey = noise("uint8", (20, 30))
    special: dict[str, Any] = {".tif": {"photometric": "rgb"}, ".webp": {"lossless": True}}
    options = special.get(ending, {})
    save(tmp_path / name, np.stack([grey] * 3, -1), **options)
    np.testing.assert_array_equal(read_pixels(entry(name), tmp_path), grey)

    colours = np.stack([grey, np.zeros_like(grey), grey // 2], -1)
    save(tmp_path / name, colours, **options)
    assert code_of(lambda: read_pixels(entry(name), tmp_path)) == "colour"
    np.testing.assert_array_equal(read_pixels(entry(name, colour=True), tmp_path), grey)
    assert read_header(tmp_path / name).colour


def test_transparency_is_dropped(tmp_path):
    grey = noise("uint8", (20, 30))
    alpha = np.full_like(grey, 7)
    Image.fromarray(np.stack([grey, grey, grey, alpha], -1)).save(tmp_path / "rgba.png")
    Image.fromarray(np.stack([grey, alpha], -1)).save(tmp_path / "la.png")
    np.testing.assert_array_equal(read_pixels(entry("rgba.png"), tmp_path), grey)
    np.testing.assert_array_equal(read_pixels(entry("la.png"), tmp_path), grey)


def test_sixteen_bit_colours_are_refused_because_a_byte_would_be_lost(tmp_path):
    import struct
    import zlib

    def chunk(name, body):
        return (
            struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        )

    header = struct.pack(">IIBBBBB", 2, 1, 16, 2, 0, 0, 0)
    body = zlib.compress(b"\0" + bytes(range(12)))
    content = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body)
    (tmp_path / "deep.png").write_bytes(content + chunk(b"IEND", b""))
    assert code_of(lambda: read_pixels(entry("deep.png", colour=True), tmp_path)) == "colour"


def test_one_bit_and_palette_images_are_read_as_grey(tmp_path):
    bits = noise("uint8", (9, 11)) > 127
    Image.fromarray(bits).save(tmp_path / "bits.png")
    np.testing.assert_array_equal(read_pixels(entry("bits.png"), tmp_path), bits * np.uint8(255))
    grey = noise("uint8", (9, 11))
    Image.fromarray(grey).convert("P").save(tmp_path / "palette.png")
    np.testing.assert_array_equal(read_pixels(entry("palette.png"), tmp_path), grey)
    colourful = Image.fromarray(grey).convert("P")
    colourful.putpalette([value for n in range(256) for value in (n, 255 - n, 0)])
    colourful.save(tmp_path / "colourful.png")
    assert code_of(lambda: read_pixels(entry("colourful.png"), tmp_path)) == "colour"


def test_cmyk_is_refused(tmp_path):
    Image.new("CMYK", (8, 8)).save(tmp_path / "a.jpg")
    assert code_of(lambda: read_pixels(entry("a.jpg"), tmp_path)) == "colour"


def test_white_is_zero_tiffs_are_turned_round(tmp_path):
    save(tmp_path / "a.tif", noise("uint8"), photometric="miniswhite")
    np.testing.assert_array_equal(read_pixels(entry("a.tif"), tmp_path), 255 - noise("uint8"))


def test_channels_of_one_site_must_have_one_size(tmp_path):
    save(tmp_path / "a.png", noise("uint8", (10, 10)))
    save(tmp_path / "b.png", noise("uint8", (10, 12)))
    files = entry("a.png"), entry("b.png", name="er")
    assert code_of(lambda: read_field(site(*files), tmp_path)) == "size_mismatch"


def test_a_site_without_channels_is_refused(tmp_path):
    assert code_of(lambda: read_field(site(), tmp_path)) == "channel_missing"
    assert code_of(lambda: read_pixels(entry(), tmp_path)) == "channel_missing"


@pytest.mark.parametrize("options", [{}, {"compression": "zlib"}, {"imagej": True}])
def test_a_plane_is_one_channel_and_the_stack_is_projected(tmp_path, options):
    pixels = noise(shape=(4, 3, 20, 30))
    metadata = {"axes": "ZCYX"}
    if "imagej" not in options:
        options = {**options, "ome": True}
    save(tmp_path / "a.tif", pixels, metadata=metadata, **options)
    for channel in range(3):
        read = read_pixels(entry("a.tif", plane=channel), tmp_path)
        np.testing.assert_array_equal(read, pixels[:, channel].max(axis=0))
        middle = read_pixels(entry("a.tif", plane=channel), tmp_path, z="mid")
        np.testing.assert_array_equal(middle, pixels[2, channel])
        third = read_pixels(entry("a.tif#z=3", plane=channel), tmp_path)
        np.testing.assert_array_equal(third, pixels[3, channel])
    refuse = entry("a.tif", plane=0)
    assert code_of(lambda: read_pixels(refuse, tmp_path, z="refuse")) == "z_stack"
    assert code_of(lambda: read_pixels(entry("a.tif", plane=3), tmp_path)) == "channel_missing"
    assert code_of(lambda: read_pixels(entry("a.tif#z=9", plane=0), tmp_path)) == "unreadable"


def test_channels_that_nobody_asked_for_are_not_mixed_into_one(tmp_path):
    save(tmp_path / "a.tif", noise(shape=(3, 9, 9)), metadata={"axes": "CYX"})
    assert code_of(lambda: read_pixels(entry("a.tif"), tmp_path)) == "unreadable"


def test_several_files_are_one_stack(tmp_path):
    pixels = noise(shape=(3, 20, 30))
    for number, plane in enumerate(pixels):
        save(tmp_path / f"z{number}.tif", plane)
    files = entry("z0.tif", "z1.tif", "z2.tif")
    np.testing.assert_array_equal(read_pixels(files, tmp_path), pixels.max(axis=0))
    np.testing.assert_array_equal(read_pixels(files, tmp_path, z="mid"), pixels[1])
    assert code_of(lambda: read_pixels(files, tmp_path, z="refuse")) == "z_stack"
    save(tmp_path / "z1.tif", noise(shape=(5, 5)))
    assert code_of(lambda: read_pixels(files, tmp_path)) == "size_mismatch"


def test_nan_in_one_plane_does_not_hide_the_others(tmp_path):
    stack = np.array([[[np.nan, 0.5]], [[0.25, np.nan]]], np.float32)
    save(tmp_path / "a.tif", stack, imagej=True, metadata={"axes": "ZYX"})
    assert read_pixels(entry("a.tif"), tmp_path).tolist() == [[0.25, 0.5]]


def test_a_file_whose_name_holds_the_plane_mark_is_read_by_its_mark_only_at_the_end(tmp_path):
    save(tmp_path / "a#z=1b.tif", noise())
    np.testing.assert_array_equal(read_pixels(entry("a#z=1b.tif"), tmp_path), noise())


def test_headers_tell_size_type_and_channels(tmp_path):
    for name, dtype, options in EXACT:
        header = read_header(save(tmp_path / name, noise(dtype), **options))
        assert (header.height, header.width, header.dtype) == (60, 80, dtype)
        assert (header.channels, header.axes, header.colour) == (1, "YX", False)


def test_ome_names_and_pixel_sizes_are_read_in_their_units(tmp_path):
    for unit, size, expected in (("µm", 0.325, 0.325), ("nm", 325, 0.325), ("mm", 4e-4, 0.4)):
        metadata = {
            "axes": "CYX",
            "PhysicalSizeX": size,
            "PhysicalSizeXUnit": unit,
            "Channel": {"Name": ["DAPI", "GFP", "ER <b>"]},
        }
        path = save(tmp_path / "a.ome.tif", noise(shape=(3, 20, 30)), metadata=metadata)
        header = read_header(path)
        assert header.pixel_size == pytest.approx(expected)
        assert header.channel_names == ("DAPI", "GFP", "ER <b>")
        assert (header.channels, header.axes) == (3, "CYX")


def test_imagej_names_pixel_size_and_stacks_are_read(tmp_path):
    metadata = {"axes": "ZCYX", "unit": "um", "Labels": ["a", "b"] * 2}
    resolution = (1 / 0.65, 1 / 0.65)
    pixels = noise(shape=(2, 2, 20, 30))
    path = save(tmp_path / "a.tif", pixels, imagej=True, resolution=resolution, metadata=metadata)
    header = read_header(path)
    assert header.pixel_size == pytest.approx(0.65, rel=1e-4)
    assert (header.channels, header.z, header.t, header.axes) == (2, 2, 1, "ZCYX")


def test_resolution_tags_count_only_where_a_microscope_could_have_written_them(tmp_path):
    plausible = save(
        tmp_path / "a.tif", noise(), resolution=(10_000 / 0.5, 10_000 / 0.5), resolutionunit=3
    )
    assert read_header(plausible).pixel_size == pytest.approx(0.5, rel=1e-4)
    printer = save(tmp_path / "b.tif", noise(), resolution=(72, 72), resolutionunit=2)
    assert read_header(printer).pixel_size is None
    assert read_header(save(tmp_path / "c.tif", noise())).pixel_size is None


def test_pages_of_unstated_meaning_are_counted_apart(tmp_path):
    header = read_header(save(tmp_path / "a.tif", noise(shape=(3, 20, 30)), metadata=None))
    assert (header.pages, header.channels, header.z) == (3, 1, 1)


def test_an_image_that_announces_absurd_sizes_is_refused_without_a_warning(tmp_path):
    content = bytearray(save(tmp_path / "a.png", noise("uint8")).read_bytes())
    content[16:24] = b"\x7f\xff\xff\xff" * 2
    (tmp_path / "a.png").write_bytes(bytes(content))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert code_of(lambda: read_header(tmp_path / "a.png")) == "too_large"


def test_a_large_field_is_no_decompression_bomb(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    save(tmp_path / "a.png", noise("uint8"))
    assert read_pixels(entry("a.png"), tmp_path).shape == (60, 80)


def test_the_header_of_every_shared_image_agrees_with_its_pixels(shared_data):
    for name in ("bbbc013_translocation", "nf1_cellpainting", "rxrx1_sites", "bbbc039_nuclei"):
        for path in sorted((shared_data / name / "images").rglob("*.*"))[:4]:
            header = read_header(path)
            pixels = read_pixels(entry(path.name), path.parent)
            assert pixels.shape == (header.height, header.width)
            assert str(pixels.dtype) == header.dtype


def test_public_hpa_colours_are_read_by_their_brightest_colour(shared_data):
    folder = shared_data / "hpa_public_fields" / "images"
    for colour in ("red", "green", "blue", "yellow"):
        name = f"89_B5_1_{colour}.jpg"
        read = read_pixels(entry(name, colour=True), folder)
        with Image.open(folder / name) as image:
            np.testing.assert_array_equal(read, np.asarray(image).max(axis=-1))


@given(
    st.integers(64, 90),
    st.integers(64, 90),
    st.sampled_from([2, 5, 9, 16]),
    st.sampled_from(["uint8", "uint16", "float32"]),
)
@settings(max_examples=12, deadline=None)
def test_channels_written_last_are_channels(tmp_path_factory, height, width, count, dtype):
    folder = tmp_path_factory.mktemp("last")
    pixels = noise("uint8", (height, width, count)).astype(dtype)
    save(folder / "a.tif", pixels)
    header = read_header(folder / "a.tif")
    assert (header.height, header.width, header.channels) == (height, width, count)
    for plane in (0, count - 1):
        found = read_pixels(entry("a.tif", plane=plane), folder)
        np.testing.assert_array_equal(found, pixels[..., plane])


def test_pages_of_narrow_strips_stay_pages(tmp_path):
    save(tmp_path / "a.tif", noise("uint8", (40, 12, 8)))
    header = read_header(tmp_path / "a.tif")
    assert (header.pages, header.height, header.width) == (40, 12, 8)
