"""Samplers: the order follows from (seed, epoch) and nothing else; nothing is lost."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellwise.contracts.batch import Pool, When
from cellwise.errors import BadOption
from cellwise.parts.batches import batches

SITES = st.lists(st.integers(0, 5), min_size=1, max_size=60).map(lambda s: Pool(np.array(s)))


@given(pool=SITES, size=st.integers(1, 20), epoch=st.integers(0, 3))
@pytest.mark.parametrize("name", ["crops", "images"])
def test_every_item_comes_once(name, pool, size, epoch):
    drawn = batches.build(name)(pool, size, When(7, epoch))
    assert sorted(np.concatenate(drawn).tolist()) == list(range(len(pool)))
    lengths = [len(batch) for batch in drawn]
    assert max(lengths) <= size
    assert max(lengths) - min(lengths) <= 1


@pytest.mark.parametrize("name", ["crops", "images", "bags"])
def test_the_order_depends_on_seed_and_epoch_alone(name):
    pool = Pool(np.repeat(np.arange(10), 3))
    draw = batches.build(name)
    first, again = draw(pool, 8, When(1, 2)), draw(pool, 8, When(1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    for other in (When(1, 3), When(2, 2)):
        assert not np.array_equal(np.concatenate(first), np.concatenate(draw(pool, 8, other)))


@given(pool=SITES, most=st.integers(1, 5))
def test_a_bound_keeps_crowded_fields_from_drowning_others(pool, most):
    drawn = np.concatenate(batches.build({"name": "crops", "per_site": most})(pool, 8, When(0, 0)))
    _, before = np.unique(pool.site, return_counts=True)
    _, after = np.unique(pool.site[drawn], return_counts=True)
    assert after.tolist() == np.minimum(before, most).tolist()
    assert len(set(drawn.tolist())) == len(drawn)


@given(pool=SITES, cells=st.integers(1, 8), epoch=st.integers(0, 2))
def test_a_bag_holds_cells_of_one_field_and_repeats_only_if_it_must(pool, cells, epoch):
    drawn = batches.build({"name": "bags", "cells": cells})(pool, 4, When(3, epoch))
    bags = np.concatenate(drawn)
    sites = pool.site[bags]
    assert (sites == sites[:, :1]).all()
    assert sorted(sites[:, 0].tolist()) == sorted(set(pool.site.tolist()))
    for bag, site in zip(bags, sites[:, 0], strict=True):
        there = int((pool.site == site).sum())
        assert len(bag) == cells
        assert len(set(bag.tolist())) == min(cells, there), "all cells before any of them twice"


@given(pool=SITES, epoch=st.integers(0, 2))
def test_a_bag_may_hold_cells_of_one_well(pool, epoch):
    wells = pool.site // 2
    of_wells = Pool(pool.site, {"well": wells})
    draw = batches.build({"name": "bags", "cells": 4, "level": "well"})
    bags = np.concatenate(draw(of_wells, 4, When(3, epoch)))
    assert (wells[bags] == wells[bags][:, :1]).all()
    assert sorted(wells[bags[:, 0]].tolist()) == sorted(set(wells.tolist()))
    # A well is drawn from as a field is: whichever of the two is called a field.
    plain = batches.build({"name": "bags", "cells": 4})(Pool(wells), 4, When(3, epoch))
    assert np.array_equal(np.concatenate(plain), bags)


def test_a_part_of_a_pool_keeps_its_groups():
    pool = Pool(np.array([0, 0, 1, 2]), {"well": np.array([5, 5, 5, 7])})
    part = pool.part(np.array([3, 1]))
    assert part.of("site").tolist() == [2, 0]
    assert part.of("well").tolist() == [7, 5]
    with pytest.raises(BadOption, match="known here: site, well"):
        part.of("plate")


def test_fields_may_give_several_bags():
    pool = Pool(np.repeat(np.arange(4), 5))
    bags = np.concatenate(
        batches.build({"name": "bags", "cells": 3, "per_site": 2})(pool, 3, When(0, 0))
    )
    assert np.unique(pool.site[bags[:, 0]], return_counts=True)[1].tolist() == [2, 2, 2, 2]


@pytest.mark.parametrize("name", ["crops", "images", "bags"])
def test_an_empty_pool_gives_no_batch(name):
    assert batches.build(name)(Pool(np.zeros(0, np.int64)), 4, When(0, 0)) == []


def test_empty_bags_are_refused():
    with pytest.raises(BadOption):
        batches.build({"name": "bags", "cells": 0})


def test_a_level_that_is_none_is_refused():
    with pytest.raises(BadOption, match="site, well, plate, experiment, not 'tile'"):
        batches.build({"name": "bags", "level": "tile"})
