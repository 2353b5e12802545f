"""Zones, directions and correlations: as plain numpy has them."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from cellwise.kernels.features.zones import (
    brightest,
    code_zones,
    correlate,
    places_of_parts,
    put_above,
    sum_directions,
    sum_zones,
)

SIDE = 40
Y, X = np.mgrid[:SIDE, :SIDE]


def parts_of(nucleus):
    away = np.hypot(Y - 20, X - 19)
    return np.where(away < nucleus, 1, np.where(away < 17, 2, 0)).astype(np.uint8)


@given(seed=st.integers(0, 10_000), bins=st.integers(1, 6))
@settings(max_examples=15, deadline=None)
def test_zones_are_as_their_page_says(seed, bins):
    rng = np.random.default_rng(seed)
    parts = parts_of(rng.uniform(2, 12))
    away = rng.uniform(-8, 20, parts.shape).astype(np.float32)
    away = np.where(parts == 1, -np.abs(away), np.abs(away)).astype(np.float32)
    depth = rng.uniform(0.5, 15, parts.shape).astype(np.float32)
    codes = code_zones(parts, away, depth, bins)
    inside, nucleus, rest = parts > 0, parts == 1, parts == 2
    wanted = [
        nucleus, rest, nucleus & (away < -4), nucleus & (away < -2) & (away >= -4),
        inside & (abs(away) <= 2), rest & (away > 2) & (away <= 5),
        rest & (away > 5) & (away <= 10), rest & (away > 10) & (depth > 5), rest & (depth <= 2.3),
        rest & (depth > 2.3) & (depth <= 5),
    ]  # fmt: skip
    for zone, mask in enumerate(wanted):
        np.testing.assert_array_equal(codes >> zone & 1, mask, err_msg=str(zone))
    radial = np.array([codes >> (10 + k) & 1 for k in range(bins)])
    np.testing.assert_array_equal(radial.sum(0), rest)
    image = rng.random(parts.shape).astype(np.float32)
    sums = sum_zones(image, codes, 10 + bins)
    for zone, mask in enumerate([*wanted, *radial.astype(bool)]):
        some = image[mask].astype(np.float64)
        np.testing.assert_allclose(sums[zone], [mask.sum(), some.sum(), (some**2).sum()], rtol=1e-9)


def test_without_a_nucleus_only_zones_of_the_edge_are_told():
    parts = parts_of(0)
    codes = code_zones(
        parts, np.full(parts.shape, np.nan, np.float32), np.ones_like(X, np.float32), 5
    )
    assert set(np.unique(codes)) == {0, 256}


@given(seed=st.integers(0, 10_000))
@settings(max_examples=15, deadline=None)
def test_sums_over_directions_are_those_of_angles(seed):
    image = np.random.default_rng(seed).random((SIDE, SIDE)).astype(np.float32)
    at = np.flatnonzero(parts_of(5) == 2).astype(np.int32)
    sums, sectors = sum_directions(image, at, (20.3, 18.8))
    y, x = np.divmod(at, SIDE)
    angle, value = np.arctan2(y - 20.3, x - 18.8), image.ravel()[at].astype(np.float64)
    for k in (1, 2):
        moment = (value * np.exp(1j * k * angle)).sum()
        np.testing.assert_allclose(
            sums[2 * k - 1 : 2 * k + 1], [moment.real, moment.imag], rtol=1e-8
        )
    octant = np.floor(angle / (np.pi / 4)).astype(int) % 8
    counted = np.bincount(octant, minlength=8)
    assert sorted(sectors[:, 0]) == sorted(counted)
    np.testing.assert_allclose(
        sorted(sectors[:, 1]), sorted(np.bincount(octant, value, minlength=8)), rtol=1e-9
    )


@given(seed=st.integers(0, 10_000), offset=st.floats(-100, 100))
@settings(max_examples=15, deadline=None)
def test_correlations_are_numpys(seed, offset):
    rng = np.random.default_rng(seed)
    one, other, coarse, rough = rng.normal(0, 1, (4, SIDE, SIDE)).astype(np.float32)
    other = (0.5 * one + other + offset).astype(np.float32)
    parts = parts_of(7)
    at = np.concatenate([np.flatnonzero(parts == k) for k in (1, 2)]).astype(np.int32)
    first = int((parts == 1).sum())
    found = correlate(one, other, (coarse, rough), at, first)
    for row, chosen in enumerate((at, at[:first], at[first:])):
        pairs = ((one, other), (one - coarse, other - rough))
        wanted = [np.corrcoef(a.ravel()[chosen], b.ravel()[chosen])[0, 1] for a, b in pairs]
        np.testing.assert_allclose(found[row], wanted, atol=1e-3)


def test_nothing_goes_with_a_constant():
    flat, at = np.full((5, 5), 0.3, np.float32), np.arange(25, dtype=np.int32)
    rising = np.arange(25, dtype=np.float32).reshape(5, 5)
    assert np.isnan(correlate(flat, rising, (flat, flat), at, 10)).all()


def test_a_level_is_taken_off_and_nothing_falls_below():
    image = np.array([0.1, 0.5, 0.9, 0.7], np.float32)
    result = np.zeros(4, np.float32)
    mean = put_above(image, np.array([0, 2], np.int32), np.float32(0.3), result)
    np.testing.assert_allclose(result, [0, 0, 0.6, 0], atol=1e-6)
    np.testing.assert_allclose(mean, 0.3, atol=1e-6)


@given(seed=st.integers(0, 10_000), most=st.integers(1, 3))
@settings(max_examples=10, deadline=None)
def test_pixels_of_the_nucleus_come_first(seed, most):
    parts = np.random.default_rng(seed).integers(0, most, (7, 9)).astype(np.uint8)
    at, first = places_of_parts(parts)
    wanted = [np.flatnonzero(parts == part) for part in (1, 2)]
    np.testing.assert_array_equal(at, np.concatenate(wanted))
    assert first == len(wanted[0])


@given(values=st.lists(st.integers(0, 3), min_size=1, max_size=30))
@settings(max_examples=30, deadline=None)
def test_the_first_of_the_brightest_pixels_is_found(values):
    image = np.zeros((6, 6), np.float32)
    at = np.random.default_rng(len(values)).permutation(36)[: len(values)].astype(np.int32)
    image.ravel()[at] = values
    assert brightest(image, at) == at[int(np.argmax(values))]
