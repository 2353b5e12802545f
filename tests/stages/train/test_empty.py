"""A fold that leaves nothing to learn from is said with what there was and what to do."""

import numpy as np

from cellwise.stages.train._empty import nothing_left


def test_it_says_what_there_was_and_what_to_do():
    said = str(nothing_left(3, np.array([4, 4, 7])))
    assert "of 3 items of 2 fields with labels without fold 3 none is left" in said
    assert "split.folds=2" in said
    assert "no item may be used" in str(nothing_left(None, np.array([4])))
