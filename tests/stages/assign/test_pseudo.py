"""Pseudo-labels: the surest first, each treatment once on a plate."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from cellwise.stages.assign._pseudo import agreed, surest, teachers_left_out


def test_of_wells_that_answer_alike_the_surest_keeps_it():
    answer = np.array([3, 3, 1, -1, 3])
    confidence = np.array([0.5, 0.9, 0.4, 1.0, 0.2])
    plate = np.array([0, 0, 0, 0, 1])
    assert surest(answer, confidence, plate, share=1).tolist() == [False, True, True, False, True]
    assert surest(answer, confidence, plate, share=0.25).tolist() == [False, True] + 3 * [False]


@given(st.integers(0, 10_000), st.floats(0, 1))
@settings(max_examples=40, deadline=None)
def test_no_more_than_the_share_and_none_surer_left_out(seed, share):
    rng = np.random.default_rng(seed)
    answer, plate = rng.integers(-1, 6, 40), rng.integers(0, 3, 40)
    confidence = rng.random(40)
    taken = surest(answer, confidence, plate, share=share)
    for number in range(3):
        here = plate == number
        given = answer[here & taken]
        assert len(set(given.tolist())) == len(given) <= share * here.sum() + 1e-9
        assert (given >= 0).all()
        left = here & ~taken & (answer >= 0) & ~np.isin(answer, given)
        if taken[here].any() and left.any():
            assert confidence[left].max() <= confidence[here & taken].min()


def test_who_taught_left_one_fold_out_or_none_that_can_be_named():
    assert teachers_left_out([None, 2, 2]) == 2
    assert teachers_left_out([0]) == 0
    assert teachers_left_out([None, 0, 1]) is None
    assert teachers_left_out([None]) is None


def test_members_agree_only_where_all_answer_alike():
    assert agreed(np.array([[1, 2, 3], [1, 0, 3], [1, 2, 3]])).tolist() == [1, -1, 3]
