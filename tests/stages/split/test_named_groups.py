"""Splitters that deal groups out by name: cell types alike in folds, held-out sets, one out."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cellwise.contracts.splitter import SplitInput
from cellwise.domain.screens.names import present, unpadded
from cellwise.domain.screens.rxrx1 import DEFAULT, SHIPPED, SKIPPED, TEST_WELLS
from cellwise.errors import PreflightError
from cellwise.stages.split import by_cell_type, held_out, one_out
from cellwise.stages.split.spec import Options


def screen(experiments, *, folds=2, each=2, unlabelled=(), unnamed=()):
    """Sites of experiments such as `HUVEC-3`, so many each."""
    names = [name for name in experiments for _ in range(each)]
    labelled = np.array([name not in unlabelled for name in names])
    return SplitInput(
        tuple(f"s{row}" for row in range(len(names))),
        np.array([list(dict.fromkeys(names)).index(name) for name in names]),
        labelled[:, None],
        labelled,
        folds,
        0,
        names=tuple(None if name in unnamed else name for name in names),
        kinds=tuple(name.split("-")[0] for name in names),
    )


def folds_by_name(split, sites):
    return dict(zip(sites.names, split(sites).tolist(), strict=True))


@given(
    st.dictionaries(
        st.sampled_from(["HUVEC", "RPE", "U2OS"]), st.integers(1, 12), min_size=1, max_size=3
    ),
    st.integers(2, 4),
)
@settings(max_examples=40)
def test_each_fold_holds_as_many_experiments_of_a_cell_type_as_any_other(counts, folds):
    names = [f"{kind}-{k + 1}" for kind, count in counts.items() for k in range(count)]
    sites = screen(names, folds=folds, each=1)
    if max(counts.values()) < folds:
        with pytest.raises(PreflightError, match="fewer folds"):
            by_cell_type.build()(sites)
        return
    fold = folds_by_name(by_cell_type.build(), sites)
    for kind, count in counts.items():
        held = Counter(fold[f"{kind}-{k + 1}"] for k in range(count))
        shares = [held[k] for k in range(folds)]
        assert max(shares) - min(shares) <= 1
        # In the order of numbers, not of letters: 10 follows 9.
        assert [fold[f"{kind}-{k + 1}"] for k in range(count)] == [k % folds for k in range(count)]


def test_skipped_and_unlabelled_experiments_are_in_no_fold():
    sites = screen(["RPE-1", "RPE-02", "RPE-3", "U2OS-1"], unlabelled=["U2OS-1"])
    fold = folds_by_name(by_cell_type.build(skip=["RPE-2", "HEPG2-9"]), sites)
    assert fold == {"RPE-1": 0, "RPE-02": -1, "RPE-3": 1, "U2OS-1": -1}


def test_the_published_sets_are_held_out_whatever_the_zeros():
    names = [f"{kind}-{k}" for kind, n in (("HEPG2", 7), ("HUVEC", 16)) for k in range(1, n + 1)]
    fold = folds_by_name(held_out.build(SHIPPED, skip=SKIPPED), screen(names))
    assert {name for name, k in fold.items() if k == 0} == {"HEPG2-3", "HUVEC-3"}
    assert [name for name, k in fold.items() if k == -1] == ["HUVEC-5"]
    fold = folds_by_name(held_out.build(DEFAULT), screen(names))
    assert {name for name, k in fold.items() if k == 0} == {"HEPG2-6", "HUVEC-16"}
    assert sum(TEST_WELLS.values()) == 19_897


def test_without_names_one_model_learns_from_all():
    sites = screen(["RPE-1", "RPE-2"])
    assert set(held_out.build()(sites).tolist()) == {0}


@pytest.mark.parametrize("options", [{"groups": ["RPE-9"]}, {"groups": ["RPE-1", "RPE-2"]}])
def test_held_out_sets_that_leave_nothing_are_refused(options):
    with pytest.raises(PreflightError, match="held_out"):
        held_out.build(**options)(screen(["RPE-1", "RPE-2"]))


def test_each_experiment_is_left_out_once():
    fold = folds_by_name(one_out.build(), screen(["RPE-10", "RPE-2", "A-1"], unlabelled=["A-1"]))
    assert fold == {"RPE-2": 0, "RPE-10": 1, "A-1": -1}
    with pytest.raises(PreflightError, match="two groups"):
        one_out.build()(screen(["RPE-1"]))


@pytest.mark.parametrize("split", [by_cell_type.build(), held_out.build(), one_out.build()])
def test_groups_without_names_are_refused(split):
    with pytest.raises(PreflightError, match=r"split.by"):
        split(screen(["RPE-1", "RPE-2"], unnamed=["RPE-1", "RPE-2"]))


def test_names_with_other_zeros_are_one_unless_both_are_there():
    assert unpadded("HUVEC-01_1_B02_1") == "huvec-1_1_b2_1"
    assert unpadded("X-100_20") == "x-100_20"
    assert present(["RPE-1", "RPE-07"], ["RPE-01", "RPE-7", "RPE-8"]) == ["RPE-01", "RPE-7"]
    assert present(["RPE-1"], ["RPE-1", "RPE-01"]) == ["RPE-1"]
    assert present(["RPE-001"], ["RPE-1", "RPE-01"]) == []


def test_who_makes_folds_of_its_own_is_known_from_its_file():
    assert Options.of({"method": "by_cell_type"}).is_balanced
    assert not Options.of({"method": {"name": "held_out", "groups": []}}).is_balanced
