"""Optics: the camera's mean and variance, blur, vignette, bleeding, clipping, bits."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.lab.synth.made_cells import PLAIN

from cellwise.lab.synth.optics import FULL_SCALE, expose


def flat(value, size=128):
    return np.full((4, size, size), value, np.float32)


def shot(light, optics, pixel_size=0.32, seed=0):
    image = expose(light.copy(), optics, pixel_size=pixel_size, rng=np.random.default_rng(seed))
    return image.astype(float)


def electrons(image, optics):
    """Counts of a 16-bit image back to electrons."""
    full = FULL_SCALE * optics.photons / optics.saturation_gain
    return (image - optics.offset) * full / (65535 - optics.offset)


@pytest.mark.parametrize("read_noise", [0.0, 1.0, 3.0, 5.0])
@pytest.mark.parametrize("photons", [20.0, 100.0, 400.0])
@pytest.mark.parametrize("light", [0.0, 0.05, 0.5, 1.2])
def test_photon_statistics(light, photons, read_noise):
    """Mean = photons, variance = photons + read noise squared."""
    optics = replace(PLAIN, photons=photons, read_noise=read_noise, offset=30000.0)
    counted = electrons(shot(flat(light, 256), optics), optics)
    expected = light * photons
    variance = expected + read_noise**2
    rounding = (FULL_SCALE * photons / 35535) ** 2 / 12
    assert counted.mean() == pytest.approx(
        expected, abs=4 * np.sqrt(variance / counted.size) + 0.01
    )
    assert counted.var() == pytest.approx(variance + rounding, rel=0.02, abs=0.002)


def test_few_photons_without_read_noise_are_whole_numbers():
    optics = replace(PLAIN, photons=5.0, read_noise=0.0)
    counted = electrons(shot(flat(0.5), optics), optics)
    assert np.abs(counted - np.round(counted)).max() < 0.01
    share_dark = (np.round(counted) == 0).mean()
    assert share_dark == pytest.approx(np.exp(-2.5), rel=0.05)


def test_eight_bits_are_sixteen_bits_in_steps_of_257():
    optics = replace(PLAIN, photons=300.0, read_noise=3.0, offset=100.0)
    light = np.random.default_rng(0).random((4, 64, 64), dtype=np.float32)
    fine, coarse = shot(light, optics), shot(light, replace(optics, bits=8))
    assert np.abs(fine / 257 - coarse).max() <= 0.51
    assert coarse.max() <= 255


@pytest.mark.parametrize(("bits", "kind"), [(8, np.uint8), (16, np.uint16)])
def test_bits_are_kinds(bits, kind):
    made = expose(
        flat(0.5), replace(PLAIN, bits=bits), pixel_size=0.32, rng=np.random.default_rng(0)
    )
    assert made.dtype == kind
    assert made.mean() / np.iinfo(kind).max == pytest.approx(0.5 / FULL_SCALE, rel=0.02)


def test_the_bright_end_is_cut_at_the_full_scale():
    """Gain 2 cuts at half of the light that fills the range."""
    ramp = np.broadcast_to(np.linspace(0, 2, 256, dtype=np.float32), (4, 256, 256))
    once = shot(ramp, replace(PLAIN, bits=8))
    twice = shot(ramp, replace(PLAIN, bits=8, saturation_gain=2.0))
    assert (once < 255).all()
    share = (twice == 255).mean()
    assert share == pytest.approx(1 - FULL_SCALE / 2 / 2, abs=0.02)
    assert shot(flat(1e6, 8), replace(PLAIN, bits=8)).min() == 255


def test_the_offset_is_what_darkness_reads():
    assert shot(flat(0.0), replace(PLAIN, offset=700.0)).mean() == pytest.approx(700, abs=1)


def test_blur_has_the_width_of_the_channel():
    light = np.zeros((4, 65, 65), np.float32)
    light[:, 32, 32] = 2.0
    optics = replace(PLAIN, psf_um=(0.2, 0.3, 0.4, 0.5))
    image = electrons(shot(light, optics, pixel_size=0.1), optics)
    axis = np.arange(65) - 32.0
    for plane, sigma in zip(image, optics.psf_um, strict=True):
        profile = plane.sum(axis=0)
        spread = np.sqrt((profile * axis**2).sum() / profile.sum()) * 0.1
        assert spread == pytest.approx(sigma, rel=0.1)
        assert plane.sum() == pytest.approx(2.0 * optics.photons, rel=0.01)


def test_the_corners_lose_the_vignette_s_share():
    optics = replace(PLAIN, vignette=0.2)
    image = electrons(shot(flat(1.0, 129), optics), optics) / optics.photons
    assert image[0, 64, 64] == pytest.approx(1, abs=0.01)
    assert image[0, 0, 0] == pytest.approx(0.8, abs=0.01)
    assert image[0, 64, 0] == pytest.approx(0.9, abs=0.01)


def test_bleeding_by_hand():
    """Blue shows in green at the full share and nowhere else; green in red, a third in blue."""
    light = flat(0.0, 16)
    light[2] = 1.0
    optics = replace(PLAIN, bleed=0.05)
    means = electrons(shot(light, optics), optics).mean(axis=(1, 2)) / optics.photons
    assert means == pytest.approx([0, 0.05, 1, 0], abs=0.003)
    light = flat(0.0, 16)
    light[1] = 1.0
    means = electrons(shot(light, optics), optics).mean(axis=(1, 2)) / optics.photons
    assert means == pytest.approx([0.05, 1, 0.05 / 3, 0], abs=0.003)


def test_haze_moves_light_and_keeps_its_sum():
    light = flat(0.0, 128)
    light[:, 60:68, 60:68] = 2.0
    optics = replace(PLAIN, haze=0.2)
    plain, hazy = (electrons(shot(light, o), o)[0] for o in (PLAIN, optics))
    assert hazy.sum() == pytest.approx(plain.sum(), rel=0.03)
    assert hazy[64, 64] == pytest.approx(0.8 * plain[64, 64], rel=0.1)
    assert hazy[64, 75] > 0.002 * plain[64, 64]


def test_dust_takes_light_away_in_all_channels_at_once():
    optics = replace(PLAIN, dust=3)
    image = electrons(shot(flat(1.0), optics), optics) / optics.photons
    assert image.min() < 0.8
    assert image.max() < 1.02
    assert np.corrcoef(image[0].ravel(), image[3].ravel())[0, 1] > 0.95


@settings(max_examples=20, deadline=None)
@given(
    st.floats(0, 3),
    st.sampled_from([8, 16]),
    st.floats(0, 0.5),
    st.floats(0, 0.3),
    st.integers(0, 3),
    st.floats(0, 6),
)
def test_any_optics_give_an_image(light, bits, vignette, haze, dust, read_noise):
    optics = replace(
        PLAIN, bits=bits, vignette=vignette, haze=haze, dust=dust, read_noise=read_noise,
        photons=50.0, psf_um=(0.1, 0.12, 0.1, 0.13),
    )  # fmt: skip
    first, second = (shot(flat(light, 33), optics, seed=4) for _ in range(2))
    assert (first == second).all()
    assert first.min() >= 0


@settings(max_examples=20, deadline=None)
@given(st.floats(0.05, 1.4), st.floats(1.05, 2.0))
def test_more_light_gives_more_counts(light, factor):
    optics = replace(PLAIN, photons=200.0, read_noise=2.0)
    assert shot(flat(light * factor), optics).mean() > shot(flat(light), optics).mean()
