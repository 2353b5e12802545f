"""The scoring script on images counted by hand."""

import numpy as np
import pytest
from benchmarks import segmentation_quality as script

from cellwise.domain.channels import Channel
from cellwise.domain.records import Field, Masks
from cellwise.errors import InputError


def image(truth):
    field = Field("one", np.zeros((1, *truth.shape), np.float32), (Channel("dna", "nucleus"),))
    return script.AnnotatedImage("one", field, truth)


def squares(*places, side=10):
    labels = np.zeros((60, 60), np.uint16)
    for number, (y, x) in enumerate(places, start=1):
        labels[y : y + side, x : x + side] = number
    return labels


def test_hits_false_and_missed_are_pooled():
    truth = squares((5, 5), (5, 25), (25, 5))
    found = squares((5, 5), (5, 28), (45, 45))

    def segment(field):
        return Masks(found, found)

    score = script.score_images("made", [image(truth), image(0 * truth)], segment)
    # The second square is shifted by 3 of 10: IoU 70 / 130, a hit at 0.5 only. All three found in
    # the empty image are false.
    assert (score.true, score.found) == (3, 6)
    assert score.f1_50 == pytest.approx(2 * 2 / (3 + 6))
    assert score.f1_70 == pytest.approx(2 * 1 / (3 + 6))
    assert score.f1_mean == pytest.approx((4 / 9 + 8 * 2 / 9) / 9)


def test_debris_counts_on_neither_side():
    truth = squares((5, 5), (25, 25))
    truth[50:52, 50:52] = 9
    found = squares((5, 5), (25, 25))
    found[40, 40] = 7
    score = script.score_images("made", [image(truth)], lambda field: Masks(found, found))
    assert (score.true, score.found, score.f1_50) == (2, 2, 1.0)


def test_a_field_that_is_set_aside_finds_nothing():
    def refuse(field):
        raise InputError("no", code="channel_missing")

    tallied = script.tally(image(squares((5, 5))), refuse)
    assert tallied.counts.tolist() == [[0, 0, 1]] * 9


def test_found_cells_tells_what_counts_and_what_the_edge_cuts():
    truth = squares((0, 5), (25, 25), (45, 45))
    found = script.found_cells(squares((0, 5), (25, 29)), truth, frozenset({1, 2}))
    # IoU of the second: 60 / 140.
    assert found.tolist() == [[True, True, True], [False, True, False], [False, False, False]]


def test_halves_share_no_image(shared_data):
    names = [
        {one.name for one in script.read_images("dsb2018", data=shared_data, half=half)}
        for half in (0, 1)
    ]
    assert not names[0] & names[1]
    assert len(names[0] | names[1]) == 30
