"""Flags: each one on a field where exactly one cell deserves it."""

import numpy as np
import pytest
from scipy import ndimage

from cellwise.domain.channels import Channel
from cellwise.domain.records import Field, Masks
from cellwise.errors import BadOption
from cellwise.kernels.boxes import find_boxes
from cellwise.stages.cells.measure import background_level
from cellwise.stages.cells.quality import FLAGS, build

CHANNELS = (Channel("dna", "nucleus"), Channel("gfp", "protein"))


def field_of_nine():
    """Nine like cells on a grid, none at the border."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:120, :120]
    cells, nuclei = np.zeros((2, 120, 120), np.uint16)
    for number in range(1, 10):
        away = np.hypot(y - 20 - 40 * ((number - 1) // 3), x - 20 - 40 * ((number - 1) % 3))
        cells[away < 14] = number
        nuclei[away < 7] = number
    pixels = np.stack([0.5 * (nuclei > 0), 0.3 * (cells > 0)]) + 0.05
    pixels += rng.normal(0, 0.003, pixels.shape)
    return pixels, cells, nuclei


def flags_of(pixels, cells, nuclei, **options):
    field = Field("s", pixels.astype(np.float32), CHANNELS)
    level = background_level(field.pixels, 1)
    return build(**options)(field, Masks(cells, nuclei), find_boxes(cells), level)


def test_like_cells_have_no_flags():
    assert flags_of(*field_of_nine()) == [[]] * 9


def border(pixels, cells, nuclei):
    cells[cells == 5] = 0
    nuclei[nuclei == 5] = 0
    cells[:25, :10], nuclei[4:15, 2:9] = 5, 5
    cells[cells == 1] = 0
    nuclei[(nuclei == 1)] = 0
    pixels[:, :25, :10] = 0.5 + np.random.default_rng(1).normal(0, 0.1, (2, 25, 10))


def tiny(pixels, cells, nuclei):
    y, x = np.mgrid[:120, :120]
    cells[(cells == 5) & (np.hypot(y - 60, x - 60) > 6)] = 0
    nuclei[cells == 0] = 0


def no_nucleus(pixels, cells, nuclei):
    nuclei[nuclei == 5] = 0


def saturated(pixels, cells, nuclei):
    pixels[1][(cells == 5) & (np.indices(cells.shape)[0] > 60)] = 1


def dark(pixels, cells, nuclei):
    noise = np.random.default_rng(1).normal(0, 0.003, pixels.shape)
    # A blurred rest of the nucleus, so that it is dark, not out of focus.
    faint = 0.05 + noise + 0.02 * (nuclei == 5)
    pixels[:, cells == 5] = faint[:, cells == 5]


def out_of_focus(pixels, cells, nuclei):
    soft = ndimage.gaussian_filter(pixels[0], 6)
    pixels[0][cells == 5] = soft[cells == 5]


@pytest.mark.parametrize("fault", [border, tiny, no_nucleus, saturated, dark, out_of_focus])
def test_one_fault_gives_one_flag_to_one_cell(fault):
    pixels, cells, nuclei = field_of_nine()
    fault(pixels, cells, nuclei)
    flags = flags_of(pixels, cells, nuclei)
    ids = find_boxes(cells).ids
    found = {int(i): f for i, f in zip(ids, flags, strict=True) if f}
    assert found == {5: [fault.__name__]}


def test_a_giant_is_flagged():
    pixels, cells, nuclei = field_of_nine()
    cells[np.isin(cells, [1, 2, 3, 4, 5, 6]) | (np.arange(120)[:, None] < 75)] = 5
    nuclei[np.isin(nuclei, [1, 2, 3, 4, 6])] = 0
    flags = dict(zip(find_boxes(cells).ids.tolist(), flags_of(pixels, cells, nuclei), strict=True))
    assert "giant" in flags[5]
    assert flags[8] == []


def test_scale_does_not_matter():
    pixels, cells, nuclei = field_of_nine()
    tiny(pixels, cells, nuclei)
    large = [np.kron(a, np.ones((3, 3), a.dtype)) for a in (cells, nuclei)]
    larger = np.stack([np.kron(p, np.ones((3, 3))) for p in pixels])
    assert flags_of(larger, *large) == flags_of(pixels, cells, nuclei)


@pytest.mark.parametrize("value", [0, 0.5, 1, np.nan])
def test_constant_or_faulty_fields_are_dark_and_never_fail(value):
    _, cells, nuclei = field_of_nine()
    flags = flags_of(np.full((2, 120, 120), value), cells, nuclei)
    assert all("dark" in f for f in flags)
    assert all("out_of_focus" not in f for f in flags)


def test_flags_come_in_the_documented_order_and_no_cells_have_none():
    empty = np.zeros((9, 9), np.uint16)
    assert flags_of(np.zeros((2, 9, 9)), empty, empty) == []
    assert FLAGS[0] == "border"


def test_wrong_limits_are_refused():
    with pytest.raises(BadOption):
        build(tiny=2)
