"""CellProfiler's measurements as an embedder, and as the oracle of our own where both agree."""

import importlib.util

import numpy as np
import pytest
from tests.parts.features.drawn_cells import CHANNELS, draw

from cellwise.domain.records import Masks
from cellwise.errors import BadOption, PreflightError
from cellwise.kernels.features.distribution import describe
from cellwise.kernels.features.zones import correlate
from cellwise.parts.features.measure import measure_cells
from cellwise.parts.features.panel import panel_of
from cellwise.stages.embed import cp_measure, embedders

INSTALLED = importlib.util.find_spec("cp_measure") is not None
needs_it = pytest.mark.skipif(not INSTALLED, reason="cp_measure (extra cp-measure) is not here")


@pytest.fixture(scope="module")
def peer():
    field, masks = draw()
    groups = ("intensity", "sizeshape", "correlation_pearson")
    numbers, found = cp_measure.measure(field, masks, groups)
    names = cp_measure._columns(groups, ("nucleus", "protein", "microtubule"))
    return numbers.tolist(), dict(zip(names, found.T, strict=True))


@pytest.mark.skipif(INSTALLED, reason="cp_measure is installed")
def test_without_the_package_it_is_refused_by_its_extra():
    with pytest.raises(PreflightError, match=r"pip install 'cellwise\[cp-measure\]'"):
        embedders.build("cp_measure").check()


@pytest.mark.parametrize("groups", [[], ["shapes"]])
def test_groups_that_there_are_not_are_refused(groups):
    with pytest.raises(BadOption, match="groups are some of"):
        embedders.build({"name": "cp_measure", "groups": groups})


@needs_it
def test_cells_without_a_nucleus_and_tiny_ones_miss_numbers_and_no_place_is_told(peer):
    numbers, found = peer
    assert numbers == [1, 2, 3, 4, 5, 6]
    nuclei = [name for name in found if name.startswith(("Nuclei_", "Cytoplasm_"))]
    assert nuclei
    for name in nuclei:
        assert np.isnan(found[name][4:]).all()
    assert np.isfinite(found["Cells_Intensity_MeanIntensity_protein"]).all()
    assert not any("Location" in name or "Center" in name for name in found)


@needs_it
@pytest.mark.parametrize(
    ("ours", "theirs", "rtol"),
    [
        ("Cells_AreaShape_Area", "Cells_Area", 0),
        ("Cells_AreaShape_Perimeter", "Cells_Perimeter", 1e-5),
        ("Cells_AreaShape_FormFactor", "Cells_FormFactor", 1e-5),
        ("Nuclei_AreaShape_Area", "Nuclei_Area", 0),
        ("Nuclei_AreaShape_Perimeter", "Nuclei_Perimeter", 1e-5),
        # A pixel is a square here and a point there.
        ("Cells_AreaShape_Eccentricity", "Cells_Eccentricity", 2e-2),
        ("Nuclei_AreaShape_Solidity", "Nuclei_Solidity", 5e-2),
    ],
)
def test_shapes_are_those_of_cellprofiler(peer, ours, theirs, rtol):
    field, masks = draw()
    panel = panel_of(CHANNELS)
    _, found = measure_cells(field, masks, panel)
    np.testing.assert_allclose(
        found[:4, panel.names.index(ours)], peer[1][theirs][:4], rtol=rtol, atol=0
    )


@needs_it
def test_moments_quantiles_and_correlations_are_those_of_cellprofiler(peer):
    field, masks = draw()
    _, found = peer
    at = np.flatnonzero(masks.cells == 1).astype(np.int32)
    mean, spread, _, _, low, middle, high = describe(
        field.pixels[1], at, len(at), np.array([0.25, 0.5, 0.75])
    )[0]
    for name, value in {
        "MeanIntensity": mean, "StdIntensity": spread, "LowerQuartileIntensity": low,
        "MedianIntensity": middle, "UpperQuartileIntensity": high,
    }.items():  # fmt: skip
        theirs = found[f"Cells_Intensity_{name}_protein"][0]
        np.testing.assert_allclose(value, theirs, rtol=1e-4, err_msg=name)
    none = np.zeros_like(field.pixels[0])
    pearson = correlate(field.pixels[1], field.pixels[2], (none, none), at, len(at))[0, 0]
    theirs = found["Cells_Correlation_Pearson_protein_microtubule"][0]
    np.testing.assert_allclose(pearson, theirs, atol=1e-4)


@needs_it
def test_a_field_without_cells_has_no_rows():
    field, masks = draw()
    none = np.zeros_like(masks.cells)
    numbers, found = cp_measure.measure(field, Masks(none, none), ("intensity",))
    assert len(numbers) == len(found) == 0
