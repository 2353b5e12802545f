"""Layouts that recur: exchanged plates are found, independent ones are not, and chance is right."""

import gzip
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from cellwise.stages.assign._layouts import as_content, coincidences

REAL = Path(__file__).resolve().parents[4] / "shared/data/rxrx1_sites/train_wells_metadata.csv.gz"


def screen(seed, *, experiments=6, plates=4, size=40):
    rng = np.random.default_rng(seed)
    rows = [p * size + rng.permutation(size) for _ in range(experiments) for p in range(plates)]
    names = [f"E{e}/{p}" for e in range(experiments) for p in range(plates)]
    return np.array(rows), names, np.repeat(np.arange(experiments), plates)


def looked(layout, names, experiment):
    return coincidences(layout, layout, (names, names), (experiment, experiment))


@pytest.mark.parametrize("seed", range(5))
def test_independent_layouts_are_not_taken_for_one(seed):
    assert not looked(*screen(seed))


def test_an_experiment_that_repeats_another_with_plates_exchanged_is_found():
    layout, names, experiment = screen(7)
    # The weak answers of a network: two thirds are wrong.
    rng = np.random.default_rng(1)
    repeated = layout[[3, 0, 1, 2]].copy()
    wrong = rng.random(repeated.shape) < 2 / 3
    repeated[wrong] = rng.integers(0, 160, wrong.sum())
    said = np.concatenate([repeated, layout[8:12]])
    found = coincidences(
        said, layout, ([*"abcd", *names[8:12]], names), (np.array([9] * 4 + [2] * 4), experiment)
    )
    pairs = {(one.plate, one.other) for one in found}
    assert pairs == {("a", "E0/3"), ("b", "E0/0"), ("c", "E0/1"), ("d", "E0/2")}
    assert all(one.same > 3 * one.expected for one in found)


def test_one_layout_for_all_plates_is_said_of_each_pair_once():
    layout = np.tile(np.arange(30), (4, 1))
    found = looked(layout, list("abcd"), np.arange(4))
    assert len(found) == 6
    content = as_content(found, 6)
    assert content["pairs"] == content["compared"] == 6
    assert content["surest"][0]["same"] == 30


def test_plates_of_one_experiment_and_empty_ones_are_not_compared():
    layout = np.tile(np.arange(30), (2, 1))
    assert not looked(layout, ["a", "b"], np.zeros(2, np.int64))
    assert not looked(np.full((2, 5), -1), ["a", "b"], np.arange(2))


def test_of_the_real_training_plates_one_experiment_repeats_another_with_plates_exchanged():
    if not REAL.is_file():
        pytest.skip("shared/data/rxrx1_sites is not here")
    wells = pl.read_csv(gzip.decompress(REAL.read_bytes()))
    plate = wells.select(pl.concat_str("experiment", "plate", separator="/")).to_series()
    plates, row = np.unique(plate.to_numpy(), return_inverse=True)
    _, place = np.unique(wells["well"].to_numpy(), return_inverse=True)
    _, kind = np.unique(wells["sirna"].to_numpy(), return_inverse=True)
    layout = np.full((len(plates), place.max() + 1), -1)
    layout[row, place] = kind
    names = plates.tolist()
    _, experiment = np.unique([n.split("/")[0] for n in names], return_inverse=True)
    found = looked(layout, names, experiment)
    assert len(names) == 132
    assert {(one.plate, one.other) for one in found} == {
        (f"HUVEC-07/{p}", f"RPE-03/{p % 4 + 1}") for p in range(1, 5)
    }
    assert all(one.same == one.wells for one in found)
