"""Placement: hard cores are kept, margins are as dense as the field."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cellwise.lab.synth.placement import Ground, margin_count, place_centres


def centres(count, *, side=200.0, reach=20.0, spacing=5.0, crowding=0.5, seed=0):
    inside = np.arange(count) < count // 2 + 1
    places = place_centres(
        Ground(side, reach),
        spacing=np.full(count, spacing),
        inside=inside,
        crowding=crowding,
        rng=np.random.default_rng(seed),
    )
    return places, inside


def nearest(places):
    gaps = np.hypot(*(places[:, None] - places[None]).transpose(2, 0, 1))
    np.fill_diagonal(gaps, np.inf)
    return gaps.min(axis=1)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 40), st.floats(0, 1), st.integers(0, 99))
def test_no_two_are_nearer_than_their_cores(count, crowding, seed):
    places, _ = centres(count, crowding=crowding, seed=seed)
    assert count == 1 or nearest(places).min() >= 10


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 60), st.integers(0, 99), st.floats(5, 300))
def test_each_stands_where_it_belongs(count, seed, side):
    places, inside = centres(count, side=side, seed=seed)
    in_field = ((places >= 0) & (places <= side)).all(axis=1)
    assert (in_field == inside).all()
    assert (np.abs(places - side / 2) <= side / 2 + 20).all()


def test_a_full_ground_still_takes_everyone():
    places, _ = centres(200, side=40.0, spacing=10.0)
    assert len(np.unique(places.round(6), axis=0)) == 200


def test_crowding_brings_cells_together():
    apart = [nearest(centres(30, crowding=0.0, seed=s)[0]).mean() for s in range(5)]
    together = [nearest(centres(30, crowding=1.0, seed=s)[0]).mean() for s in range(5)]
    assert np.mean(together) < 0.8 * np.mean(apart)


def test_the_margin_is_as_dense_as_the_field():
    # 10 cells on 100 x 100; with 25 around, 150 x 150 holds 22.5.
    assert margin_count(100.0, 25.0, 10) == pytest.approx(12.5, abs=0.5)
    assert margin_count(100.0, 25.0, 0) == 0


def test_nobody_to_place():
    assert len(centres(0)[0]) == 0
