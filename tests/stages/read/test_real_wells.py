"""The whole RxRx1 table of wells, without a pixel: arranged, grouped, and split as published."""

import gzip
from collections import Counter, defaultdict

import numpy as np
import polars as pl
import pytest

from cellwise.contracts.layout import Listing
from cellwise.contracts.splitter import SplitInput
from cellwise.domain.screens.groups import plate_groups
from cellwise.domain.screens.rxrx1 import SHIPPED, SKIPPED
from cellwise.domain.screens.wells import wells_table
from cellwise.stages.read.layouts import rxrx1
from cellwise.stages.split import by_cell_type, held_out, one_out

WELLS, CONTROLS = 36_517, 4_097


@pytest.fixture(scope="module")
def wells(shared_data, tmp_path_factory):
    """The wells as the layout understands them: one site each, one channel is enough for names."""
    source, folder = shared_data / "rxrx1_sites", tmp_path_factory.mktemp("wells")
    images = []
    for table, name in (("train_wells", "train"), ("train_controls", "train_controls")):
        with gzip.open(source / f"{table}_metadata.csv.gz") as file:
            rows = pl.read_csv(file.read())
        rows.drop("target_id", strict=False).write_csv(folder / f"{name}.csv")
        images += [
            f"train/{experiment}/Plate{plate}/{well}_s1_w1.png"
            for experiment, plate, well in rows.select("experiment", "plate", "well").rows()
        ]
    listing = Listing(folder, tuple(sorted(images)), ("train.csv", "train_controls.csv"))
    found = rxrx1.build().arrange(listing)
    assert not found.problems
    assert not found.unmatched
    sites = [
        {
            "site_id": plane.site_id,
            "part": found.parts[plane.site_id],
            "labels": [found.labels[plane.site_id]],
            **{f"Metadata_{k}": v for k, v in plane.metadata.items()},
            **{f"Metadata_{k}": v for k, v in found.metadata[plane.site_id].items()},
        }
        for plane in found.planes
    ]
    return wells_table(pl.DataFrame(sites))


def test_the_table_is_read_whole(wells):
    types = dict(wells["well_type"].value_counts().rows())
    assert types == {"treatment": WELLS, "positive_control": 3_944, "negative_control": 153}
    assert wells["cell_type"].n_unique() == 4
    assert wells["experiment"].n_unique() == 33

    controls = wells.filter(pl.col("well_type") != "treatment")
    assert controls["class"].n_unique() == 31


def test_plates_carry_four_groups_of_277_each_once_in_an_experiment(wells):
    found = plate_groups(wells)
    assert found.is_partition
    assert [len(found.members(group)) for group in range(len(found))] == [277] * 4
    by_experiment = defaultdict(list)
    for plate, group in found.of_plate.items():
        by_experiment[plate.split("/")[0]].append(group)
    assert len(by_experiment) == 33
    assert all(sorted(groups) == [0, 1, 2, 3] for groups in by_experiment.values())


def _split(split, wells, folds=2):
    names = wells["experiment"].to_list()
    groups = wells["experiment"].rank("dense").to_numpy().astype(np.int64)
    every = np.ones(len(wells), bool)
    given = SplitInput(
        tuple(wells["well"].to_list()), groups, every[:, None], every, folds, 0,
        names=tuple(names), kinds=tuple(wells["cell_type"].to_list()),
    )  # fmt: skip
    return dict(zip(names, split(given).tolist(), strict=True))


def test_experiments_are_split_as_the_source_did(wells):
    shipped = _split(held_out.build(SHIPPED, skip=SKIPPED), wells)
    assert sorted(name for name, fold in shipped.items() if fold == 0) == sorted(SHIPPED)
    assert [name for name, fold in shipped.items() if fold == -1] == list(SKIPPED)
    dealt = Counter((n.split("-")[0], k) for n, k in _split(by_cell_type.build(), wells, 3).items())
    assert {kind: [dealt[kind, k] for k in range(3)] for kind in ("HUVEC", "RPE", "U2OS")} == {
        "HUVEC": [6, 5, 5],
        "RPE": [3, 2, 2],
        "U2OS": [1, 1, 1],
    }
    assert sorted(_split(one_out.build(), wells).values()) == list(range(33))
