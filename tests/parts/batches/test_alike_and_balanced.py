"""Batches of one place, and cell types in equal numbers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cellwise.contracts.batch import Pool, When
from cellwise.errors import BadOption
from cellwise.parts.batches import batches

PLACES = st.lists(st.integers(-1, 4), min_size=1, max_size=60)


def pool_of(place):
    place = np.array(place)
    return Pool(np.arange(len(place)), places={"plate": place, "cell_type": place})


@given(PLACES.filter(lambda p: max(p) >= 0), st.integers(1, 12), st.integers(0, 3))
@settings(max_examples=50)
def test_each_item_comes_once_among_items_of_its_place(place, size, epoch):
    pool = pool_of(place)
    drawn = batches.build("alike")(pool, size, When(3, epoch))
    assert sorted(np.concatenate(drawn).tolist()) == list(range(len(place)))
    for batch in drawn:
        assert len(batch) <= size
        assert len({place[k] for k in batch}) == 1
    # A place is cut into no more batches than it needs.
    needed = sum(-(-place.count(k) // size) for k in set(place))
    assert len(drawn) == needed


def test_batches_of_one_plate_come_in_any_order():
    pool = pool_of([0] * 8 + [1] * 8 + [2] * 8)
    orders = {
        tuple(pool.places["plate"][b[0]] for b in batches.build("alike")(pool, 4, When(0, epoch)))
        for epoch in range(6)
    }
    assert len(orders) > 3


def test_cell_types_come_equally_often():
    pool = pool_of([0] * 900 + [1] * 90 + [2] * 10)
    drawn = np.concatenate(
        [b for epoch in range(20) for b in batches.build("balanced")(pool, 50, When(1, epoch))]
    )
    share = np.bincount(pool.places["cell_type"][drawn]) / len(drawn)
    assert share == pytest.approx([1 / 3] * 3, abs=0.02)
    assert len(drawn) == 20 * len(pool)


@pytest.mark.parametrize("name", ["alike", "balanced"])
def test_places_that_nothing_tells_of_are_refused(name):
    spec = {"name": name, "level": "plate"}
    with pytest.raises(BadOption, match="in which plate"):
        batches.build(spec)(pool_of([-1, -1]), 2, When(0, 0))
    with pytest.raises(BadOption, match="level is one of"):
        batches.build({"name": name, "level": "row"})
