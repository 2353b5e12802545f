"""Images of RxRx1 sites: cells and nuclei that belong together, stains that answer to effects."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from cellwise.lab.synth.rxrx1.effects import Camera
from cellwise.lab.synth.rxrx1.field import SitePlan, render_site
from cellwise.lab.synth.rxrx1.morphology import CELL_TYPES, CHANNELS, steps_of

STILL = Camera((1.0,) * 6, (0.0,) * 6, (1.0,) * 6, (0.0,) * 6)


def plan(*, name="X_1_B02_1", size=96, cell_type="U2OS", camera=STILL, **changes):
    steps = CELL_TYPES[cell_type].own_steps() + steps_of(changes)
    return SitePlan(1, name, size, cell_type, tuple(steps.tolist()), camera)


def fine(plane):
    """Strength of detail below about a micrometre."""
    plane = plane.astype(np.float32)
    return float((plane - cv2.GaussianBlur(plane, (0, 0), 1.5)).std())


@pytest.mark.parametrize("cell_type", list(CELL_TYPES))
def test_masks_and_members_belong_together(cell_type):
    site = render_site(plan(cell_type=cell_type, size=128))
    ids = np.unique(site.cells)
    assert ids.tolist() == list(range(len(site.members) + 1))
    assert [member.cell_id for member in site.members] == list(range(1, len(ids)))
    inside = site.nuclei > 0
    assert (site.nuclei[inside] == site.cells[inside]).all()
    assert site.pixels.shape == (6, 128, 128)
    assert site.pixels.dtype == np.uint8
    seen = set(np.unique(site.nuclei).tolist())
    for member in site.members:
        assert member.ignored == (member.in_view < 0.5 or member.cell_id not in seen)


def test_the_nuclear_stain_lies_in_nuclei():
    site = render_site(plan(size=192))
    outside = (site.nuclei == 0) & (site.cells > 0)
    assert site.pixels[0][site.nuclei > 0].mean() > 4 * site.pixels[0][outside].mean()
    for channel in (1, 4):
        assert site.pixels[channel][outside].mean() > site.pixels[channel][site.nuclei > 0].mean()


def test_a_site_is_drawn_from_its_plan_alone():
    first = render_site(plan())
    render_site(plan(name="X_1_B03_1"))
    again = render_site(plan())
    np.testing.assert_array_equal(first.pixels, again.pixels)
    np.testing.assert_array_equal(first.cells, again.cells)
    other = render_site(plan(name="X_1_B02_2"))
    assert (other.cells != first.cells).any()


_MOVES = {
    "nucleus_brightness": {"nucleus"},
    "chromatin_contrast": {"nucleus"},
    "chromatin_grain": {"nucleus"},
    "er_brightness": {"er"},
    "er_contrast": {"er"},
    "er_grain": {"er"},
    "er_reach": {"er", "rna"},
    "actin_brightness": {"actin"},
    "actin_fibres": {"actin"},
    "actin_disorder": {"actin"},
    "actin_cortex": {"actin"},
    "actin_dots": {"actin"},
    "nucleoli_count": {"nucleus", "rna"},
    "nucleoli_radius": {"nucleus", "rna"},
    "nucleoli_brightness": {"rna"},
    "rna_in_nucleus": {"rna"},
    "rna_brightness": {"rna"},
    "mitochondria_brightness": {"mitochondria"},
    "mitochondria_reach": {"mitochondria"},
    "mitochondria_length": {"mitochondria"},
    "mitochondria_count": {"mitochondria"},
    "golgi_brightness": {"golgi"},
    "golgi_spread": {"golgi"},
    "golgi_pieces": {"golgi"},
    "golgi_in_nucleus": {"golgi"},
}


@pytest.mark.parametrize(("parameter", "channels"), _MOVES.items())
def test_a_parameter_moves_its_own_channels_and_no_other(parameter, channels):
    """Each purpose has its own random stream, so that all else stays the same to the pixel."""
    before, after = render_site(plan()), render_site(plan(**{parameter: 3.0}))
    changed = {c for c, a, b in zip(CHANNELS, before.pixels, after.pixels, strict=True)
               if (a != b).any()}  # fmt: skip
    assert changed == channels
    np.testing.assert_array_equal(before.cells, after.cells)


@pytest.mark.parametrize(
    ("parameter", "measure"),
    [
        ("cell_count", lambda s: len(s.members)),
        ("nucleus_area", lambda s: (s.nuclei > 0).mean()),
        ("mitotic_share", lambda s: sum(m.mitotic for m in s.members)),
        ("nucleoli_brightness", lambda s: np.percentile(s.pixels[3][s.nuclei > 0], 98)),
        ("actin_fibres", lambda s: fine(s.pixels[2])),
        ("mitochondria_count", lambda s: s.pixels[4].mean()),
        ("golgi_pieces", lambda s: fine(s.pixels[5])),
        ("er_contrast", lambda s: fine(s.pixels[1])),
    ],
)
def test_a_parameter_moves_what_its_name_says(parameter, measure):
    low, high = (render_site(plan(size=192, **{parameter: s})) for s in (-3.0, 3.0))
    assert measure(high) > 1.1 * measure(low)


def test_rough_nuclei_have_longer_outlines():
    def rim(site):
        nuclei = (site.nuclei > 0).astype(np.uint8)
        lines, _ = cv2.findContours(nuclei, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        return sum(cv2.arcLength(line, closed=True) for line in lines) / np.sqrt(nuclei.sum())

    smooth, rough = (render_site(plan(size=192, nucleus_roughness=s)) for s in (-4.0, 4.0))
    assert rim(rough) > 1.05 * rim(smooth)
    assert set(np.unique(rough.nuclei)) == set(np.unique(smooth.nuclei))


def test_cell_types_differ_in_density():
    counts = {t: len(render_site(plan(cell_type=t, size=192)).members) for t in CELL_TYPES}
    assert counts["HEPG2"] > 2 * counts["RPE"]


def test_the_camera_does_what_it_says():
    site = plan(size=128)
    plain = render_site(site).pixels.astype(float)
    bright = render_site(replace(site, camera=replace(STILL, gain=(1.5,) * 6))).pixels
    raised = render_site(replace(site, camera=replace(STILL, offset=(10.0,) * 6))).pixels
    blurred = render_site(replace(site, camera=replace(STILL, blur=(1.5,) * 6))).pixels
    bent = render_site(replace(site, camera=replace(STILL, gamma=(1.4,) * 6))).pixels
    for channel in range(6):
        mean = plain[channel].mean()
        # The bright end clips at 255.
        assert 1.3 * mean < bright[channel].mean() < 1.55 * mean
        assert raised[channel].mean() == pytest.approx(mean + 10, abs=0.5)
        assert fine(blurred[channel]) < 0.9 * fine(plain[channel])
        spread = bent[channel].std() / max(bent[channel].mean(), 1)
        assert spread > plain[channel].std() / mean


def test_very_small_and_empty_looking_sites_are_drawn():
    for size in (48, 64):
        assert render_site(plan(size=size, cell_count=-9.0)).pixels.shape == (6, size, size)
