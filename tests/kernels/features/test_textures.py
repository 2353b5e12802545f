"""Pairs of grey levels as scikit-image counts them, patterns as a slow loop does."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.feature import graycomatrix, graycoprops

from cellwise.kernels.features.textures import measure_pairs, measure_patterns

STEPS = np.array([(0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1), (-1, 0), (-1, 1)], np.int64)
EDGE = 3


def framed(inner):
    return np.pad(inner, EDGE)


def at_of(parts):
    return np.concatenate([np.flatnonzero(parts == k) for k in (1, 2)]).astype(np.int32)


@given(seed=st.integers(0, 10_000), apart=st.sampled_from([1, 3]), top=st.integers(2, 8))
@settings(max_examples=20, deadline=None)
def test_numbers_of_a_rectangle_are_those_of_scikit_image(seed, apart, top):
    inner = np.random.default_rng(seed).integers(0, top, (9, 12)).astype(np.uint8)
    parts = framed(np.ones_like(inner))
    found = measure_pairs(framed(inner), parts, at_of(parts), apart)
    # Diagonal neighbours are `apart` away on both axes here, `apart` in all there.
    tables = [
        graycomatrix(inner, [far], [angle], levels=8, symmetric=True, normed=True)
        for far, angle in ((apart, 0), (apart, np.pi / 2))
    ]
    diagonal = apart * np.sqrt(2)
    tables += [
        graycomatrix(inner, [diagonal], [angle], levels=8, symmetric=True, normed=True)
        for angle in (np.pi / 4, 3 * np.pi / 4)
    ]
    for place, name in ((0, "contrast"), (2, "ASM"), (4, "correlation")):
        wanted = np.mean([graycoprops(table, name) for table in tables])
        np.testing.assert_allclose(found[0, place], wanted, rtol=1e-6, err_msg=name)
    entropy = np.mean([-(t[t > 0] * np.log(t[t > 0])).sum() for t in tables])
    np.testing.assert_allclose(found[0, 3], entropy, rtol=1e-6)
    np.testing.assert_array_equal(found[1], found[0])
    assert np.isnan(found[2]).all()


def test_a_pair_counts_for_a_part_with_both_ends_in_it():
    levels = framed(np.repeat([[0, 0, 0, 7, 7, 7]], 6, axis=0).astype(np.uint8))
    parts = framed(np.repeat([[1, 1, 1, 2, 2, 2]], 6, axis=0).astype(np.uint8))
    found = measure_pairs(levels, parts, at_of(parts), 1)
    assert found[1, 0] == found[2, 0] == 0
    assert found[0, 0] > 0
    assert np.isnan(found[1:, 4]).all(), "one level alone has no correlation"
    # Of four directions only the vertical one crosses no border.
    across = np.mean([49 / 5, 0, 49 / 5, 49 / 5])
    assert found[0, 0] == pytest.approx(across)


def test_too_few_pairs_are_no_texture():
    levels = framed(np.ones((2, 2), np.uint8))
    parts = framed(np.ones((2, 2), np.uint8))
    assert np.isnan(measure_pairs(levels, parts, at_of(parts), 1)).all()


@given(seed=st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_patterns_are_those_of_a_slow_loop(seed):
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 5, (14, 15)).astype(np.float32)
    parts = framed(rng.integers(0, 3, (8, 9)).astype(np.uint8))
    at = at_of(parts)
    first = int((parts == 1).sum())
    counts = np.zeros((3, 10))
    for row in (1, 2):
        for y, x in zip(*np.nonzero(parts == row), strict=True):
            seen = [image[y + v, x + u] >= image[y, x] for v, u in STEPS]
            arcs = sum(a != b for a, b in zip(seen, [*seen[1:], seen[0]], strict=True))
            counts[row, sum(seen) if arcs <= 2 else 9] += 1
    counts[0] = counts[1:].sum(0)
    found = measure_patterns(image, at, first, STEPS, 1e-4)
    np.testing.assert_allclose(found, counts / counts.sum(1, keepdims=True))
    turned = measure_patterns(np.ascontiguousarray(image.T), _turned(parts, at), first, STEPS, 1e-4)
    np.testing.assert_allclose(turned, found)


def _turned(parts, at):
    y, x = np.divmod(at, parts.shape[1])
    return (x * parts.shape[0] + y).astype(np.int32)


def test_a_flat_image_has_the_pattern_of_eight_and_an_empty_part_none():
    image = np.ones((9, 9), np.float32)
    at = at_of(np.pad(np.ones((3, 3), np.uint8), 3))
    found = measure_patterns(image, at, 9, STEPS, 1e-4)
    assert found[0, 8] == found[1, 8] == 1
    assert np.isnan(found[2]).all()
