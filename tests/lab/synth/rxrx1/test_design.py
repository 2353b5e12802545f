"""The plates of an RxRx1 world follow the design of the real ones."""

import csv
import gzip
from collections import Counter, defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cellwise.errors import UsageError
from cellwise.lab.synth.rxrx1.design import (
    INNER_WELLS,
    NEGATIVE,
    POSITIVE,
    TREATMENT,
    make_design,
    sites_per_experiment,
)


def by_plate(design, kind=TREATMENT):
    """siRNAs of one kind on each plate, from the wells alone."""
    plates = defaultdict(list)
    for experiment in design.experiments:
        for well in design.wells(experiment):
            if well.kind == kind:
                plates[experiment.name, well.plate].append(well.sirna)
    return plates


@given(
    seed=st.integers(0, 2**31),
    classes=st.integers(2, 30).map(lambda n: 4 * n),
    experiments=st.integers(1, 12),
)
@settings(max_examples=20, deadline=None)
def test_each_sirna_lies_once_in_each_set_of_plates(seed, classes, experiments):
    design = make_design(seed, classes=classes, experiments=experiments)
    for experiment in design.experiments:
        wells = list(design.wells(experiment))
        found = Counter(well.sirna for well in wells if well.kind == TREATMENT)
        assert found == Counter(range(classes))
        places = [(well.plate, well.name) for well in wells]
        assert len(set(places)) == len(places) == sites_per_experiment(classes) // 2
        assert {well.name for well in wells} <= set(INNER_WELLS)


def test_the_four_groups_are_found_again_in_the_train_tables():
    """Methods 6.2: the sets of siRNAs per plate are exactly four, and they are a partition."""
    design = make_design(5, classes=64, experiments=12)
    train = {e.name for e in design.experiments if e.part == "train"}
    plates = {key: frozenset(s) for key, s in by_plate(design).items() if key[0] in train}
    groups = set(plates.values())
    assert len(groups) == 4
    assert sorted(s for group in groups for s in group) == list(range(64))
    assert groups == {frozenset(group) for group in design.groups}
    # As the public kernels use it: seen on three plate numbers, so it must be on the fourth.
    for name in train:
        assert {plates[name, plate] for plate in (1, 2, 3, 4)} == groups


def test_groups_rotate_over_the_plates_and_not_always_alike():
    design = make_design(1, classes=16, experiments=24)
    orders = {experiment.groups for experiment in design.experiments}
    assert orders <= {(0, 1, 2, 3), (1, 2, 3, 0), (2, 3, 0, 1), (3, 0, 1, 2)}
    assert len(orders) > 1


def test_every_plate_carries_all_controls():
    design = make_design(2, classes=16, experiments=3)
    for sirnas in by_plate(design, POSITIVE).values():
        assert sorted(sirnas) == list(range(16, 46))
    for sirnas in by_plate(design, NEGATIVE).values():
        assert sirnas == [46] == [design.untreated]


def test_a_full_world_has_the_numbers_of_rxrx1():
    design = make_design(0, classes=1108, experiments=51)
    kinds = Counter(e.cell_type for e in design.experiments)
    assert kinds == {"HUVEC": 24, "RPE": 11, "HEPG2": 11, "U2OS": 5}
    tests = [e.name for e in design.experiments if e.part == "test"]
    assert tests == (
        [f"HUVEC-{n:02d}" for n in range(17, 25)]
        + [f"RPE-{n:02d}" for n in range(8, 12)]
        + [f"HEPG2-{n:02d}" for n in range(8, 12)]
        + ["U2OS-04", "U2OS-05"]
    )
    wells = list(design.wells(design.experiments[0]))
    assert Counter(well.plate for well in wells) == dict.fromkeys((1, 2, 3, 4), 308)
    assert {well.name for well in wells} == set(INNER_WELLS)
    assert (INNER_WELLS[0], INNER_WELLS[-1]) == ("B02", "O23")


def test_controls_lie_where_the_real_ones_lie(shared_data):
    """The real untreated well is B02 on most plates, the real positive ones are always the same."""
    design = make_design(0, classes=64, experiments=1)
    ours = {w.name: w.kind for w in design.wells(design.experiments[0]) if w.kind != TREATMENT}
    with gzip.open(shared_data / "rxrx1_sites" / "train_controls_metadata.csv.gz", "rt") as file:
        real = [(row["well"], row["well_type"]) for row in csv.DictReader(file)]
    positive = {well for well, kind in real if kind == POSITIVE}
    assert {well for well, kind in ours.items() if kind == POSITIVE} == positive
    negative = Counter(well for well, kind in real if kind == NEGATIVE)
    assert negative.most_common(1)[0][0] == "B02"
    assert ours["B02"] == NEGATIVE


def test_the_place_on_the_plate_tells_nothing():
    """Layouts are drawn anew: two experiments agree in the place of a siRNA as chance has it."""
    design = make_design(4, classes=64, experiments=8)
    places = [
        {w.sirna: w.name for w in design.wells(e) if w.kind == TREATMENT}
        for e in design.experiments
    ]
    same = [a[s] == b[s] for i, a in enumerate(places) for b in places[:i] for s in range(64)]
    # Each group has 16 wells: one in 16 by chance, of 1,792 comparisons.
    assert sum(same) / len(same) == pytest.approx(1 / 16, abs=0.03)


def test_odd_experiments_come_one_per_type_or_one_or_none():
    def odd(how, experiments=16):
        design = make_design(3, classes=8, experiments=experiments, aberrant=how)
        return [e.cell_type for e in design.experiments if e.aberrant]

    assert sorted(odd("per-type")) == ["HEPG2", "HUVEC", "RPE", "U2OS"]
    assert len(odd("one")) == 1
    assert odd("none") == odd("per-type", experiments=2) == []


def test_cell_types_come_with_several_experiments_each_and_a_test_part():
    for count in (3, 8, 13, 16, 30):
        design = make_design(9, classes=8, experiments=count)
        parts = defaultdict(set)
        for experiment in design.experiments:
            parts[experiment.cell_type].add(experiment.part)
        assert len(design.experiments) == count
        assert all(found == {"train", "test"} for found in parts.values())


def test_one_experiment_is_for_training():
    assert make_design(0, classes=8, experiments=1).experiments[0].part == "train"


@pytest.mark.parametrize("classes", [0, 4, 30, 1112])
def test_a_number_of_classes_that_makes_no_groups_is_refused(classes):
    with pytest.raises(UsageError, match="multiple of 4"):
        make_design(0, classes=classes)


def test_other_wrong_numbers_are_refused():
    with pytest.raises(UsageError, match="1 to 51"):
        make_design(0, experiments=52)
    with pytest.raises(UsageError, match="test-share"):
        make_design(0, test_share=1.0)
    with pytest.raises(UsageError, match="per-type"):
        make_design(0, aberrant="two")
