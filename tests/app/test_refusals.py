"""What is refused before any work, with a sentence and never with a traceback."""

import json
import shutil

import numpy as np
import pytest
from tests.plates import treated, write_plate
from tests.worlds import wells

import cellwise
from cellwise.errors import FormatError, PreflightError, UsageError
from cellwise.flow.check import check_folder
from cellwise.flow.pipeline.run import run_pipeline
from cellwise.flow.request import fitted_request, make_request
from cellwise.stages.read.step import prepare
from cellwise.store.run.folder import read_json

ARCHIVE = "tests/archives/format-1"


@pytest.fixture
def images(tmp_path):
    write_plate(tmp_path / "images", wells(2), nuclear=treated)
    return tmp_path / "images"


@pytest.fixture
def fitted(tmp_path, request):
    shutil.copytree(request.config.rootpath / ARCHIVE, tmp_path / "fitted")
    return tmp_path / "fitted"


@pytest.mark.parametrize(
    "setting",
    ["read.bogus=1", "read.pixel_size=abc", "read.roles=nucleus", "read.roles.dna=nukleus"],
)
def test_a_wrong_read_setting_needs_no_recipe_to_be_refused(images, tmp_path, setting):
    with pytest.raises(UsageError):
        make_request(images, tmp_path / "run", settings=[setting])


def test_a_role_said_on_the_command_line_reaches_the_folder(tmp_path, images):
    for path in images.glob("*_dna.png"):
        path.rename(path.with_name(path.name.replace("dna", "w1")))
    assert check_folder(images)["exit_code"] == 4
    facts = check_folder(images, settings={"read.roles.w1": "nucleus"})
    assert facts["exit_code"] == 0
    request = make_request(images, tmp_path / "run", settings=["read.roles.w1=nucleus"])
    assert request.recipe.name == "segment-only"


def test_labels_that_match_nothing_are_no_reason_to_segment_only(images, tmp_path):
    labels = tmp_path / "labels.csv"
    labels.write_text("well,label\nH11,x\nH12,y\n")
    with pytest.raises(PreflightError, match="labels none of the 2"):
        make_request(images, tmp_path / "run", labels=labels)


def test_a_recipe_that_learns_refuses_unlabelled_fields_before_segmenting(images, tmp_path):
    request = make_request(images, tmp_path / "run", recipe="plate-quick", workers=1)
    with pytest.raises(PreflightError, match="needs labels"):
        run_pipeline(request)
    assert not (tmp_path / "run" / "masks").exists()


def test_a_prediction_never_writes_into_the_run_it_applies(images, fitted):
    for out in (fitted, fitted / "inside"):
        with pytest.raises(PreflightError, match="would write into"):
            run_pipeline(fitted_request(fitted, images, out, workers=1))


def test_a_run_folder_belongs_to_its_images(images, tmp_path):
    first = make_request(images, tmp_path / "run", recipe="segment-only", workers=1)
    run_pipeline(first)
    shutil.copytree(images, tmp_path / "copied")
    again = make_request(tmp_path / "copied", tmp_path / "run", recipe="segment-only", workers=1)
    assert run_pipeline(again).exit_code == 0
    write_plate(tmp_path / "others", ["C05", "C06"], nuclear=treated)
    other = make_request(tmp_path / "others", tmp_path / "run", recipe="segment-only", workers=1)
    with pytest.raises(PreflightError, match="holds the results of"):
        run_pipeline(other)


def test_a_damaged_model_is_found_before_any_work(images, fitted, tmp_path):
    weights = next((fitted / "models" / "cell").glob("*/model.safetensors"))
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(FormatError):
        run_pipeline(fitted_request(fitted, images, tmp_path / "new", workers=1))
    assert not (tmp_path / "new" / "masks").exists()


@pytest.mark.parametrize(
    ("pixels", "channels"),
    [
        (np.zeros((2, 8, 8), np.int64), ["nucleus", "protein"]),
        (np.zeros((2, 0, 8), np.uint8), ["nucleus", "protein"]),
        (np.zeros((8, 8), np.uint8), ["nucleus"]),
    ],
)
def test_an_array_that_is_no_field_is_refused(fitted, pixels, channels):
    with pytest.raises(UsageError, match="predict"):
        cellwise.predict(pixels, channels, model=fitted)


def test_a_channel_name_that_the_model_does_not_know_is_said(fitted):
    pixels = np.zeros((2, 32, 32), np.uint8)
    with pytest.raises(PreflightError, match="nucleus"):
        cellwise.predict(pixels, ["nuclues", "protein"], model=fitted)


def test_exports_are_named_as_the_command_names_them(fitted, tmp_path):
    run = cellwise.open_run(fitted)
    with pytest.raises(UsageError, match="No export is called 'rxrx1-tsv'"):
        run.export("rxrx1-tsv", tmp_path / "x")
    with pytest.raises(UsageError, match="cells-csv"):
        run.export("cels-csv", tmp_path / "x")
    with pytest.raises(UsageError, match="is a folder"):
        run.export("cells-csv", tmp_path)


def test_odd_pixels_of_the_sample_are_shown(images):
    from PIL import Image

    Image.new("L", (96, 96), 7).save(images / "A01_gfp.png")
    codes = {problem["code"] for problem in check_folder(images)["problems"]}
    assert "constant" in codes


def test_words_about_a_labels_file_do_not_follow_a_run_to_new_images(images, fitted, tmp_path):
    record = read_json(fitted / "run.json")
    reading = next(step for step in record["recipe"]["steps"] if step["kind"] == "read")
    reading["options"] |= {"labels": "labels.csv", "key": "well,Replicate", "label": "label"}
    (fitted / "run.json").write_text(json.dumps(record))
    request = fitted_request(fitted, images, tmp_path / "new")
    opening = request.recipe.steps[0]
    assert [opening.options[name] for name in ("labels", "key", "label")] == ["", "", ""]
    found = prepare(request.job(opening, ""), lambda done, total, note: None)
    assert len(found.usable) == 2
