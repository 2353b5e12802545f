"""Composites, outlines, scales and charts: small cases by hand."""

import io
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from cellwise.domain.channels import Channel
from cellwise.parts.drawing.images import composite, limits, shrink
from cellwise.stages.report._charts import (
    Curve,
    Row,
    Spread,
    curves,
    histogram,
    intervals,
    reliability,
    spreads,
)
from cellwise.stages.report._plate_chart import plate, row_name
from cellwise.stages.report.drawing.lines import edges, outlines, shrink_labels
from cellwise.stages.report.drawing.names import told_apart
from cellwise.stages.report.drawing.svg import Scale, shade, short, tick_words, ticks

NUCLEUS, PROTEIN = Channel("dna", "nucleus"), Channel("gfp", "protein")


def test_nucleus_is_blue_and_protein_green():
    pixels = np.zeros((2, 1, 2), np.float32)
    pixels[0, 0, 0] = pixels[1, 0, 1] = 1
    left, right = composite(pixels, (NUCLEUS, PROTEIN), [(0, 1), (0, 1)])[0]
    assert left.argmax() == 2
    assert right.argmax() == 1


def test_contrast_is_clipped_at_both_ends_and_nan_is_dark():
    pixels = np.array([[[0.0, 0.2, 0.6, 9.0, np.nan]]], np.float32)
    image = composite(pixels, (PROTEIN,), [(0.2, 0.6)])
    assert image[0, :, 0].tolist() == [0, 0, 255, 255, 0]


def test_masked_background_does_not_set_the_contrast():
    pixels = np.zeros((1, 1, 10, 10), np.float32)
    pixels[0, 0, 0, :4] = [0.4, 0.5, 0.5, 0.6]
    low, high = limits(pixels)[0]
    assert low >= 0.4
    assert high <= 0.6


def test_a_black_channel_has_a_contrast_all_the_same():
    assert limits(np.zeros((1, 4, 4), np.float32)) == [(0.0, 1.0)]


def test_edges_are_the_rim_of_each_region():
    labels = np.zeros((5, 6), int)
    labels[1:4, 1:4] = 1
    labels[1:4, 4] = 2
    expected = labels > 0
    expected[2, 2] = False
    assert (edges(labels) == expected).all()


def test_the_image_border_is_no_edge():
    assert not edges(np.ones((3, 3), int)).any()


@given(st.integers(0, 40), st.integers(1, 30), st.integers(1, 30))
def test_edges_lie_inside_regions_and_agree_with_a_slow_count(seed, tall, wide):
    labels = np.random.default_rng(seed).integers(0, 3, (tall, wide))
    found = edges(labels)
    for y in range(tall):
        for x in range(wide):
            near = [(y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)]
            inside = [(a, b) for a, b in near if 0 <= a < tall and 0 <= b < wide]
            differs = any(labels[place] != labels[y, x] for place in inside)
            assert found[y, x] == (differs and labels[y, x] > 0)


def drawn(cells, nuclei, side):
    return Image.open(io.BytesIO(outlines(cells, nuclei, side))).convert("RGBA")


def test_outlines_lie_on_both_sides_of_a_border_with_a_rim_and_else_nothing():
    cells = np.zeros((20, 20), np.uint16)
    cells[3:17, 3:17] = 1
    row = np.asarray(drawn(cells, cells * 0, 20))[10]
    white, dark, clear = [255] * 4, [0, 0, 0, 184], [0] * 4
    assert row[:6].tolist() == [clear, dark, white, white, dark, clear]
    assert not row[6:14].any()


def test_nuclei_are_drawn_over_cells_in_their_own_colour():
    cells = np.ones((12, 12), np.uint16)
    nuclei = np.zeros_like(cells)
    nuclei[4:8, 4:8] = 1
    assert np.asarray(drawn(cells, nuclei, 12))[4, 4].tolist() == [90, 230, 255, 255]


def test_lines_over_a_small_image_are_drawn_finer_than_its_pixels():
    cells = np.zeros((10, 10), np.uint16)
    cells[2:8, 2:8] = 1
    image = drawn(cells, cells * 0, 45)
    assert image.size == (40, 40)
    assert (np.asarray(image)[20, :, :3].sum(axis=1) > 0).sum() == 4


@given(st.integers(1, 90), st.integers(1, 90), st.integers(1, 40))
def test_images_and_outlines_shrink_to_the_same_size(tall, wide, side):
    image = shrink(np.zeros((tall, wide, 3), np.uint8), side)
    labels = shrink_labels(np.ones((tall, wide), np.uint16), side)
    assert image.shape[:2] == labels.shape
    assert max(labels.shape) <= max(side, 1)
    assert (labels == 1).all()


def test_a_scale_ends_at_its_edges():
    scale = Scale(0, 10, 100, 200)
    assert [scale(v) for v in (0, 5, 10, 99, -1)] == [100, 150, 200, 200, 100]


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6))
def test_ticks_are_even_and_within_the_range(low, span):
    values = ticks(low, low + span)
    assert 1 <= len(values) <= 12
    assert min(values) >= low - 1e-6 * span - 1e-6
    assert max(values) <= low + span + 1e-6 * span + 1e-6


def test_ticks_of_one_axis_have_equally_many_decimals():
    assert tick_words(ticks(0, 1, about=4)) == ["0.00", "0.25", "0.50", "0.75", "1.00"]
    assert tick_words([0, 500, 1000]) == ["0", "500", "1,000"]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "–"),
        (float("nan"), "–"),
        (3, "3"),
        (1.0, "1.00"),
        (228.0, "228"),
        (1234, "1,234"),
        (0.257, "0.26"),
        (-1.5, "−1.50"),
    ],
)
def test_numbers_are_written_for_people(value, words):
    assert short(value) == words


def test_the_ramp_goes_from_light_to_dark():
    light = [sum(int(shade(s)[i : i + 2], 16) for i in (1, 3, 5)) for s in (0, 0.25, 0.5, 0.75, 1)]
    assert light == sorted(light, reverse=True)
    assert shade(-3) == shade(0)


def test_rows_of_plates_are_letters():
    assert [row_name(i) for i in (0, 7, 25, 26, 31)] == ["A", "H", "Z", "AA", "AF"]


CHARTS = {
    "histogram": histogram([("<b>", "#000", [0, 3, 1])], [0, 1, 2, 3], x_title="<x>", y_title="y"),
    "intervals": intervals([Row("<a&b>", 0.5, 0.4, 0.6, mark=0.2)], x_title="AP"),
    "no intervals": intervals([], x_title="AP"),
    "plate": plate({(0, 0): 1.0}, (8, 12), title="<t>", bounds=(0, 2), tips={(0, 0): "'\"<"}),
    "curves": curves(
        [Curve("d", "#000", [(0, 0), (1, 1)], [(0, 0.5, "<w>")], (0.5, 0.2, 0.9))],
        x_title="dose",
        y_title="share",
        x_range=(0, 1),
        y_range=(0, 1),
    ),
    "reliability": reliability([(0.1, 0.2, 5)]),
    "empty reliability": reliability([]),
    "spreads": spreads([Spread("<w>", (0, 0.1, 0.2, 0.3, 1), 4)], y_title="p", x_title="well"),
    "no spreads": spreads([], y_title="p", x_title="well"),
}


@pytest.mark.parametrize("chart", CHARTS.values(), ids=CHARTS)
def test_charts_are_well_formed_and_say_what_they_are(chart):
    drawn = ElementTree.fromstring(str(chart))
    assert drawn.get("role") == "img"
    assert drawn.get("aria-label")


def test_names_of_groups_stay_apart_where_they_are_shortened():
    wells = [f"HEPG2-01_{n} B02" for n in (1, 2, 3)]
    assert told_apart(wells, 10) == ["HEPG2-01_1", "HEPG2-01_2", "HEPG2-01_3"]
    assert told_apart(["plate1 A01", "plate1 A02"], 12) == ["plate1 A01", "plate1 A02"]
    # Without their last words both would be one name.
    assert told_apart(["P B02", "P B02"], 5) == ["P B02", "P B02"]
    long = told_apart([f"experiment-{n:04d}" for n in range(20)], 10)
    assert len(set(long)) == 20
    assert {len(name) for name in long} == {10}
    assert told_apart(["alone B02"], 20) == ["alone B02"]
