"""Time is no depth, and several fields of one file are sites: every plane is read or counted."""

import itertools
import math
from collections import Counter

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.stages.read.read_folders import by_id, codes, put, put_table, read

from cellwise.domain.plain_words import counted
from cellwise.domain.steps import Job
from cellwise.errors import PreflightError
from cellwise.stages.read.step import work
from cellwise.store.images.fields import read_pixels

HEIGHT, WIDTH = 6, 7


def planes(first, *lead):
    """Planes of one number each, counted from `first`: `[*lead, y, x]`."""
    numbers = first + np.arange(math.prod(lead)).reshape(lead)
    return np.broadcast_to(numbers[..., None, None], (*lead, HEIGHT, WIDTH)).astype(np.uint16)


def write_series(path, shapes):
    """An OME-TIFF with one Image per shape `(t, c, z)`; gives the planes of each."""
    first, written = 1, []
    with tifffile.TiffWriter(path, ome=True) as writer:
        for shape in shapes:
            written.append(planes(first, *shape))
            first += math.prod(shape)
            writer.write(written[-1], photometric="minisblack", metadata={"axes": "TCZYX"})
    return written


def seen(reading, folder):
    """The number that each channel of each usable site is read as."""
    return {
        (site.id, entry.channel.name): int(read_pixels(entry, folder).max())
        for site in reading.usable
        for entry in site.files
    }


SHAPES = st.integers(1, 3).flatmap(
    lambda channels: st.lists(
        st.tuples(st.integers(1, 3), st.just(channels), st.integers(1, 3)), min_size=1, max_size=3
    )
)


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(shapes=SHAPES)
def test_every_plane_of_a_file_is_read_once_or_counted(tmp_path_factory, shapes):
    folder = tmp_path_factory.mktemp("in")
    written = write_series(folder / "B02.ome.tif", shapes)
    timed = any(shape[0] > 1 for shape in shapes)
    expected = {}
    for number, pixels in enumerate(written, start=1):
        for t, c in itertools.product(range(pixels.shape[0]), range(pixels.shape[1])):
            series = f"_s{number:02d}" if len(shapes) > 1 else ""
            time = f"_t{t + 1:04d}" if timed else ""
            # A stack is its brightest plane: the last one.
            expected[f"B02{series}{time}", c] = int(pixels[t, c].max())
    each = read(folder, time="each", layout="multichannel")
    found = seen(each, folder)
    assert sorted(found.values()) == sorted(expected.values())
    assert {site for site, _ in found} == {site for site, _ in expected}
    depth = sum(s[2] > 1 for s in shapes)
    assert depth == 0 or any("stacks" in note for note in each.notes)

    first = read(folder, time="first", series="first", layout="multichannel")
    assert sorted(seen(first, folder).values()) == sorted(written[0][0].max(axis=(1, 2, 3)))
    notes = " ".join(first.notes)
    assert (counted(len(shapes) - 1, "further fields") in notes) == (len(shapes) > 1)
    assert (counted(shapes[0][0] - 1, "further time points") in notes) == (shapes[0][0] > 1)

    refused = read(folder, layout="multichannel")
    aside = sum(shape[0] > 1 for shape in shapes)
    assert codes(refused) == ["time_series"] * aside
    assert len(refused.usable) == len(shapes) - aside


NAMES = {
    "harmony": "r02c03f01p01-ch{c}sk{t}fk1fl1.tiff",
    "incell": "B - 03(fld 1 wv {c} - {c} time {t} - 0ms).tif",
    "incell_new": "B_3_f1_c{c}_x{c}_m{c}_t{t}.tif",
    "cv7000": "P1_B03_T000{t}F001L01A01Z01C0{c}.tif",
    "imagexpress": "TimePoint_{t}/W1_B03_s1_w{c}0A1B2C3D-0A1B-0A1B-0A1B-0A1B2C3D4E5F.tif",
}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_time_points_in_names_are_no_planes(tmp_path, name):
    put(tmp_path, *(name.format(c=c, t=t) for c in (1, 2) for t in (1, 2, 5)))
    reading = read(tmp_path)
    assert codes(reading) == ["time_series"]
    assert "read.time=each" in reading.problems[0].remedy
    each = read(tmp_path, time="each")
    assert [site.id[-6:] for site in each.usable] == ["_t0001", "_t0002", "_t0005"]
    assert {site.metadata["TimePoint"] for site in each.usable} == {"1", "2", "5"}
    assert len({site.metadata["TimeSeries"] for site in each.usable}) == 1
    assert all(len(entry.paths) == 1 for site in each.usable for entry in site.files)
    (site,) = read(tmp_path, time="first").usable
    assert all(len(entry.paths) == 1 for entry in site.files)


def test_one_time_point_is_no_series_and_ids_stay(tmp_path):
    put(tmp_path, *(f"r01c0{w}f01p0{z}-ch1sk1fk1fl1.tiff" for w in (1, 2) for z in (1, 2)))
    for time in ("refuse", "each", "first"):
        reading = read(tmp_path, time=time)
        assert [site.id for site in reading.usable] == ["A01_1", "A02_1"]
        assert all(len(site.files[0].paths) == 2 for site in reading.usable)


def test_a_folder_of_time_series_is_refused_before_work_with_the_words_to_go_on(tmp_path):
    put(tmp_path / "in", *(f"r01c01f01p01-ch1sk{t}fk1fl1.tiff" for t in (1, 2)))
    (tmp_path / "run").mkdir()
    job = Job(tmp_path / "run", tmp_path / "in", "read", {}, "key", seed=0)
    with pytest.raises(PreflightError, match=r"2 time points.*--set read\.time=each"):
        work(job, lambda *_: None)


def test_a_field_with_one_time_point_among_series_is_named_alike(tmp_path):
    put(tmp_path, *(f"r01c01f01p01-ch1sk{t}fk1fl1.tiff" for t in (1, 2)))
    put(tmp_path, "r01c02f01p01-ch1sk1fk1fl1.tiff")
    ids = [site.id for site in read(tmp_path, time="each").usable]
    assert ids == ["A01_1_t0001", "A01_1_t0002", "A02_1_t0001"]
    assert [site.id for site in read(tmp_path).usable] == ["A02_1"]


def test_planes_that_were_appended_one_by_one_are_channels(tmp_path):
    for number, well in enumerate(("A01", "A02", "A03")):
        for page in range(2):
            pixels = planes(1 + 10 * number + page)
            tifffile.imwrite(
                tmp_path / f"{well}.tif", pixels, append=page > 0, photometric="minisblack"
            )
    reading = read(tmp_path)
    assert reading.layout == "multichannel"
    assert seen(reading, tmp_path)["A02", "ch2"] == 12
    assert any("not say what their pages are" in note for note in reading.notes)


def test_images_that_are_not_alike_set_the_site_aside(tmp_path):
    for well in ("A01", "A02"):
        tifffile.imwrite(tmp_path / f"{well}.tif", planes(5), photometric="minisblack")
    tifffile.imwrite(tmp_path / "A02.tif", planes(7).astype(np.uint8), append=True)
    reading = read(tmp_path)
    assert reading.status == {"A01": "ok", "A02": "uneven_series"}
    assert "uint8" in reading.problems[0].reason
    first = read(tmp_path, series="first")
    assert len(first.usable) == 2
    assert any("more that is not read" in note for note in first.notes)


def test_pyramids_and_labels_are_named_and_the_full_resolution_is_read(tmp_path):
    path = tmp_path / "A01.ome.tif"
    big = np.random.default_rng(1).integers(0, 999, (64, 48), np.uint16)
    with tifffile.TiffWriter(path, ome=True) as writer:
        writer.write(big, subifds=2, photometric="minisblack")
        for step in (2, 4):
            writer.write(big[::step, ::step], subfiletype=1, photometric="minisblack")
        small = np.zeros((10, 12, 3), np.uint8)
        writer.write(small, photometric="rgb", metadata={"Name": "macro image"})
    reading = read(tmp_path)
    (site,) = reading.usable
    np.testing.assert_array_equal(read_pixels(site.files[0], tmp_path), big)
    notes = " ".join(reading.notes)
    assert "2 smaller copies" in notes
    assert "macro image" in notes


def test_planes_that_a_file_states_and_does_not_hold_set_the_site_aside(tmp_path):
    write_series(tmp_path / "A01.ome.tif", [(1, 2, 1)])
    write_series(tmp_path / "A02.ome.tif", [(1, 2, 1)])
    content = (tmp_path / "A02.ome.tif").read_bytes()
    (tmp_path / "A02.ome.tif").write_bytes(content.replace(b'SizeC="2"', b'SizeC="3"'))
    assert read(tmp_path).status == {"A01": "ok", "A02": "planes_missing"}


def test_labels_of_a_field_are_those_of_its_time_points(tmp_path):
    for folder in ("Alpha", "Beta"):
        (tmp_path / folder).mkdir()
        write_series(tmp_path / folder / "x1.ome.tif", [(2, 1, 1)])
    reading = read(tmp_path, time="each", layout="class_folders")
    assert {site.id: site.labels for site in reading.usable} == {
        "Alpha_x1_t0001": ("Alpha",),
        "Alpha_x1_t0002": ("Alpha",),
        "Beta_x1_t0001": ("Beta",),
        "Beta_x1_t0002": ("Beta",),
    }
    assert by_id(reading)["Beta_x1_t0002"].metadata["TimeSeries"] == "Beta/x1"


def test_a_row_about_a_field_is_about_its_time_points(tmp_path):
    put(tmp_path / "in", *(f"r01c0{w}f01p01-ch1sk{t}fk1fl1.tiff" for w in (1, 2) for t in (1, 2)))
    for key, names in (("well", ("A01", "A02")), ("site_id", ("A01_1", "A02_1"))):
        table = put_table(tmp_path / "l.csv", (key, "label"), (names[0], "x"), (names[1], "y"))
        reading = read(tmp_path / "in", time="each", labels=str(table))
        assert [site.labels for site in reading.usable] == [("x",), ("x",), ("y",), ("y",)]
        assert not reading.problems


FREE = (
    (
        "A01_t{0:03d}_DAPI.tif",
        "A01_t{0:03d}_GFP.tif",
        "A02_t{0:03d}_DAPI.tif",
        "A02_t{0:03d}_GFP.tif",
    ),
    ("a_time-{0}_dapi.tif", "a_time-{0}_gfp.tif", "b_time-{0}_dapi.tif", "b_time-{0}_gfp.tif"),
    ("one-tp{0}-dapi.tif", "one-tp{0}-gfp.tif", "two-tp{0}-dapi.tif", "two-tp{0}-gfp.tif"),
    ("control/x frame{0:02d}.tif", "treated/y frame{0:02d}.tif"),
)


@pytest.mark.parametrize("names", FREE)
def test_time_in_names_of_no_layout_is_asked_for_and_stays_together(tmp_path, names):
    put(tmp_path, *(name.format(point) for point in (1, 2, 3) for name in names))
    with pytest.raises(PreflightError, match=r"read\.time=each"):
        work(Job(tmp_path / "run", tmp_path, "read", {}, key="k", seed=0), lambda *_: None)
    reading = read(tmp_path, time="each")
    assert len(reading.usable) == 6
    held = Counter(site.metadata["TimeSeries"] for site in reading.usable)
    assert sorted(held.values()) == [3, 3]
    assert all(site.id.endswith(("_t0001", "_t0002", "_t0003")) for site in reading.usable)


@pytest.mark.parametrize(
    "names",
    [
        ("A01_t001_DAPI.tif", "A02_t001_DAPI.tif"),
        ("cut_a.tif", "cut_b.tif"),
        ("rat1_dapi.tif", "rat2_dapi.tif"),
        ("a.tif", "a_t1.tif", "a_t2.tif"),
    ],
)
def test_names_without_a_series_of_times_stay_as_they_are(tmp_path, names):
    put(tmp_path, *names)
    reading = read(tmp_path)
    assert len(reading.usable) == len(names)
    assert not any("TimeSeries" in site.metadata for site in reading.sites)
