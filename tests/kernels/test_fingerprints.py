"""Fingerprints: copies in other clothes are found, other fields are not, however many there are."""

import io

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from cellwise.kernels.fingerprints import WORDS, agreement, fingerprint, same_images

SIDE = 128


def field(seed, *, moved=0.0):
    """Two channels `[y, x]` in 0..1 with forty cells, all moved by up to so many pixels."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:SIDE, :SIDE]
    planes = np.zeros((2, SIDE, SIDE), np.float32)
    for _ in range(40):
        cy, cx = random.uniform(0, SIDE, 2)
        radius, level = random.uniform(3, 8), random.uniform(0.3, 0.9)
        step = np.random.default_rng([seed, 1, int(cy * 100)]).uniform(-moved, moved, 2)
        away = np.hypot(y - cy - step[0], x - cx - step[1])
        planes[0] += level * np.exp(-((away / radius) ** 2))
        planes[1] += random.uniform(0.1, 0.9) * np.exp(-((away / radius / 1.5) ** 4))
    return np.clip(planes + random.normal(0.03, 0.01, planes.shape), 0, 1).astype(np.float32)


def prints(planes):
    return np.stack([fingerprint(plane) for plane in planes])


def compressed(plane, quality):
    file = io.BytesIO()
    Image.fromarray((plane * 255).astype(np.uint8)).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file), np.float32) / 255


def changed(planes, quality, size, gain, offset):
    """The same field as another file: compressed, of another size, brighter or darker."""
    done = [compressed(np.clip(plane * gain + offset, 0, 1), quality) for plane in planes]
    return [cv2.resize(plane, (size, size), interpolation=cv2.INTER_AREA) for plane in done]


@settings(max_examples=12, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    quality=st.integers(55, 95),
    size=st.integers(100, 240),
    gain=st.floats(0.5, 1.1),
    offset=st.floats(0, 0.1),
)
def test_a_copy_in_other_clothes_is_found_and_no_other_field_is(seed, quality, size, gain, offset):
    one = field(seed)
    found = [
        prints(one), prints(field(seed + 1)), prints(field(seed + 2)),
        prints(changed(one, quality, size, gain, offset)),
    ]  # fmt: skip
    assert same_images(np.stack(found)).tolist() == [0, 1, 2, 0]


def test_neighbours_in_a_time_series_and_equal_dyes_are_not_the_same():
    still, later = prints(field(5)), prints(field(5, moved=2.5))
    assert agreement(still, later).min() > 0.55, "they are alike"
    assert same_images(np.stack([still, later])).tolist() == [0, 1]
    other_protein = np.stack([still[0], prints(field(6))[1]])
    assert same_images(np.stack([still, other_protein])).tolist() == [0, 1]


def test_times_of_one_field_are_no_copies_even_where_nothing_moves():
    twice = np.stack([prints(field(7))] * 3)
    assert same_images(twice).tolist() == [0, 0, 0]
    assert same_images(twice[:2], np.array([4, 4])).tolist() == [0, 1]
    assert same_images(twice, np.array([4, -1, -1])).tolist() == [0, 0, 0]


def test_images_of_one_value_are_like_no_other():
    blank = np.stack([fingerprint(np.full((30, 40), 0.2, np.float32))] * 2)
    assert not blank.any()
    assert same_images(np.stack([blank, blank])).tolist() == [0, 1]


def test_dark_fields_under_the_same_lamp_are_not_the_same():
    y, x = np.mgrid[:SIDE, :SIDE]
    lamp = 0.02 * np.exp(-((y - 80) ** 2 + (x - 70) ** 2) / 9000)
    fields = []
    for seed in range(6):
        noise = np.random.default_rng(seed).normal(0.05, 0.01, (2, SIDE, SIDE))
        fields.append(prints(np.clip(lamp + noise, 0, 1).astype(np.float32)))
    assert same_images(np.stack(fields)).tolist() == list(range(6))


def slow(found, within=11):
    """Every pair is compared, and components are followed to their end."""
    count = len(found)
    first = list(range(count))
    changed_any = True
    while changed_any:
        changed_any = False
        for a in range(count):
            for b in range(a + 1, count):
                near = np.bitwise_count(found[a, 0, 0] ^ found[b, 0, 0]) <= within
                share = agreement(found[a], found[b])
                if near and share.mean() >= 0.85 and share.min() >= 0.65 and first[a] != first[b]:
                    first[a] = first[b] = min(first[a], first[b])
                    changed_any = True
    return first


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**31), turned=st.integers(0, 14))
def test_it_finds_what_comparing_every_pair_finds(seed, turned):
    random = np.random.default_rng(seed)
    found = random.integers(1, 2**63, (24, 1, WORDS)).astype(np.uint64)
    for copy in range(12, 24):
        found[copy] = found[random.integers(0, copy)]
        bits = random.permutation(64)[:turned]
        for bit in bits.tolist():
            found[copy, 0, 0] ^= np.uint64(1) << np.uint64(bit)
    assert same_images(found).tolist() == slow(found)


def test_the_work_grows_with_the_number_of_fields_and_not_with_its_square():
    random = np.random.default_rng(0)
    found = random.integers(1, 2**63, (30_000, 1, WORDS)).astype(np.uint64)
    found[-500:] = found[:500]
    first = same_images(found)
    assert (first != np.arange(30_000)).sum() == 500


@pytest.mark.parametrize("count", [0, 1])
def test_one_field_or_none_is_like_no_other(count):
    assert same_images(np.ones((count, 2, WORDS), np.uint64)).tolist() == list(range(count))
