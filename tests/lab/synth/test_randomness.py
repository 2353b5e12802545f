"""Streams: the same name gives the same numbers, another name others."""

import hashlib
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from cellwise.lab.synth.randomness import generator


def test_the_same_name_gives_the_same_stream():
    first, second = generator(1, "field", 7), generator(1, "field", 7)
    assert (first.random(100) == second.random(100)).all()


def test_a_stream_does_not_depend_on_what_was_drawn_before():
    alone = generator(1, "b").random(5)
    generator(1, "a").random(1000)
    assert (generator(1, "b").random(5) == alone).all()


def test_a_number_and_its_text_are_different_names():
    assert generator(1, "7").random() != generator(1, 7).random()
    assert generator(1, "a", "b").random() != generator(1, "a:b").random()
    assert generator(1, "a\nstr:'b'").random() != generator(1, "a", "b").random()


def test_the_key_is_the_digest_of_the_names():
    """Recomputed by hand: a stream that changes is a new world."""
    digest = hashlib.sha256(b"int:5\nstr:'field'\nint:2").digest()
    by_hand = np.random.Generator(np.random.PCG64DXSM(int.from_bytes(digest[:16], "little")))
    assert (generator(5, "field", 2).random(8) == by_hand.random(8)).all()


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 99), st.integers(0, 99)), min_size=2, max_size=8))
def test_different_names_give_different_streams(names):
    drawn = {name: generator(*name).integers(1 << 62) for name in names}
    assert len(set(drawn.values())) == len(set(names))


def test_a_numpy_seed_is_a_seed():
    seed: Any = np.int64(3)
    assert generator(seed, "x").random() == generator(3, "x").random()
