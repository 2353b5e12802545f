"""Run lengths: the documented vectors, the COCO library as oracle, and broken texts."""

import base64
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cellwise.errors import InputError
from cellwise.kernels.runs import (
    compress,
    decode_mask,
    encode_labels,
    encode_masks,
    expand,
    pack,
    unpack,
)

coco = pytest.importorskip("pycocotools.mask")

ORGANISERS = [
    (
        "eNqLi8xJM7BOTjS08DT2NfI38DfyM/Q3NMAJgJJ+RkBs7JecF5tnAADw+Q9I",
        (1600, 1118),
        53,
        [749870, 11, 1587, 19, 1580, 22],
        663,
    ),
    (
        "eNqLiYrLN7DNCjDMMIj0N/Iz9DcwBEIDfyN/QyA2AAsBRfxMPcKTA1MMADVADIo=",
        (1066, 1600),
        35,
        [1030476, 13, 1050, 37, 1027, 39],
        583,
    ),
]


def slow_counts(mask):
    flat = mask.T.ravel().tolist()
    counts, value, run = [], 0, 0
    for pixel in flat:
        if pixel != value:
            counts.append(run)
            value, run = pixel, 0
        run += 1
    return [*counts, run]


def test_the_empty_mask_of_the_placeholder():
    letters = compress(np.array([4194304]))
    assert letters == b"PPPP4"
    assert pack(letters) == "eNoLCAgIMAEABJkBdQ=="
    assert not decode_mask("eNoLCAgIMAEABJkBdQ==", 2048, 2048).any()


def test_the_small_rectangle_of_the_specification():
    labels = np.zeros((8, 10), np.uint16)
    labels[2:5, 3:7] = 1
    runs = encode_labels(labels)
    assert runs.of(0).tolist() == [26, 3, 5, 3, 5, 3, 5, 3, 27]
    assert compress(runs.of(0)) == b"j03500000f0"
    assert encode_masks(labels) == {1: "eNrLMjA2NQCBNAMAD5gCiQ=="}


@pytest.mark.parametrize(("text", "shape", "length", "begin", "area"), ORGANISERS)
def test_the_texts_of_the_organisers(text, shape, length, begin, area):
    counts = expand(unpack(text))
    assert len(counts) == length
    assert counts[:6].tolist() == begin
    assert counts.sum() == shape[0] * shape[1]
    mask = decode_mask(text, *shape)
    assert mask.sum() == area
    assert encode_labels(mask).of(0).tolist() == counts.tolist()


@settings(max_examples=80, deadline=None)
@given(
    arrays(
        st.sampled_from([np.uint8, np.uint16, np.uint32]),
        st.tuples(st.integers(1, 14), st.integers(1, 70)),
        elements=st.integers(0, 3),
    )
)
def test_as_the_coco_library_and_a_slow_loop_say(labels):
    runs = encode_labels(labels)
    assert runs.ids.tolist() == sorted(set(labels.ravel().tolist()) - {0})
    for k, number in enumerate(runs.ids):
        mask = labels == number
        assert runs.of(k).tolist() == slow_counts(mask)
        oracle = coco.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"]
        assert compress(runs.of(k)) == oracle
        assert expand(oracle).tolist() == runs.of(k).tolist()
        text = pack(oracle)
        assert encode_masks(labels)[int(number)] == text
        np.testing.assert_array_equal(decode_mask(text, *labels.shape), mask)


def test_a_large_field_as_the_coco_library_says():
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:300, :410]
    labels = np.zeros((300, 410), np.uint16)
    for number in range(1, 40):
        cy, cx, radius = rng.integers(0, 300), rng.integers(0, 410), rng.integers(3, 40)
        labels[np.hypot(y - cy, x - cx) < radius] = number
    found = encode_masks(labels)
    for number, text in found.items():
        mask = np.asfortranarray((labels == number).astype(np.uint8))
        assert unpack(text) == coco.encode(mask)["counts"]
    assert set(found) == set(np.unique(labels).tolist()) - {0}


def test_ten_thousand_random_masks_as_the_coco_library_says():
    """Shapes of all kinds: single pixels, stripes, noise, blocks, and numbers far apart."""
    rng = np.random.default_rng(17)
    seen = 0
    while seen < 10_000:
        height, width = rng.integers(1, 40, 2)
        numbers = np.unique(rng.integers(1, rng.choice([60, 70_000, 2**32 - 1]), 60))
        labels = np.zeros((height, width), np.uint32)
        filled = rng.random((height, width)) < rng.random()
        labels[filled] = rng.choice(numbers, int(filled.sum()))
        if rng.random() < 0.5:
            # Cells that hang together, cut by the edge.
            labels = np.kron(labels, np.ones(rng.integers(1, 6, 2), np.uint32))
        found = encode_masks(labels)
        assert sorted(found) == sorted(set(labels.ravel().tolist()) - {0})
        for number, text in found.items():
            mask = np.asfortranarray((labels == number).astype(np.uint8))
            assert unpack(text) == coco.encode(mask)["counts"]
        seen += len(found)


@settings(deadline=None)
@given(st.lists(st.integers(0, 2**31 - 1), min_size=1, max_size=40))
def test_characters_and_counts_are_inverse(counts):
    assert expand(compress(np.array(counts))).tolist() == counts


def test_cells_that_touch_both_ends_of_the_frame():
    labels = np.ones((3, 4), np.uint8)
    assert encode_labels(labels).of(0).tolist() == [0, 12]
    labels[1, 1] = 2
    assert encode_labels(labels).of(0).tolist() == [0, 4, 1, 7]
    assert encode_labels(labels).of(1).tolist() == [4, 1, 7]


def test_no_cells_give_no_texts():
    assert encode_masks(np.zeros((5, 6), np.uint16)) == {}
    assert len(encode_labels(np.zeros((0, 6), np.uint16))) == 0


@pytest.mark.parametrize(
    "text",
    [
        "not base64!",
        "é",
        base64.b64encode(b"no zlib").decode(),
        base64.b64encode(zlib.compress(b"PPPP4")[:-3]).decode(),
        base64.b64encode(zlib.compress(b"PPPP4") + b"more").decode(),
        pack(b"PPPP"),
        pack(b"PP P4"),
        pack(b"P" * 40),
        pack(b"N"),
        "",
    ],
)
def test_broken_texts_are_named(text):
    with pytest.raises(InputError) as error:
        decode_mask(text, 2048, 2048)
    assert error.value.code == "mask_text"


def test_a_text_that_unfolds_without_end_is_stopped():
    bomb = base64.b64encode(zlib.compress(b"0" * (1 << 27), 9)).decode()
    with pytest.raises(InputError, match="too long"):
        unpack(bomb)


def test_a_mask_of_another_size_is_named():
    with pytest.raises(InputError) as error:
        decode_mask("eNoLCAgIMAEABJkBdQ==", 2048, 2047)
    assert error.value.code == "mask_size"
