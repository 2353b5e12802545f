"""Wells and groups of treatments: against a walk over rows, and on made designs."""

import random
from collections import defaultdict

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from cellwise.domain.screens.groups import class_numbers, plate_groups
from cellwise.domain.screens.wells import unknown_types, well_types, wells_table


def sites_of(rows):
    """Sites of (experiment, plate, well, cell type, well type, labels)."""
    texts = ("Experiment", "Plate", "Well", "CellType", "WellType")
    return pl.DataFrame(
        {
            "site_id": [f"s{n}" for n in range(len(rows))],
            "part": ["train"] * len(rows),
            **{f"Metadata_{name}": [row[k] for row in rows] for k, name in enumerate(texts)},
            "labels": [row[5] for row in rows],
        },
        schema_overrides={
            **{f"Metadata_{name}": pl.String for name in texts},
            "labels": pl.List(pl.String),
            "site_id": pl.String,
            "part": pl.String,
        },
    )


ROWS = st.lists(
    st.tuples(
        st.sampled_from(["E1", "E2"]),
        st.sampled_from(["1", "2"]),
        st.sampled_from(["B02", "B03", "", None]),
        st.sampled_from(["HUVEC", "RPE", None]),
        st.sampled_from(["treatment", "Positive control", "negative-control", "odd", None]),
        st.sampled_from([["7"], ["8"], ["7", "8"], None]),
    ),
    max_size=10,
)
MEANT = {
    "treatment": "treatment",
    "Positive control": "positive_control",
    "negative-control": "negative_control",
}


@given(ROWS)
@settings(max_examples=60)
def test_a_well_says_what_all_its_sites_say(rows):
    wells = defaultdict(list)
    for row in rows:
        if row[2]:
            wells[f"{row[0]}/{row[1]}/{row[2]}"].append(row)
    table = wells_table(sites_of(rows))
    assert table["well"].to_list() == sorted(wells)
    for row in table.iter_rows(named=True):
        own = wells[row["well"]]
        types = {MEANT.get(one[4]) for one in own}
        labels = {one[5][0] if one[5] and len(one[5]) == 1 else None for one in own}
        assert row["n_sites"] == len(own)
        assert row["position"] == own[0][2]
        assert row["well_type"] == (types.pop() if len(types) == 1 else None)
        assert row["class"] == (labels.pop() if len(labels) == 1 else None)


def test_the_words_of_large_screens_are_known():
    types = ["negcon", "poscon_cp", "poscon_diverse", "poscon_orf", "", None]
    perts = ["control", "control", "control", "control", "trt", "ctl_vehicle"]
    sites = pl.DataFrame({"Metadata_control_type": types, "Metadata_pert_type": perts})
    meant = ["negative_control", *["positive_control"] * 3, "treatment", "negative_control"]
    assert well_types(sites).to_list() == meant
    assert unknown_types(sites) == {}


def test_sites_without_wells_make_an_empty_table():
    assert wells_table(pl.DataFrame({"site_id": ["a", "b"]})).is_empty()


def plates(sets):
    """Wells of plates, each with its treatments and one control."""
    rows = []
    for plate, names in sets.items():
        filled = [*((name, "treatment") for name in names), ("99", "negative_control")]
        rows += [
            ("E", plate, f"w{k}", "U2OS", kind, [name]) for k, (name, kind) in enumerate(filled)
        ]
    return wells_table(sites_of(rows))


@given(st.integers(0, 10**6), st.integers(2, 4), st.integers(6, 15))
@settings(max_examples=30, deadline=None)
def test_incomplete_plates_are_joined_to_the_groups_they_were_drawn_from(seed, groups, size):
    chance = random.Random(seed)
    meant = {f"{g}-{k}": g for g in range(groups) for k in range(size)}
    sets = {}
    for plate in range(3 * groups):
        own = [name for name, group in meant.items() if group == plate % groups]
        # A quarter of the wells is missing at most: any two plates of a group share over half.
        sets[f"p{plate}"] = chance.sample(own, size - size // 4)
    found = plate_groups(plates(sets))
    seen = {name for names in sets.values() for name in names}
    assert found.is_partition
    assert len(found) == groups
    assert set(found.of_class) == seen
    for one in seen:
        for other in seen:
            same = meant[one] == meant[other]
            assert (found.of_class[one] == found.of_class[other]) == same


def test_a_treatment_on_a_strange_plate_is_named_and_joins_nothing():
    sets = {"1": "abcd", "2": "abce", "3": "wxyz", "4": "wxya"}
    found = plate_groups(plates(sets))
    assert len(found) == 2
    assert found.odd == ("a",)
    assert not found.is_partition
    # The majority of its plates says where it belongs.
    assert found.members(found.of_class["a"]) == ("a", "b", "c", "d", "e")
    assert class_numbers(found, ["z", "99", "b"]) == [1, -1, 0]


def test_plates_that_share_nothing_say_nothing_of_each_other():
    assert not plate_groups(plates({"1": "abc", "2": "def"})).is_partition
    assert not plate_groups(plates({"1": "abc", "2": "abc"})).is_partition
    assert len(plate_groups(wells_table(sites_of([])))) == 0
