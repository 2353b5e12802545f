"""Measurements: what a hand-made cell must give, what is unknown stays null, and a real plate."""

import numpy as np
import polars as pl
import pytest
from PIL import Image
from scipy import ndimage
from skimage.filters import threshold_otsu
from skimage.segmentation import expand_labels

from cellwise.domain.channels import Channel
from cellwise.domain.records import Field, Masks
from cellwise.errors import BadOption
from cellwise.kernels.boxes import find_boxes
from cellwise.stages.cells.measure import background_level, build, measurement_names

CHANNELS = (Channel("dna", "nucleus"), Channel("gfp", "protein"))


def measured(pixels, masks, **options):
    field = Field("s", pixels.astype(np.float32), CHANNELS)
    return build(**options)(field, masks, find_boxes(masks.cells))


def one_cell(nucleus=0.5, ring=0.25, background=0.05, number=4):
    y, x = np.mgrid[:60, :60]
    away = np.hypot(y - 30, x - 30)
    cells = np.where(away < 20, number, 0).astype(np.uint16)
    nuclei = np.where(away < 10, number, 0).astype(np.uint16)
    gfp = np.where(nuclei > 0, nucleus, np.where(cells > 0, ring, background))
    return np.stack([nuclei > 0, gfp]), Masks(cells, nuclei)


def test_the_columns_are_those_promised():
    names = measurement_names(["dna", "gfp"])
    assert measured(*one_cell()).columns == names
    assert "Cells_Intensity_Mean_gfp" in names
    assert len(set(names)) == len(names) == 13


def test_one_cell_by_hand():
    row = measured(*one_cell()).row(0, named=True)
    assert row["Nuclei_Intensity_Mean_gfp"] == pytest.approx(0.5)
    assert row["Ring_Intensity_Mean_gfp"] == pytest.approx(0.25)
    assert row["Cells_NuclearRingRatio_gfp"] == pytest.approx(0.45 / 0.2)
    assert row["Nuclei_AreaShape_Area"] < row["Cells_AreaShape_Area"]
    assert row["Cells_AreaShape_Eccentricity"] == pytest.approx(0, abs=0.05)
    assert row["Cells_AreaShape_Solidity"] > 0.9


def test_adding_background_or_gain_leaves_the_ratio():
    pixels, masks = one_cell()
    plain = measured(pixels, masks)["Cells_NuclearRingRatio_gfp"][0]
    raised = measured(pixels * 0.5 + 0.1, masks)["Cells_NuclearRingRatio_gfp"][0]
    assert raised == pytest.approx(plain, rel=1e-5)


def test_the_ratio_is_null_where_it_cannot_be_told():
    pixels, masks = one_cell()
    without = Masks(masks.cells, np.zeros_like(masks.nuclei))
    row = measured(pixels, without).row(0, named=True)
    assert row["Cells_NuclearRingRatio_gfp"] is None
    assert row["Nuclei_AreaShape_Area"] is None
    assert row["Cells_Intensity_Mean_gfp"] is not None
    tight = Masks(masks.nuclei, masks.nuclei)
    assert measured(pixels, tight)["Cells_NuclearRingRatio_gfp"][0] is None
    dim, masks = one_cell(ring=0.05)
    assert measured(dim, masks)["Cells_NuclearRingRatio_gfp"][0] is None


def test_a_nucleus_without_signal_still_has_a_logarithm():
    pixels, masks = one_cell(nucleus=0.05)
    assert 0 < measured(pixels, masks)["Cells_NuclearRingRatio_gfp"][0] < 0.01


@pytest.mark.parametrize("value", [0.0, 1.0, np.nan])
def test_constant_or_faulty_fields_give_finite_numbers_or_null(value):
    _, masks = one_cell()
    frame = measured(np.full((2, 60, 60), value), masks)
    assert frame.select(pl.all().is_nan().any()).row(0) == (False,) * frame.width
    assert frame.select(pl.all().is_infinite().any()).row(0) == (False,) * frame.width


def test_renumbering_cells_reorders_rows_only():
    rng = np.random.default_rng(0)
    labels = np.repeat(np.repeat(np.arange(1, 13).reshape(3, 4), 20, 0), 20, 1).astype(np.uint16)
    inner = np.zeros_like(labels)
    for y in range(10, 60, 20):
        for x in range(10, 80, 20):
            inner[y - 4 : y + 4, x - 4 : x + 4] = labels[y, x]
    pixels = rng.random((2, 60, 80))
    plain = measured(pixels, Masks(labels, inner))
    swap = np.array([0, *range(12, 0, -1)], np.uint16)
    other = measured(pixels, Masks(swap[labels], swap[inner]))
    assert plain.reverse().equals(other)


def test_no_cells_give_no_rows():
    empty = np.zeros((60, 60), np.uint16)
    frame = measured(np.zeros((2, 60, 60)), Masks(empty, empty))
    assert frame.shape == (0, 13)
    assert set(frame.dtypes) == {pl.Float32}


def test_background_ignores_faulty_pixels():
    pixels = np.array([[[np.nan, 0.5, 0.5]], [[np.nan] * 3]], np.float32)
    assert background_level(pixels, 1).tolist() == [0.5, 0]


@pytest.mark.parametrize("options", [{"near": 0.5, "far": 0.5}, {"near": -1}, {"background": 60}])
def test_wrong_settings_are_refused(options):
    with pytest.raises(BadOption):
        build(**options)


def plain_masks(dna):
    smooth = ndimage.gaussian_filter(dna, 1.5)
    nuclei, _ = ndimage.label(smooth > threshold_otsu(smooth))
    return Masks(expand_labels(nuclei, 12).astype(np.uint16), nuclei.astype(np.uint16))


def test_the_ratio_tells_translocation_on_a_real_plate(shared_data):
    """BBBC013: the protein enters the nucleus in the positive controls (A12, E01)."""
    folder = shared_data / "bbbc013_translocation" / "images"
    medians = {}
    for well in ("A01", "A02", "E02", "E12", "A12", "E01"):
        planes = [np.asarray(Image.open(folder / f"{well}_{name}.png")) for name in ("dna", "gfp")]
        pixels = np.stack(planes).astype(np.float32) / 255
        ratio = measured(pixels, plain_masks(pixels[0]))["Cells_NuclearRingRatio_gfp"].drop_nulls()
        assert len(ratio) > 50
        medians[well] = float(ratio.log().median())
    negative = [medians[well] for well in ("A01", "A02", "E02", "E12")]
    positive = [medians[well] for well in ("A12", "E01")]
    assert max(negative) < 0 < 1 < min(positive)
