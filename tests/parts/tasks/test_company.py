"""Sites of a well in one sample, and a control of the plate beside them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cellwise.contracts.batch import Pool, When
from cellwise.domain.screens.wells import NEGATIVE, POSITIVE, TREATMENT
from cellwise.errors import BadOption
from cellwise.parts.batches import batches
from cellwise.parts.tasks._company import in_company

KINDS = (NEGATIVE, POSITIVE, TREATMENT)
# Well, plate, experiment and kind of each well, and how many sites it has.
WELLS = st.lists(
    st.tuples(st.integers(0, 5), st.integers(0, 2), st.integers(-1, 2), st.integers(1, 4)),
    min_size=1,
    max_size=25,
)


def pool_of(wells):
    """Sites of `(plate, experiment, kind, sites)`, the sites of a well apart from each other."""
    rows = [(number, *well[:3]) for number, well in enumerate(wells) for _ in range(well[3])]
    rows = [rows[k] for k in np.random.default_rng(0).permutation(len(rows))]
    well, plate, experiment, kind = (np.array(column) for column in zip(*rows, strict=True))
    # A plate lies in one experiment.
    places = {"plate": 10 * experiment + plate, "experiment": experiment, "well_type": kind}
    return Pool(
        np.arange(len(rows)),
        {"well": well},
        places,
        {"well_type": KINDS, "experiment": tuple("ABC")},
    )


@given(WELLS, st.integers(1, 3), st.integers(1, 7), st.integers(0, 3))
@settings(max_examples=60)
def test_each_well_comes_once_with_so_many_of_its_sites(wells, sites, size, epoch):
    pool, plain = pool_of(wells), batches.build("images")
    drawn = in_company(plain, sites=sites, control=False)(pool, size, When(3, epoch))
    rows = np.concatenate(drawn)
    assert rows.shape[1] == sites
    assert all(len(batch) <= size for batch in drawn)
    well = pool.groups["well"]
    assert (well[rows] == well[rows[:, :1]]).all()
    if sites == 1:
        assert sorted(rows[:, 0].tolist()) == list(range(len(pool)))
        return
    assert sorted(well[rows[:, 0]].tolist()) == list(range(len(wells)))
    for row in rows.tolist():
        # None is drawn twice while another of its well is left out.
        assert len(set(row)) == min(sites, int((well == well[row[0]]).sum()))


@given(WELLS, st.integers(1, 2), st.integers(0, 3))
@settings(max_examples=80)
def test_beside_each_treated_site_stands_a_control_of_its_plate_or_experiment(wells, sites, epoch):
    pool = pool_of(wells)
    kind, plate, experiment = (pool.places[n] for n in ("well_type", "plate", "experiment"))
    control = (kind == 0) | (kind == 1)
    sampler = in_company(batches.build("images"), sites=sites, control=True)
    bare = set(experiment[~control].tolist()) - set(experiment[control].tolist())
    if bare or control.all():
        with pytest.raises(BadOption, match="Leave control at 0"):
            sampler(pool, 4, When(1, epoch))
        return
    drawn = sampler(pool, 4, When(1, epoch))
    rows = np.concatenate(drawn)
    assert [b.tolist() for b in drawn] == [b.tolist() for b in sampler(pool, 4, When(1, epoch))]
    assert len(drawn) == len(sampler(pool, 4, When(1, epoch + 1)))
    assert not control[rows[:, :-1]].any()
    assert control[rows[:, -1]].all()
    shown = rows[:, 0] if sites == 1 else pool.groups["well"][rows[:, 0]]
    there = np.flatnonzero(~control) if sites == 1 else pool.groups["well"][~control]
    assert sorted(shown.tolist()) == sorted(set(there.tolist()))
    for site, beside in zip(rows[:, 0].tolist(), rows[:, -1].tolist(), strict=True):
        on_plate = bool((plate[control] == plate[site]).any())
        assert (plate if on_plate else experiment)[site] == (plate if on_plate else experiment)[
            beside
        ]


def test_every_control_of_a_plate_is_drawn_and_samples_keep_their_order():
    wells = [(k // 8, 0, 2 if k % 8 > 2 else k % 2, 1) for k in range(24)]
    pool = pool_of(wells)
    sampler = in_company(batches.build("alike"), sites=1, control=True)
    drawn = [batch for epoch in range(60) for batch in sampler(pool, 5, When(0, epoch))]
    for batch in drawn:
        assert len(set(pool.places["plate"][batch].ravel().tolist())) == 1
    counts = np.bincount(np.concatenate(drawn)[:, -1], minlength=len(pool))
    assert (counts[pool.places["well_type"] < 2] > 60).all()
