"""Crops: equal to a slow exact area average (or bilinear up-scaling) of the masked frame."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cellwise.domain.crop_plan import POLICIES, CropPlan
from cellwise.errors import BadOption, InputError
from cellwise.kernels.boxes import find_boxes
from cellwise.kernels.crop import crop_cells, crop_windows


def weights(origin, side, size, length):
    """Dense `[size, length]`: overlap of each output pixel with each source pixel, or bilinear."""
    table = np.zeros((size, length))
    step = side / size
    for i in range(size):
        for pixel in range(length):
            if step >= 1:
                begin, end = origin + i * step, origin + (i + 1) * step
                table[i, pixel] = max(0, min(end, pixel + 1) - max(begin, pixel)) / step
            else:
                distance = abs(origin + (i + 0.5) * step - (pixel + 0.5))
                table[i, pixel] = max(0, 1 - distance)
    return table


def slowly(pixels, labels, boxes, plan):
    unit = {"uint8": 255, "uint16": 65535, "float32": 1}[pixels.dtype.name]
    crops, coverage = [], []
    for cell, (top, left, side) in enumerate(crop_windows(boxes, plan)):
        own, nothing = labels == boxes.ids[cell], labels == 0
        factor = {
            "mask_others": np.where(own | nothing, 1, 0),
            "mask_all": np.where(own, 1, 0),
            "recentre": np.where(own, 1, 0),
            "keep": np.ones(labels.shape),
            "dim": np.where(own, 1, plan.dim),
        }[plan.policy]
        rows = weights(top, side, plan.size, labels.shape[0])
        columns = weights(left, side, plan.size, labels.shape[1]).T
        masked = np.where(factor == 0, 0, pixels * factor)
        crops.append([rows @ channel @ columns / unit for channel in masked])
        coverage.append(rows @ own @ columns)
    shape = (len(boxes), len(pixels), plan.size, plan.size)
    return np.reshape(crops, shape), np.reshape(coverage, (len(boxes), plan.size, plan.size))


def assert_as_slow(pixels, labels, plan):
    boxes = find_boxes(labels)
    found = crop_cells(pixels, labels, boxes=boxes, plan=plan)
    crops, coverage = slowly(pixels, labels, boxes, plan)
    np.testing.assert_allclose(found.pixels, crops, atol=2e-6)
    np.testing.assert_allclose(found.coverage, coverage, atol=2e-6)


def small_world(seed, height=37, width=53, cells=6, dtype=np.uint8, channels=2):
    rng = np.random.default_rng(seed)
    labels = np.zeros((height, width), np.uint16)
    for number in range(1, cells + 1):
        y, x = rng.integers(0, height), rng.integers(0, width)
        labels[y : y + rng.integers(1, 22), x : x + rng.integers(1, 25)] = number * 3
    pixels = rng.random((channels, height, width), np.float32)
    if dtype != np.float32:
        pixels = (pixels * np.iinfo(dtype).max).astype(dtype)
    return pixels, labels


def test_halving_a_square_by_hand():
    labels = np.zeros((8, 8), np.uint16)
    labels[2:6, 2:6] = 1
    pixels = np.zeros((1, 8, 8), np.float32)
    pixels[0, 2:6, 2:6] = [[1, 3, 0, 0], [5, 7, 0, 0], [0, 0, 2, 2], [0, 0, 2, 2]]
    found = crop_cells(pixels, labels, boxes=find_boxes(labels), plan=CropPlan(2, pad=0))
    assert found.pixels[0, 0].tolist() == [[4, 0], [0, 2]]
    assert found.coverage[0].tolist() == [[1, 1], [1, 1]]


def test_a_crop_of_the_same_size_is_a_copy():
    labels = np.zeros((20, 20), np.uint16)
    labels[4:14, 4:14] = 1
    pixels = np.random.default_rng(0).random((3, 20, 20), np.float32)
    found = crop_cells(pixels, labels, boxes=find_boxes(labels), plan=CropPlan(10, pad=0))
    np.testing.assert_array_equal(found.pixels[0], pixels[:, 4:14, 4:14])


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_as_a_slow_exact_resize_says(policy, dtype):
    pixels, labels = small_world(3, dtype=dtype)
    for size, window in ((8, None), (5, 17.5), (24, 12.0), (1, 33.0)):
        plan = CropPlan(
            size, policy, pad=0.15, window=window or (20 if policy == "recentre" else None)
        )
        assert_as_slow(pixels, labels, plan)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 10_000),
    st.integers(1, 40),
    st.sampled_from(POLICIES),
    st.floats(0, 1.5),
    st.one_of(st.none(), st.floats(1, 90)),
)
def test_any_scale_and_place_is_exact(seed, size, policy, pad, window):
    if policy == "recentre" and window is None:
        window = 21.3
    pixels, labels = small_world(seed, cells=3)
    assert_as_slow(pixels, labels, CropPlan(size, policy, pad, window, 0.4))


def test_neighbours_vanish_and_background_stays():
    labels = np.zeros((12, 24), np.uint16)
    labels[2:10, 2:10] = 1
    labels[2:10, 11:20] = 2
    pixels = np.ones((1, 12, 24), np.uint8) * 255
    plan = CropPlan(16, "mask_others", pad=1.0)
    first = crop_cells(pixels, labels, boxes=find_boxes(labels), plan=plan).pixels[0, 0]
    # The window is -2..14 in both directions: one source pixel per output pixel.
    assert (first[2:14, 2:13] == 1).all()
    assert (first[4:12, 13:] == 0).all()
    assert (first[:2] == 0).all()


def test_outside_the_frame_is_zero():
    labels = np.zeros((10, 10), np.uint16)
    labels[0:2, 0:2] = 1
    pixels = np.ones((1, 10, 10), np.float32)
    found = crop_cells(pixels, labels, boxes=find_boxes(labels), plan=CropPlan(6, "keep", window=6))
    assert found.pixels[0, 0, :2].max() == 0
    assert found.pixels[0, 0, 2:, 2:].min() == 1


def test_coverage_adds_up_to_the_area():
    _, labels = small_world(5)
    boxes = find_boxes(labels)
    plan = CropPlan(9, pad=0.3)
    found = crop_cells(np.zeros((1, *labels.shape), np.uint8), labels, boxes=boxes, plan=plan)
    per_pixel = (crop_windows(boxes, plan)[:, 2] / plan.size) ** 2
    large = per_pixel >= 1
    area = found.coverage.sum(axis=(1, 2)) * per_pixel
    assert area[large] == pytest.approx(boxes.area[large], rel=1e-5)


def test_recentre_keeps_one_scale():
    labels = np.zeros((60, 60), np.uint16)
    labels[5:15, 5:15] = 1
    labels[30:50, 30:50] = 2
    pixels = np.ones((1, 60, 60), np.float32)
    plan = CropPlan(20, "recentre", window=40)
    found = crop_cells(pixels, labels, boxes=find_boxes(labels), plan=plan).pixels[:, 0]
    assert found.sum(axis=(1, 2)).tolist() == [25, 100]
    assert (found == found[:, ::-1, ::-1]).all()


def test_masked_faults_do_not_leak():
    labels = np.zeros((16, 30), np.uint16)
    labels[4:12, 4:12] = 1
    labels[4:12, 12:22] = 2
    pixels = np.ones((1, 16, 30), np.float32)
    pixels[0, 6, 15] = np.nan
    plan = CropPlan(16, "mask_others", pad=1.0)
    found = crop_cells(pixels, labels, boxes=find_boxes(labels), plan=plan).pixels
    assert np.isfinite(found[0]).all()
    assert np.isnan(found[1]).any()


def test_mirroring_the_frame_mirrors_the_crops():
    pixels, labels = small_world(8)
    plan = CropPlan(16)
    plain = crop_cells(pixels, labels, boxes=find_boxes(labels), plan=plan).pixels
    turned = crop_cells(
        pixels[:, :, ::-1], labels[:, ::-1], boxes=find_boxes(labels[:, ::-1]), plan=plan
    ).pixels
    np.testing.assert_allclose(turned[..., ::-1], plain, atol=2e-6)


def test_constant_pixels_stay_constant_at_full_range():
    labels = np.ones((30, 30), np.uint16)
    for dtype in (np.uint8, np.uint16):
        pixels = np.full((1, 30, 30), np.iinfo(dtype).max, dtype)
        found = crop_cells(pixels, labels, boxes=find_boxes(labels), plan=CropPlan(7, pad=0))
        np.testing.assert_allclose(found.pixels, 1, atol=1e-6)


def test_no_cells_give_no_crops():
    labels = np.zeros((9, 9), np.uint16)
    found = crop_cells(
        np.zeros((2, 9, 9), np.uint8), labels, boxes=find_boxes(labels), plan=CropPlan(8)
    )
    assert found.pixels.shape == (0, 2, 8, 8)
    assert found.coverage.shape == (0, 8, 8)


def test_numbers_above_65535_are_told_apart():
    labels = np.zeros((20, 40), np.uint32)
    labels[4:16, 4:16] = 3
    labels[4:16, 16:30] = 3 + 65536
    pixels = np.ones((1, 20, 40), np.float32)
    plan = CropPlan(12, "mask_all", pad=0)
    assert_as_slow(pixels, labels, plan)


@pytest.mark.parametrize(
    "options",
    [
        {"policy": "mask"},
        {"size": 0},
        {"pad": -1},
        {"window": 0},
        {"dim": 2},
        {"policy": "recentre"},
    ],
)
def test_wrong_settings_are_refused(options):
    with pytest.raises(BadOption):
        CropPlan(**options)


def test_pixels_of_another_size_or_type_are_refused():
    labels = np.ones((9, 9), np.uint16)
    boxes = find_boxes(labels)
    with pytest.raises(InputError, match="differ in size"):
        crop_cells(np.zeros((1, 9, 8), np.uint8), labels, boxes=boxes, plan=CropPlan())
    with pytest.raises(InputError, match="not float64") as caught:
        crop_cells(np.zeros((1, 9, 9)), labels, boxes=boxes, plan=CropPlan())
    assert caught.value.code == "pixel_type"


def naive(pixels, labels, size):
    crops = []
    for number in range(1, int(labels.max()) + 1):
        own = labels == number
        y, x = np.nonzero(own)
        window = np.s_[y.min() : y.max() + 1, x.min() : x.max() + 1]
        keep = own[window] | (labels[window] == 0)
        cut = pixels[(slice(None), *window)] * keep
        rows, columns = (np.arange(size) * n // size for n in cut.shape[1:])
        sums = np.add.reduceat(cut, rows, axis=1, dtype=np.float32)
        crops.append(np.add.reduceat(sums, columns, axis=2) / (cut[0].size / size**2 * 255))
    return np.stack(crops)


def test_many_times_faster_than_a_loop_over_masks_of_the_frame():
    """Measured 29 times at 2048 pixels; a quarter of that leaves room for busy machines."""
    rng = np.random.default_rng(0)
    labels = np.zeros((1024, 1024), np.uint16)
    for number in range(36):
        y, x = 170 * (number // 6), 170 * (number % 6)
        labels[y + 5 : y + 160, x + 5 : x + 160] = number + 1
    pixels = rng.integers(0, 256, (4, 1024, 1024)).astype(np.uint8)

    def ours():
        return crop_cells(pixels, labels, boxes=find_boxes(labels), plan=CropPlan(64)).pixels

    def clock(extract):
        extract()
        times = []
        for _ in range(3):
            start = time.process_time()
            extract()
            times.append(time.process_time() - start)
        return min(times)

    assert clock(lambda: naive(pixels, labels, 64)) > 7 * clock(ours)


@pytest.mark.parametrize("lying", [True, False])
def test_a_slender_cell_is_shown_twice_and_nothing_beside_it(lying):
    labels = np.zeros((40, 40), np.uint16)
    labels[18:22, 4:36] = 1
    labels[0:10, 0:8] = 2
    labels = labels if lying else labels.T.copy()
    pixels = np.arange(1600, dtype=np.uint16).reshape(1, 40, 40) + 1
    boxes = find_boxes(labels)
    once = crop_cells(pixels, labels, boxes=boxes, plan=CropPlan(32, "keep", pad=0.0))
    twice = crop_cells(pixels, labels, boxes=boxes, plan=CropPlan(32, "keep", 0.0, repeat=True))
    slender = list(boxes.ids).index(1)
    stout = 1 - slender
    np.testing.assert_array_equal(twice.pixels[stout], once.pixels[stout])
    one, two = once.pixels[slender, 0], twice.pixels[slender, 0]
    if not lying:
        one, two = one.T, two.T
    band = one[14:18]
    np.testing.assert_array_equal(two[12:16], band)
    np.testing.assert_array_equal(two[16:20], band)
    assert not two[:12].any()
    assert not two[20:].any()
    covered = twice.coverage[slender]
    assert covered.sum() == pytest.approx(2 * once.coverage[slender].sum())


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), pad=st.floats(0, 1.5), size=st.integers(1, 20))
def test_windows_shifted_inside_hold_the_cell_and_lie_in_the_frame(seed, pad, size):
    pixels, labels = small_world(seed)
    plan = CropPlan(size, "mask_all", pad=pad, inside=True)
    boxes = find_boxes(labels)
    windows = crop_windows(boxes, plan, labels.shape)
    free = crop_windows(boxes, CropPlan(size, "mask_all", pad=pad))
    np.testing.assert_array_equal(windows[:, 2], free[:, 2])
    for cell, ((top, left, side), own) in enumerate(zip(windows, free, strict=True)):
        for start, before, length in ((top, own[0], 37), (left, own[1], 53)):
            if side <= length:
                assert -1e-9 <= start <= length - side + 1e-9
                # No further than it must.
                assert start == pytest.approx(min(max(before, 0), length - side))
            else:
                assert start == pytest.approx((length - side) / 2)
        if side <= 37:
            assert top <= boxes.y0[cell]
            assert boxes.y1[cell] <= top + side + 1e-9
    found = crop_cells(pixels, labels, boxes=boxes, plan=plan).pixels
    expected = np.empty_like(found)
    for cell, (top, left, side) in enumerate(windows):
        rows, columns = weights(top, side, size, 37), weights(left, side, size, 53).T
        alone = np.where(labels == boxes.ids[cell], pixels / 255, 0)
        expected[cell] = [rows @ channel @ columns for channel in alone]
    np.testing.assert_allclose(found, expected, atol=2e-6)


def test_crops_cannot_be_both_shown_twice_and_shifted_inside():
    with pytest.raises(BadOption, match="not both"):
        CropPlan(32, repeat=True, inside=True)
