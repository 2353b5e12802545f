"""Folders of microscopes' files and of OME-Zarr: the rules of TIFF hold, nothing is passed over."""

import json
import shutil

import numpy as np
import pytest
import tifffile
import typer
from tests.stages.read.read_folders import by_id, channels, codes, put, read
from tests.store.images.microscope_bytes import lif, stand_in
from tests.store.images.zarr_folders import put_zarr

from cellwise.app.cli import app
from cellwise.domain.steps import Job
from cellwise.flow.pipeline.files.listed import list_files
from cellwise.stages.read import step
from cellwise.store.images import microscope_files
from cellwise.store.images.fields import read_field
from cellwise.store.run.folder import RunFolder, read_json
from cellwise.store.run.sites import read_sites


def silent(done, total, note):
    pass


def pixels(*shape):
    return np.random.default_rng(sum(shape)).integers(0, 4096, shape).astype("uint16")


@pytest.fixture
def leica(tmp_path, monkeypatch):
    """Two fields of two channels, three depths and two times in each file, and their pixels."""
    fields = [pixels(2, 2, 3, 24, 32), pixels(2, 2, 3, 20, 32)]
    scenes = [("TCZYX", array, ["DAPI", "GFP"], 0.4) for array in fields]
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("A01.lif", "A02.lif"):
        lif(folder / name, ("one", pixels(1, 1, 1, 4, 4)))
    stand_in(monkeypatch, {"A01.lif": scenes, "A02.lif": scenes}, "bioio_lif")
    return folder, fields


def test_times_are_asked_for_and_series_are_sites(leica):
    folder, fields = leica
    refused = read(folder)
    assert set(codes(refused)) == {"time_series"}
    assert len(refused.sites) == 4
    reading = read(folder, time="each")
    assert [site.id for site in reading.usable][:4] == [
        f"A01_s0{series}_t000{time}" for series in (1, 2) for time in (1, 2)
    ]
    assert set(channels(reading)) == {"DAPI", "GFP"}
    assert any("several fields" in note for note in reading.notes)
    assert any("stacks" in note for note in reading.notes)
    site = by_id(reading)["A02_s02_t0002"]
    assert site.pixel_size == 0.4
    assert site.metadata["Well"] == "A02"
    shown = read_field(site, folder).pixels
    scale = reading.scales["GFP"].of("uint16")
    np.testing.assert_allclose(
        shown[1], np.clip(fields[1][1, 1].max(axis=0) / scale.one, 0, 1), atol=1e-6
    )
    middle = read(folder, time="first", stack="mid", series="first")
    assert len(middle.usable) == 2
    np.testing.assert_allclose(
        read_field(middle.usable[0], folder).pixels[0] * scale.one, fields[0][0, 0, 1], atol=0.5
    )


def test_a_torn_file_is_set_aside_with_its_reason(leica):
    folder, _ = leica
    torn = folder / "A02.lif"
    torn.write_bytes(torn.read_bytes()[:-3])
    reading = read(folder, time="each")
    (problem,) = [p for p in reading.problems if p.set_aside]
    assert (problem.code, problem.path) == ("truncated", "A02.lif")
    assert len(reading.usable) == 4


def test_without_the_reader_the_files_are_a_line_and_read_once_it_is_there(
    leica, tmp_path, monkeypatch
):
    folder, _ = leica
    put(folder, "B01.png")
    job = Job(tmp_path / "run", folder, "read", {"time": "first"}, "key", 0, workers=2)
    with monkeypatch.context() as patch:
        for module in (microscope_files, step):
            patch.setattr(module, "can_read", lambda ending: False)
        patch.setattr("cellwise.stages.read.listing.can_read", lambda ending: False)
        counts = step.work(job, silent)
        assert step.whole(job, counts)
    (problem,) = read_json(RunFolder(tmp_path / "run").reading)["problems"]
    assert "2 .lif (Leica)" in problem["reason"]
    assert "pip install 'cellwise[bioio]'" in problem["remedy"]
    assert counts["sites"] == 1
    assert not step.whole(job, counts)


def test_an_ome_zarr_is_one_file_of_a_folder(tmp_path):
    arrays = {f"A0{n}": pixels(2, 2, 20, 24 + n) for n in (1, 2)}
    for well, array in arrays.items():
        put_zarr(
            tmp_path / "in" / f"{well}.ome.zarr",
            array,
            "czyx",
            names=("DAPI", "GFP"),
            pixel_size=0.6,
            version="0.5" if well == "A01" else "0.4",
        )
    step.work(Job(tmp_path / "run", tmp_path / "in", "read", {}, "key", 0, workers=2), silent)
    sites = {site.id: site for site in read_sites(RunFolder(tmp_path / "run").sites)}
    assert sorted(sites) == ["A01", "A02"]
    for well, site in sites.items():
        assert site.pixel_size == 0.6
        assert [c.name for c in site.channels] == ["DAPI", "GFP"]
        shown = read_field(site, tmp_path / "in").pixels
        expected = arrays[well].max(axis=1)
        np.testing.assert_allclose(shown / shown.max(), expected / expected.max(), atol=2e-3)


@pytest.mark.parametrize("axes", ["cyx", "yx"])
def test_the_fields_of_a_plate_are_sites_of_its_wells(tmp_path, axes):
    plate = tmp_path / "P7.ome.zarr"
    wells = {"A/1": ("0", "1"), "B/12": ("0",)}
    for well, images in wells.items():
        for number in images:
            shape = (2, 20, 24) if axes == "cyx" else (20, 24)
            put_zarr(plate / well / number, pixels(*shape), axes, version="0.4")
        said = {"well": {"images": [{"path": number} for number in images]}}
        (plate / well / ".zattrs").write_text(json.dumps(said))
    said = {"plate": {"wells": [{"path": well} for well in wells]}}
    (plate / ".zattrs").write_text(json.dumps(said))
    (plate / ".zgroup").write_text('{"zarr_format": 2}')
    reading = read(tmp_path)
    assert [site.id for site in reading.usable] == ["P7_A01_0", "P7_A01_1", "P7_B12_0"]
    assert {site.metadata["Well"] for site in reading.sites} == {"A01", "B12"}
    assert {site.metadata["Plate"] for site in reading.sites} == {"P7"}
    shutil.rmtree(plate / "A" / "1" / "0")
    lost = read(tmp_path)
    assert [(p.code, p.path) for p in lost.problems] == [("not_found", "P7.ome.zarr/A/1/0")]
    assert len(lost.usable) == 2
    left = ("A/1/1", "B/12/0")
    assert set(list_files(tmp_path).files["path"]) >= {f"P7.ome.zarr/{place}" for place in left}


def test_a_well_that_is_broken_is_set_aside_and_the_others_are_read(tmp_path):
    plate = tmp_path / "P7.zarr"
    for well in ("A/1", "B/2", "C/3"):
        put_zarr(plate / well / "0", pixels(20, 24), "yx")
        (plate / well / ".zattrs").write_text('{"well": {"images": [{"path": "0"}]}}')
    wells = [{"path": well} for well in ("A/1", "B/2", "C/3")]
    (plate / ".zattrs").write_text(json.dumps({"plate": {"wells": wells}}))
    (plate / "B" / "2" / ".zattrs").write_text('{"well": ')
    reading = read(tmp_path)
    assert [site.id for site in reading.usable] == ["P7_A01_0", "P7_C03_0"]
    (problem,) = reading.problems
    assert (problem.code, problem.path) == ("well_unreadable", "P7.zarr/B/2")
    assert problem.set_aside


def test_lost_pieces_set_a_site_aside_unless_they_are_to_be_black(tmp_path):
    for well in ("A01", "A02", "A03"):
        put_zarr(tmp_path / f"{well}.zarr", pixels(2, 20, 24) + 1, "cyx", pieces=(1, 10, 12))
    (tmp_path / "A02.zarr" / "0" / "1" / "0" / "1").unlink()
    reading = read(tmp_path)
    (problem,) = reading.problems
    assert (problem.code, problem.site_id) == ("planes_missing", "A02")
    assert "Of 8 pieces of the image, 1 is not" in problem.reason
    assert "--set read.gaps=black" in problem.remedy
    assert len(reading.usable) == 2
    black = read(tmp_path, gaps="black")
    assert len(black.usable) == 3
    assert any("read as black: 1 piece of 1 image" in note for note in black.notes)
    assert black.again["gaps"] == "black"
    assert "gaps" not in reading.again


@pytest.mark.parametrize("kind", ["ome", "imagej", "tags", "zarr"])
@pytest.mark.parametrize("down", [0.25, 1.1])
def test_pixels_that_are_not_square_are_named(tmp_path, kind, down):
    for number, height in enumerate((down, 0.5, 0.502)):
        path = tmp_path / f"A0{number + 1}.{'zarr' if kind == 'zarr' else 'tif'}"
        per = (1 / 0.5, 1 / height)
        more: dict = {
            "ome": {"metadata": {"PhysicalSizeX": 0.5, "PhysicalSizeY": height}},
            "imagej": {"imagej": True, "metadata": {"unit": "um"}, "resolution": per},
            "tags": {"resolution": tuple(1e4 * n for n in per), "resolutionunit": "CENTIMETER"},
        }
        if kind == "zarr":
            put_zarr(path, pixels(20, 24), "yx", pixel_size=0.5, pixel_height=height)
        else:
            name = path.with_suffix(".ome.tif") if kind == "ome" else path
            tifffile.imwrite(name, pixels(20, 24), photometric="minisblack", **more[kind])
    reading = read(tmp_path)
    assert [(p.code, p.path[:3]) for p in reading.problems] == [("pixels_oblong", "A01")]
    assert f"{down:.4g} µm down and 0.5 µm across" in reading.problems[0].reason
    told = read(tmp_path, pixel_size=0.5)
    assert not told.problems
    assert {site.pixel_size for site in told.sites} == {0.5}


def test_check_says_what_it_would_do_with_them(tmp_path, capsys):
    for well in ("A01", "A02"):
        put_zarr(tmp_path / f"{well}.zarr", pixels(2, 2, 64, 64), "tcyx", names=("DAPI", "GFP"))
    with pytest.raises((SystemExit, typer.Exit)):
        typer.main.get_command(app)(["check", str(tmp_path), "--json"], prog_name="cellwise")
    shown = json.loads(capsys.readouterr().out)
    assert "time_series" in json.dumps(shown)
