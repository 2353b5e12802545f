"""The RxRx1 folder: names as the challenge gave them, tables that say no more than its did."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from cellwise.store.worlds.rxrx1_folder import SitePlace, statistics, write_planes, write_tables

PLACE = SitePlace("train", "HUVEC-07", 3, "C05", 2)


def test_planes_lie_where_the_challenge_put_them(tmp_path):
    pixels = np.arange(6 * 4 * 5, dtype=np.uint8).reshape(6, 4, 5)
    write_planes(tmp_path, PLACE, pixels)
    files = sorted(p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*.png"))
    assert files == [f"train/HUVEC-07/Plate3/C05_s2_w{w}.png" for w in range(1, 7)]
    with Image.open(tmp_path / files[4]) as image:
        assert image.mode == "L"
        np.testing.assert_array_equal(np.asarray(image), pixels[4])
    assert PLACE.site_id == "HUVEC-07_3_C05_2"


@given(arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9))))
def test_statistics_are_those_of_numpy(plane):
    wanted = (plane.mean(), plane.std(), np.median(plane), plane.min(), plane.max())
    assert statistics(plane) == pytest.approx([float(w) for w in wanted])


def test_tables_hide_the_treatments_of_the_test_part(tmp_path):
    rows = [
        ("train", "E-01_1_B02", "E-01", 1, "B02", 9, "negative_control"),
        ("train", "E-01_1_B03", "E-01", 1, "B03", 4, "treatment"),
        ("test", "E-02_1_B02", "E-02", 1, "B02", 9, "negative_control"),
        ("test", "E-02_1_B03", "E-02", 1, "B03", 4, "treatment"),
    ]
    names = ["part", "id_code", "experiment", "plate", "well", "sirna", "well_type"]
    wells = pl.DataFrame(rows, names, orient="row")
    head = ["id_code", "experiment", "plate", "well", "site", "channel"]
    stats = ["mean", "std", "median", "min", "max"]
    pixels = pl.DataFrame([("E-01_1_B03", "E-01", 1, "B03", 1, 1, 1.5, 0.5, 1.0, 0.0, 3.0)],
                          [*head, *stats], orient="row")  # fmt: skip
    write_tables(tmp_path, wells=wells, pixels=pixels)
    text = {p.name: p.read_text() for p in tmp_path.glob("*.csv")}
    assert text == {
        "train.csv": "id_code,experiment,plate,well,sirna\nE-01_1_B03,E-01,1,B03,4\n",
        "test.csv": "id_code,experiment,plate,well\nE-02_1_B03,E-02,1,B03\n",
        "train_controls.csv": "id_code,experiment,plate,well,sirna,well_type\n"
        "E-01_1_B02,E-01,1,B02,9,negative_control\n",
        "test_controls.csv": "id_code,experiment,plate,well,sirna,well_type\n"
        "E-02_1_B02,E-02,1,B02,9,negative_control\n",
        "pixel_stats.csv": ",".join([*head, *stats])
        + "\nE-01_1_B03,E-01,1,B03,1,1,1.5,0.5,1.0,0.0,3.0\n",
    }
