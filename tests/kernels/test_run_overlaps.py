"""Overlaps from run lengths equal overlaps from pixels; broken texts are named."""

import base64
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco

from cellwise.errors import InputError
from cellwise.kernels.matching import find_overlaps
from cellwise.kernels.run_overlaps import find_run_overlaps
from cellwise.kernels.run_texts import decode_texts
from cellwise.kernels.runs import compress, encode_labels, encode_masks, pack


@st.composite
def pairs_of_labels(draw):
    """Two label images of one size, from specks to one cell that fills the frame."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = (draw(st.integers(1, 12)), draw(st.integers(1, 12)))
    coarse = draw(st.integers(1, 5))
    images = []
    for _ in range(2):
        small = rng.integers(0, draw(st.integers(1, 9)), (12 // coarse + 1, 12 // coarse + 1))
        large = np.repeat(np.repeat(small, coarse, axis=0), coarse, axis=1)
        images.append(large[: shape[0], : shape[1]].astype(np.uint16))
    return images


@given(pairs_of_labels())
@settings(deadline=None)
def test_runs_and_pixels_give_the_same_table(images):
    predicted, true = images
    found = find_run_overlaps(encode_labels(predicted), encode_labels(true))
    slow = find_overlaps(predicted, true)
    for name in ("predicted_ids", "true_ids", "predicted_area", "true_area", "predicted", "true"):
        assert np.array_equal(getattr(found, name), getattr(slow, name)), name
    assert np.array_equal(found.iou, slow.iou)


@st.composite
def heaps_of_masks(draw):
    """Masks that overlap one another and may be empty, and a label image."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = (draw(st.integers(1, 10)), draw(st.integers(1, 10)))
    masks = rng.random((draw(st.integers(0, 5)), *shape)) < draw(st.floats(0, 1))
    return masks, rng.integers(0, 4, shape).astype(np.uint16)


@given(heaps_of_masks())
@settings(deadline=None)
def test_masks_may_overlap_one_another(heap):
    masks, true = heap
    found = find_run_overlaps(
        decode_texts([text(m) for m in masks], **size(true)), encode_labels(true)
    )
    ids = np.unique(true[true > 0])
    slow = [
        [(mask & (true == k)).sum() / max((mask | (true == k)).sum(), 1) for k in ids]
        for mask in masks
    ]
    assert np.array_equal(found.table(), np.array(slow).reshape(len(masks), len(ids)))
    assert found.predicted_area.tolist() == [int(mask.sum()) for mask in masks]


def test_by_hand():
    predicted, true = np.zeros((4, 5), np.uint8), np.zeros((4, 5), np.uint8)
    predicted[:, :3], true[:, 2:] = 7, 3
    found = find_run_overlaps(encode_labels(predicted), encode_labels(true))
    # 12 pixels each, 4 shared, 20 together.
    assert (found.predicted_ids.tolist(), found.true_ids.tolist()) == ([7], [3])
    assert found.iou.tolist() == [4 / 20]


def test_texts_equal_those_of_pycocotools():
    rng = np.random.default_rng(3)
    masks = rng.random((6, 33, 21)) < 0.3
    runs = decode_texts([text(mask) for mask in masks], height=33, width=21)
    for k, mask in enumerate(masks):
        assert (
            compress(runs.of(k)) == coco.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"]
        )


def test_no_mask_and_an_empty_mask():
    nothing = decode_texts([], height=4, width=5)
    empty = decode_texts([text(np.zeros((4, 5), bool))], height=4, width=5)
    true = encode_labels(np.ones((4, 5), np.uint8))
    assert len(find_run_overlaps(nothing, true).iou) == 0
    found = find_run_overlaps(empty, true)
    assert (found.predicted_area.tolist(), len(found.iou)) == ([0], 0)


@pytest.mark.parametrize("side", [2048, 1728])
def test_the_placeholder_of_the_challenge_is_an_empty_mask_for_any_image(side):
    runs = decode_texts(["eNoLCAgIMAEABJkBdQ=="], height=side, width=side)
    assert runs.of(0).tolist() == [2048 * 2048]
    true = encode_labels(np.ones((side, side), np.uint8))
    assert len(find_run_overlaps(runs, true).iou) == 0


@pytest.mark.parametrize(
    ("broken", "code", "words"),
    [
        ("not base64!", "mask_text", "mask 2: .*base64"),
        (base64.b64encode(b"plain").decode(), "mask_text", "does not unfold"),
        (pack(b"P"), "mask_text", "cut off"),
        (pack(b"0~0"), "mask_text", "outside"),
        (pack(compress(np.array([3, 4]))), "mask_size", "mask 2 does not fill the image of 4 x 5"),
        (pack(compress(np.array([2**33, 2**33]))), "mask_size", "does not fill"),
        (pack(b""), "mask_size", "does not fill"),
        (pack(compress(np.array([0, 21]))), "mask_size", "does not fill"),
    ],
)
def test_a_broken_mask_is_named(broken, code, words):
    whole = text(np.ones((4, 5), bool))
    with pytest.raises(InputError, match=words) as caught:
        decode_texts([whole, broken], height=4, width=5)
    assert caught.value.code == code


def test_other_sizes_and_true_cells_that_overlap_are_refused():
    one, other = np.ones((4, 5), np.uint8), np.ones((5, 4), np.uint8)
    with pytest.raises(InputError, match="cannot be compared"):
        find_run_overlaps(encode_labels(one), encode_labels(other))
    twice = decode_texts([text(one > 0)] * 2, height=4, width=5)
    with pytest.raises(InputError, match="overlap one another") as caught:
        find_run_overlaps(encode_labels(one), twice)
    assert caught.value.code == "overlap"


def test_letters_may_be_any_bytes():
    rng = np.random.default_rng(0)
    for _ in range(200):
        letters = rng.integers(48, 112, rng.integers(0, 20)).astype(np.uint8).tobytes()
        packed = base64.b64encode(zlib.compress(letters)).decode()
        try:
            runs = decode_texts([packed], height=7, width=9)
        except InputError:
            continue
        assert runs.counts.sum() == 63 or len(runs.counts) == 1


def text(mask):
    return encode_masks(mask.astype(np.uint8)).get(1) or pack(compress(np.array([mask.size])))


def size(labels):
    return {"height": labels.shape[0], "width": labels.shape[1]}
