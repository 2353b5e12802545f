"""Schedules: the sources' own numbers, and that a rate depends on where a training stands alone."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellwise.contracts.schedule import Moment
from cellwise.errors import BadOption
from cellwise.parts.schedules import schedules

NAMES = ["one_cycle", "warm_cosine", "steps", "decay", "poly", "plateau"]


def rates(spec, epochs, batches=1, losses=()):
    schedule = schedules.build(spec)
    return [
        schedule(Moment(batch, batches, epoch, epochs, losses[:epoch]))
        for epoch in range(epochs)
        for batch in range(batches)
    ]


def test_the_folder_holds_these():
    assert set(NAMES) <= set(schedules.part_names())


def test_one_cycle_rises_for_a_fifth_and_then_falls_to_nothing():
    factors = rates("one_cycle", 10, 10)
    assert int(np.argmax(factors)) == 20
    assert factors[20] == pytest.approx(1.0)
    assert 0 < factors[0] < 0.05
    assert factors[-1] < 0.001
    assert all(np.diff(factors[:21]) > 0)
    assert all(np.diff(factors[20:]) < 0)


def test_warm_cosine_is_that_of_the_source():
    """Epoch 1 at 1e-4, then from 1e-3 as a cosine to 0 over 14 epochs."""
    found = [1e-3 * rate for rate in rates("warm_cosine", 15)]
    expected = [1e-4] + [1e-3 * (1 + math.cos(math.pi * t / 14)) / 2 for t in range(14)]
    assert found == pytest.approx(expected)


def test_the_step_tables_of_the_sources():
    found = [3e-4 * rate for rate in rates("steps", 15)]
    assert found == pytest.approx([3e-4] * 4 + [1.5e-4] * 3 + [7.5e-5] * 3 + [3e-5] * 5)
    table = {0: 1.0, 2: 0.5, 4: 0.2, 6: 0.1, 8: 0.05}
    found = [1e-5 * rate for rate in rates({"name": "steps", "table": table}, 10)]
    expected = [1e-5, 1e-5, 5e-6, 5e-6, 2e-6, 2e-6, 1e-6, 1e-6, 5e-7, 5e-7]
    assert found == pytest.approx(expected)


def test_decay_and_poly_by_hand():
    assert rates("decay", 4) == pytest.approx([1, 0.85, 0.85**2, 0.85**3])
    assert rates({"name": "decay", "factor": 0.5, "every": 2}, 5) == [1, 1, 0.5, 0.5, 0.25]
    assert rates("poly", 2, 2) == pytest.approx([1, 0.75**0.9, 0.5**0.9, 0.25**0.9])


def test_plateau_waits_and_lowers_again_and_again():
    losses = [1.0, 0.5, 0.6, 0.6, 0.6, 0.4, 0.5, 0.5, 0.5]
    found = rates({"name": "plateau", "factor": 0.1, "patience": 2}, 10, losses=losses)
    assert found == pytest.approx([1, 1, 1, 1, 1, 0.1, 0.1, 0.1, 0.1, 0.01])


def test_plateau_knows_a_ranking_that_stands_still():
    spec = {"name": "plateau", "factor": 0.1, "patience": 2}
    assert rates(spec, 5, losses=[-0.8, -0.8, -0.79, -0.8])[-1] == pytest.approx(0.1)
    assert rates(spec, 5, losses=[-0.5, -0.6, -0.7, -0.8])[-1] == 1


@pytest.mark.parametrize("name", NAMES)
@given(
    epochs=st.integers(1, 20),
    batches=st.integers(1, 9),
    losses=st.lists(st.floats(0.01, 10), min_size=20, max_size=20),
)
def test_every_rate_is_a_share(name, epochs, batches, losses):
    found = rates(name, epochs, batches, losses)
    assert all(0 <= rate <= 1 for rate in found)
    assert found[0] > 0


@pytest.mark.parametrize(
    "spec",
    [
        {"name": "one_cycle", "warm": 1.0},
        {"name": "warm_cosine", "start": 2.0},
        {"name": "steps", "table": {1: 1.0}},
        {"name": "decay", "factor": 0.0},
        {"name": "poly", "power": 0.0},
        {"name": "plateau", "factor": 1.0},
    ],
    ids=str,
)
def test_settings_that_cannot_be_are_refused(spec):
    with pytest.raises(BadOption):
        schedules.build(spec)
