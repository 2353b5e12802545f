"""The section on class maps: where the colour lies, which fields are shown, when it is there."""

import json
import re

import numpy as np
import polars as pl
from PIL import Image

from cellwise.domain.tables import SITES
from cellwise.stages.report.sections.maps import heat
from cellwise.store.run.class_maps import ClassMaps, write_class_maps
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.tables import read_table


def add_maps(made, *, classes=("inside",), step="seen"):
    run = RunFolder(made.run)
    record = json.loads(run.record.read_text())
    record["recipe"]["steps"].append({"kind": "score", "name": step, "options": {}})
    run.record.write_text(json.dumps(record))
    frame = read_table(run.sites, SITES).filter(pl.col("labels").is_not_null())
    sites = tuple(frame["site_id"].unique().sort())
    maps = np.zeros((len(sites), len(classes), 8, 8), np.float16)
    maps[:, :, 2, 5] = 3
    write_class_maps(run.class_maps(step), ClassMaps(classes, sites, maps))
    return sites


def test_colour_lies_where_the_map_is_positive_and_nowhere_else():
    grey = np.full((80, 40), 0.5, np.float32)
    class_map = np.full((8, 4), -2.0, np.float32)
    class_map[1, 3] = 5.0
    image = heat(grey, class_map).astype(int)
    coloured = (image.max(2) - image.min(2)) > 20
    rows, columns = np.nonzero(coloured)
    assert 5 <= rows.min() < rows.max() < 25
    assert columns.min() >= 25
    assert image[15, 36].argmin() == 2, "yellow"
    assert set(np.unique(image[40:])) == {127}


def test_a_map_without_anything_positive_leaves_the_image_grey():
    image = heat(np.full((8, 8), 0.25, np.float32), np.full((2, 2), -1.0, np.float32))
    assert image.max() == image.min() == 63


def test_fields_of_each_class_are_shown_with_their_maps(plate_run):
    sites = add_maps(plate_run)
    page = plate_run.html()
    part = page[page.index('id="maps"') :]
    part = part[: part.index("</section>")]
    assert "Where each class was seen" in page
    assert part.count("Class map of inside") == 2
    assert any(site in part for site in sites)
    assert "95 % where it is seen most" in part
    assert not re.search(r'src="(?!data:)', part)


def test_without_maps_there_is_no_such_section(plate_run):
    assert "Where each class was seen" not in plate_run.html()


def test_a_class_that_no_kept_field_has_is_named(plate_run):
    add_maps(plate_run, classes=("inside", "never"))
    assert "No kept field has: never." in plate_run.html()


def test_maps_of_fields_whose_files_are_gone_are_left_out(plate_run):
    add_maps(plate_run)
    for path in plate_run.images.rglob("*.png"):
        path.unlink()
    assert "No kept field has: inside." in plate_run.html()


def test_images_are_as_large_as_they_are_shown():
    assert Image.fromarray(
        heat(np.zeros((30, 20), np.float32), np.ones((3, 2), np.float32))
    ).size == (20, 30)


def test_maps_of_a_step_that_the_recipe_has_no_more_are_not_shown(plate_run):
    add_maps(plate_run)
    run = RunFolder(plate_run.run)
    run.class_maps("seen").rename(run.class_maps("former"))
    assert "Where each class was seen" not in plate_run.html()


def test_the_maps_of_every_step_are_shown_under_its_name(plate_run):
    add_maps(plate_run)
    add_maps(plate_run, step="other.step")
    page = plate_run.html()
    assert page.count("Class map of inside") == 4
    assert "Step <code>other.step</code>" in page
