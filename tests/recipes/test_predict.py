"""A finished run applied to images that it never saw."""

import json
import zipfile

import numpy as np
import polars as pl
import pytest
import tifffile
from polars.testing import assert_frame_equal
from tests.plates import write_plate
from tests.worlds import draw
from typer.testing import CliRunner

import cellwise
from cellwise.app.cli import app
from cellwise.errors import PreflightError, UsageError
from cellwise.flow.pipeline.run import run_pipeline
from cellwise.flow.request import fitted_request
from cellwise.store.run.models import read_card

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def predicted(finished, tmp_path_factory):
    home = tmp_path_factory.mktemp("new")
    write_plate(home / "images", ["C03", "C04", "D07"], nuclear=lambda well: well == "C04")
    request = fitted_request(finished.path, home / "images", home / "run", workers=1)
    run_pipeline(request)
    return cellwise.open_run(home / "run")


def test_a_folder_laid_out_alike_needs_no_more_words(predicted):
    cells = predicted.cells
    assert set(cells["Metadata_Well"]) == {"C03", "C04", "D07"}
    assert set(cells["part"]) == {"unlabelled"}
    assert cells["fold"].null_count() == cells.height


def test_what_was_learned_holds_for_new_wells(predicted):
    means = dict(predicted.wells.select("Metadata_Well", "Mean_Nuclear").iter_rows())
    assert means["C04"] > max(means["C03"], means["D07"])


def test_nothing_is_learned_anew(predicted):
    assert not (predicted.path / "models").exists()
    assert not (predicted.path / "folds.parquet").exists()


def test_a_runtime_is_chosen_and_said_and_answers_alike(finished, predicted, tmp_path):
    images = predicted.path.parent / "images"
    request = fitted_request(finished.path, images, tmp_path / "run", workers=1, runtime="auto")
    run_pipeline(request)
    record = json.loads((tmp_path / "run" / "run.json").read_text(encoding="utf-8"))
    said = [step["counts"]["runtime"] for step in record["steps"] if step["kind"] == "score"]
    assert said
    assert all(one["tried"][0]["runtime"] == "fp32" for one in said)
    cells = cellwise.open_run(tmp_path / "run").cells
    np.testing.assert_allclose(cells["Prob_Nuclear"], predicted.cells["Prob_Nuclear"], atol=0.05)


def test_new_images_may_come_from_a_zip_file(finished, predicted, tmp_path, monkeypatch):
    monkeypatch.setenv("CELLWISE_CACHE", str(tmp_path / "cache"))
    images = predicted.path.parent / "images"
    with zipfile.ZipFile(tmp_path / "new.zip", "w") as packed:
        for path in sorted(images.iterdir()):
            packed.write(path, f"images/{path.name}")
    words = ["predict", finished.path, tmp_path / "new.zip", "--out", tmp_path / "run"]
    done = CliRunner().invoke(app, [*map(str, words), "--workers", "1"])
    assert done.exit_code == 0
    for name in ("predictions.parquet", "predictions_well.parquet", "wells.parquet"):
        files = [place / name for place in (tmp_path / "run", predicted.path)]
        assert files[0].is_file() == files[1].is_file()
        assert not files[0].is_file() or files[0].read_bytes() == files[1].read_bytes()
    assert (tmp_path / "run" / "predictions.parquet").is_file()


def test_an_array_in_memory_is_enough(finished, predicted):
    pixels = np.stack(draw(1, nuclear=True))
    cells = cellwise.predict(pixels, ["nucleus", "protein"], model=finished.path)
    assert cells.height > 0
    known = predicted.cells.filter(pl.col("Metadata_Well") == "C04")
    np.testing.assert_allclose(cells["Prob_Nuclear"], known["Prob_Nuclear"], atol=1e-5)


@pytest.fixture(scope="module")
def through_files(finished, tmp_path_factory):
    """The table that the pipeline makes of an array saved as one image with several channels."""
    home = tmp_path_factory.mktemp("files")

    def ask(pixels, channels):
        tifffile.imwrite(
            home / "images" / "field.ome.tif",
            pixels,
            metadata={"axes": "CYX", "Channel": {"Name": channels}},
        )
        request = fitted_request(
            finished.path, home / "images", home / "run", layout="multichannel", workers=1
        )
        run_pipeline(request)
        return cellwise.open_run(home / "run").cells

    (home / "images").mkdir()
    return ask


@pytest.mark.parametrize("channels", [["nucleus", "protein"], ["dna", "gfp"], ["gfp", "dna"]])
def test_memory_and_files_give_the_same_table(finished, through_files, channels):
    pixels = np.stack(draw(1, nuclear=True)) * np.uint8(3)
    if channels[0] == "gfp":
        pixels = np.ascontiguousarray(pixels[::-1])
    cells = cellwise.predict(pixels, channels, model=finished.path)
    assert cells.height > 0
    assert_frame_equal(cells, through_files(pixels, channels), check_exact=True)


def test_other_numbers_than_the_models_learned_are_refused(finished, through_files):
    """They learned from 8-bit images: the brightness of others is not known."""
    pixels = np.stack(draw(1, nuclear=True))
    for kind in (np.uint16, np.float32):
        with pytest.raises(UsageError, match=r"8-bit 0\.\.255"):
            cellwise.predict(pixels.astype(kind), ["nucleus", "protein"], model=finished.path)
        with pytest.raises(PreflightError, match=r"(?s)8-bit 0\.\.255.*--set read.scale"):
            through_files(pixels.astype(kind), ["nucleus", "protein"])


def test_floats_in_memory_are_what_the_models_see(finished):
    pixels = np.stack(draw(1, nuclear=True))
    stored = cellwise.predict(pixels, ["nucleus", "protein"], model=finished.path)
    scaled = pixels.astype(np.float32) / np.float32(255)
    assert_frame_equal(
        cellwise.predict(scaled, ["nucleus", "protein"], model=finished.path), stored
    )


def test_the_scale_is_kept_with_the_model(finished):
    for card in sorted(finished.path.glob("models/*/*/model.json")):
        assert read_card(card.parent).scales == {
            "nucleus": "8-bit 0..255",
            "protein": "8-bit 0..255",
        }


def test_a_field_without_cells_is_a_table_without_rows(finished, through_files):
    pixels = np.full((2, 96, 96), 7, np.uint8)
    cells = cellwise.predict(pixels, ["nucleus", "protein"], model=finished.path)
    assert cells.height == 0
    assert_frame_equal(cells, through_files(pixels, ["nucleus", "protein"]))


def test_models_are_loaded_once_and_nothing_is_written(finished, monkeypatch):
    before = {p: p.stat().st_mtime_ns for p in finished.path.rglob("*") if p.is_file()}
    predictor = cellwise.Predictor(finished.path)
    monkeypatch.setattr("cellwise.parts.panel.read_model", None)
    pixels = [np.stack(draw(seed, nuclear=seed == 2)) for seed in (1, 2)]
    found = [predictor(array, ["nucleus", "protein"]) for array in pixels]
    assert found[1]["Prob_Nuclear"].mean() > found[0]["Prob_Nuclear"].mean()
    assert predictor(pixels[0], ["nucleus", "protein"]).equals(found[0])
    assert {p: p.stat().st_mtime_ns for p in finished.path.rglob("*") if p.is_file()} == before


def test_channels_that_do_not_fit_are_refused(finished):
    with pytest.raises(UsageError, match="channel, y, x"):
        cellwise.predict(np.zeros((3, 9, 9)), ["nucleus", "protein"], model=finished.path)
    with pytest.raises(UsageError, match="name of its own"):
        cellwise.predict(np.stack(draw(1)), ["dna", "DNA"], model=finished.path)
    with pytest.raises(PreflightError):
        cellwise.predict(np.stack(draw(1)), ["nucleus", "er"], model=finished.path)


def test_a_run_without_models_is_refused(plate, tmp_path):
    run = cellwise.run(plate / "images", out=tmp_path / "run", recipe="segment-only")
    with pytest.raises(PreflightError, match="its recipe learns nothing"):
        fitted_request(run.path, plate / "images", tmp_path / "again")
