"""The wells table: shares, their intervals, what is subtracted, and who is a replicate of whom."""

import numpy as np
import polars as pl
import pytest
from tests.stages.decide.decide_world import Field

from cellwise.domain.tables import WELLS
from cellwise.store.run.tables import read_table

YES, NO = [4.0], [-4.0]


def _wells(maker, fields, **options):
    run = maker.write(fields)
    maker.decide(**{"by": "none", **options})
    frame = read_table(run.wells, WELLS)
    return frame, {(r["Metadata_Plate"], r["Metadata_Well"]): r for r in frame.to_dicts()}


def _well(name, cells, *, plate="P", labels=None, site="1", **meta):
    meta = {"Plate": plate, "Well": name, **meta}
    part = "train" if labels else "unlabelled"
    return Field(f"{plate}_{name}_{site}", labels, cells, part=part, meta=meta)


def test_shares_means_and_background_by_hand(maker):
    _, wells = _wells(
        maker,
        [
            _well("A01", [YES, NO, NO, NO], labels=("neg",)),
            _well("A02", [NO, NO], Control="Negative"),
            _well("A03", [YES, YES, YES, NO]),
            _well("A01", [YES], plate="Q"),
        ],
    )
    dosed = wells["P", "A03"]
    assert (dosed["n_cells"], dosed["n_sites"], dosed["Fraction_a"]) == (4, 1, 0.75)
    high, low = 1 / (1 + np.exp(-4)), 1 / (1 + np.exp(4))
    assert dosed["Mean_a"] == pytest.approx((3 * high + low) / 4)
    assert dosed["Delta_a"] == pytest.approx(0.75 - (0.25 + 0) / 2)
    assert wells["P", "A01"]["negative_control"]
    assert wells["P", "A02"]["negative_control"]
    assert not dosed["negative_control"]
    assert wells["Q", "A01"]["Delta_a"] is None
    assert dosed["Fraction_neg"] == 0.25


def test_one_field_gives_wilson_and_several_a_bootstrap(maker):
    _, wells = _wells(
        maker,
        [
            _well("A01", [YES] * 4 + [NO] * 4),
            *[_well("A02", [YES] * k + [NO] * (6 - k), site=str(k)) for k in (1, 3, 5)],
        ],
    )
    assert wells["P", "A01"]["Interval"] == "Wilson over cells"
    assert wells["P", "A02"]["Interval"] == "bootstrap over fields"
    for row in wells.values():
        assert 0 <= row["Low_a"] < row["Fraction_a"] < row["High_a"] <= 1
    assert wells["P", "A02"]["n_sites"] == 3


def test_replicates_are_wells_of_the_same_condition(maker):
    _, wells = _wells(
        maker,
        [
            _well("A01", [YES, YES], Drug="x", Dose="1"),
            _well("B01", [YES, NO], Drug="x", Dose="1"),
            _well("C01", [YES], Drug="x", Dose="2"),
            _well("D01", [YES]),
            _well("E01", [NO]),
        ],
    )
    assert wells["P", "A01"]["ReplicateSd_a"] == pytest.approx(np.std([1, 0.5], ddof=1))
    assert wells["P", "B01"]["ReplicateSd_a"] == wells["P", "A01"]["ReplicateSd_a"]
    assert wells["P", "C01"]["ReplicateSd_a"] is None
    assert wells["P", "D01"]["ReplicateSd_a"] is None


def test_without_condition_columns_equal_labels_make_replicates(maker):
    fields = [_well(f"A0{i}", [YES] if i < 3 else [NO], labels=("a",)) for i in (1, 2, 3)]
    _, wells = _wells(maker, fields)
    assert wells["P", "A01"]["ReplicateSd_a"] == pytest.approx(np.std([1, 1, 0], ddof=1))


def test_a_well_without_cells_stays_with_nulls(maker):
    frame, wells = _wells(maker, [_well("A01", []), _well("A02", [YES])])
    assert wells["P", "A01"]["n_cells"] == 0
    assert wells["P", "A01"]["Fraction_a"] is None
    assert not frame.select(pl.col(pl.Float64).is_nan().any()).to_numpy().any()


def test_wells_of_two_experiments_do_not_mix(maker):
    fields = [
        _well("A01", [YES], site="1", Experiment="E1"),
        _well("A01", [NO], site="2", Experiment="E2"),
    ]
    frame, _ = _wells(maker, fields)
    assert sorted(frame["Metadata_Experiment"]) == ["E1", "E2"]


def test_metadata_that_differs_within_a_well_is_null(maker):
    fields = [
        _well("A01", [YES], site="1", Site="1", Drug="x"),
        _well("A01", [NO], site="2", Site="2", Drug="x"),
    ]
    frame, _ = _wells(maker, fields)
    assert frame["Metadata_Site"].to_list() == [None]
    assert frame["Metadata_Drug"].to_list() == ["x"]


def test_wells_without_plate_are_accepted(maker):
    frame, _ = _wells(maker, [Field("s", None, [YES], meta={"Well": "A01"})])
    assert frame["Metadata_Plate"].to_list() == [None]
