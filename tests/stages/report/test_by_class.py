"""Outlines in the colours of classes."""

import io

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from cellwise.parts.drawing.class_palette import OTHER, PALETTE
from cellwise.stages.report.drawing.by_class import ClassColours
from cellwise.stages.report.drawing.lines import class_outlines


def colours(rows, columns=("Prob_a", "Prob_b")):
    frame = pl.DataFrame(rows, schema=["site_id", "cell_id", *columns], orient="row")
    return ClassColours(frame, {name.removeprefix("Prob_"): name for name in columns})


def test_a_cell_has_the_colour_of_its_likeliest_class():
    found = colours([("s", 1, 0.2, 0.7), ("s", 3, 0.6, 0.1), ("t", 2, 0.9, 0.1), ("s", 9, 1, 0)])
    assert found.codes("s", 4).tolist() == [0, 2, 3, 1, 3]
    assert found.codes("nowhere", 1).tolist() == [0, 3]
    assert found.colours == (*PALETTE[:2], OTHER)
    assert [row["name"] for row in found.legend({2, 3})] == ["b", "another class, or none"]


def test_a_cell_of_which_nothing_is_known_has_no_class():
    found = colours([("s", 1, None, None), ("s", 2, None, 0.1)])
    assert found.codes("s", 2).tolist() == [0, 3, 2]


def pixels(*given):
    return np.asarray(Image.open(io.BytesIO(class_outlines(*given))).convert("RGBA"))


def test_lines_have_the_colour_of_the_cell_on_both_sides_and_nuclei_are_white():
    cells = np.zeros((20, 24), np.uint16)
    cells[3:17, 2:12], cells[3:17, 12:22] = 1, 2
    nuclei = np.zeros_like(cells)
    nuclei[8:12, 5:9] = 1
    codes = np.array([0, 1, 2], np.uint8)
    row = pixels(cells, nuclei, 24, codes, ("#ff0000", "#0000ff"))[10]
    red, blue = [255, 0, 0, 255], [0, 0, 255, 255]
    assert row[1].tolist() == row[2].tolist() == row[11].tolist() == red
    assert row[12].tolist() == row[21].tolist() == row[22].tolist() == blue
    assert row[5].tolist() == row[8].tolist() == [255] * 4
    assert not row[15:19].any()


@given(hnp.arrays(np.uint16, (12, 12), elements=st.integers(0, 3)))
def test_every_line_has_the_colour_of_a_cell_beside_it(cells):
    codes = np.array([0, 1, 2, 3], np.uint8)
    names = ("#ff0000", "#00ff00", "#0000ff")
    found = pixels(cells, cells * 0, 12, codes, names)
    for y, x in np.ndindex(cells.shape):
        near = {
            int(cells[b, a])
            for b, a in ((y, x), (y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1))
            if 0 <= b < 12 and 0 <= a < 12
        }
        drawn = found[y, x]
        is_line = drawn[3] == 255
        assert is_line == (len(near) > 1)
        if is_line:
            own = int(cells[y, x])
            allowed = {own} if own else near - {0}
            assert int(np.argmax(drawn[:3])) + 1 in allowed


def test_the_page_names_the_classes_that_are_seen(plate_run):
    page = plate_run.html(sites=2)
    part = page[page.index('id="segmentation"') : page.index('id="plates"')]
    assert "by its most likely class" in part
    assert f'background: {PALETTE[0]}"></i>inside' in part
