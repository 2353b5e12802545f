"""Pure functions of a training: seeds, stopping, weights of labels."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellwise.contracts.batch import Pool
from cellwise.learning._stopping import best_epoch, should_stop
from cellwise.learning.material import Material, class_weights_of
from cellwise.learning.seeds import derived_seed, item_generators

LOSSES = st.lists(st.floats(0.01, 10), min_size=1, max_size=12)


def test_seeds_for_different_places_differ():
    places = [(s, e, b) for s in range(4) for e in range(4) for b in range(4)]
    assert len({derived_seed(*place) for place in places}) == len(places)
    assert all(derived_seed(*place) >= 0 for place in places)


def test_an_item_draws_alike_wherever_it_stands_and_anew_when_it_comes_twice():
    def draws(positions, epoch):
        made = item_generators(np.array(positions), 7, epoch=epoch)
        return [generator.random() for generator in made]

    first = draws([4, 9, 4], 1)
    assert first[1] == draws([9], 1)[0]
    assert first[0] == draws([3, 4], 1)[1]
    assert first[2] != first[0]
    assert draws([9], 2)[0] != first[1]


def test_the_best_epoch_by_hand():
    assert best_epoch([0.9, 0.5, 0.4999, 0.4, 0.6]) == 3
    assert should_stop([0.9, 0.5, 0.51, 0.52], 2)
    assert not should_stop([0.9, 0.5, 0.51], 2)
    assert not should_stop([1.0] * 50, 0)


def test_an_epoch_without_a_number_is_beaten_by_any_with_one():
    assert best_epoch([math.inf, 1.0, 0.5]) == 2
    assert best_epoch([math.nan, 1.0, math.nan]) == 1
    assert best_epoch([1.0, math.nan]) == 0


@given(losses=LOSSES, patience=st.integers(1, 5))
def test_stopping_once_means_the_same_when_looked_at_again(losses, patience):
    """The first prefix that stops is where an undisturbed and a resumed training both end."""
    stops = [n for n in range(1, len(losses) + 1) if should_stop(losses[:n], patience)]
    if stops:
        assert stops[0] - 1 - best_epoch(losses[: stops[0]]) == patience


@given(LOSSES)
def test_a_steady_fall_never_stops(losses):
    falling = [float(0.9**n) for n in range(len(losses))]
    assert best_epoch(falling) == len(falling) - 1


def material(targets, weights):
    targets, weights = np.array(targets, np.float32), np.array(weights, np.float32)
    pool = Pool(np.arange(len(targets)))
    return Material(
        pool, targets, weights, targets, lambda at: np.zeros((len(at), 1, 2, 2), np.float32)
    )


def test_even_balance_gives_both_sides_the_same_total():
    found = material([[1, 1], [0, 1], [0, 1], [0, 1]], [1, 1, 1, 1])
    even = class_weights_of(found, "even")
    assert even[:, 0].tolist() == pytest.approx([0.5 / 0.75, 0.5 / 0.25])
    assert even[:, 1].tolist() == [1, 1], "a class without absence keeps its weight"
    assert (class_weights_of(found, "none") == 1).all()


def test_balance_looks_at_fields_where_cells_have_no_labels():
    found = material([[1.0], [0.0], [0.0]], [0, 0, 0])
    assert class_weights_of(found, "even")[:, 0].tolist() == pytest.approx([0.75, 1.5])


def test_a_very_rare_class_counts_at_most_ten_times():
    rare = material([[1.0]] + [[0.0]] * 99, [1] * 100)
    assert class_weights_of(rare, "even")[1, 0] == 10
