"""Processes that train together: they are told who they are, and what ends one ends all."""

import os

import numpy as np
import pytest

from cellwise.errors import BadOption, InputError, Interrupted
from cellwise.learning.ranks import Ranks, in_ranks

pytestmark = pytest.mark.slow


def say(word, tell):
    """Only the first one is heard."""
    here = Ranks.here()
    tell(word, here.rank, here.size)


def end(how, tell):
    """The second one fails; the first would wait for ever."""
    if Ranks.here().rank == 1:
        if how == "refuse":
            raise InputError("Half a file.", code="truncated")
        os._exit(3)
    import time

    time.sleep(600)


@pytest.mark.parametrize(("rows", "size"), [(7, 3), (3, 3), (8, 2), (5, 1)])
def test_shares_are_even_and_together_the_whole(rows, size):
    batch = np.arange(2 * rows).reshape(rows, 2)
    shares = [Ranks(rank, size).own(batch) for rank in range(size)]
    assert np.array_equal(np.concatenate(shares), batch)
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_a_batch_too_small_to_be_shared_is_refused():
    with pytest.raises(BadOption, match="batch of 2 cannot be shared by 3"):
        Ranks(0, 3).own(np.arange(2))


def test_this_process_is_alone():
    assert Ranks.here() == Ranks(0, 1)


@pytest.mark.long
def test_each_knows_its_place_and_one_is_heard():
    heard = []
    in_ranks(say, ("word",), devices=2, told=lambda *content: heard.append(content))
    assert heard == [("word", 0, 2)]


@pytest.mark.long
@pytest.mark.parametrize(
    ("how", "error", "words"),
    [("refuse", InputError, "Half a file"), ("die", Interrupted, "ended with 3")],
)
def test_what_ends_one_ends_all(how, error, words):
    with pytest.raises(error, match=words):
        in_ranks(end, (how,), devices=2, told=print)
