"""Units: ids that name one unit each, and a tree that agrees with a walk over the rows."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellwise.domain.units import (
    ABOVE_SITES,
    LEVELS,
    SAMPLE,
    bag_numbers,
    cell_unit_ids,
    cells_of_ids,
    group_numbers,
    group_of,
    members,
    parents,
    pieces,
    places,
    sample_numbers,
    units_table,
)

NAMES = st.none() | st.sampled_from(["", "A01", "P1", "a/b", "b", "%2F", "a%2Fb"])
# (experiment, plate, well, cell type, cells) of each site
SITES = st.lists(st.tuples(NAMES, NAMES, NAMES, NAMES, st.integers(0, 3)), max_size=8)


def tables(rows):
    sites = pl.DataFrame(
        {
            "site_id": [f"s{n}" for n in range(len(rows))],
            "Metadata_Experiment": [r[0] for r in rows],
            "Metadata_Plate": [r[1] for r in rows],
            "Metadata_Well": [r[2] for r in rows],
            "Metadata_CellType": [r[3] for r in rows],
        },
        schema_overrides=dict.fromkeys(
            ["site_id", *(f"Metadata_{n}" for n in ("Experiment", "Plate", "Well", "CellType"))],
            pl.String,
        ),
    )
    pairs = [(f"s{n}", k + 1) for n, r in enumerate(rows) for k in range(r[4])]
    cells = pl.DataFrame(pairs, schema={"site_id": pl.String, "cell_id": pl.Int32}, orient="row")
    return sites, cells


def key(row, level):
    """What tells two units of a level apart, by hand; None where the site lies in none."""
    experiment, plate, well = (part or None for part in row[:3])
    found = {
        "well": (experiment, plate, well) if well else None,
        "plate": (experiment, plate) if plate else None,
        "experiment": (experiment,) if experiment else None,
    }
    return found[level]


@given(SITES)
def test_units_are_those_of_a_walk_over_the_rows(rows):
    sites, cells = tables(rows)
    units = units_table(sites, cells)
    counts = dict(units.group_by("unit").len().iter_rows())
    assert counts.get("cell", 0) == sum(r[4] for r in rows)
    assert counts.get("site", 0) == len(rows)
    for level in ABOVE_SITES:
        assert counts.get(level, 0) == len({key(r, level) for r in rows} - {None})
    assert not units.select("unit", "unit_id").is_duplicated().any()


@given(SITES)
def test_two_sites_share_a_group_exactly_where_their_names_agree(rows):
    sites, _ = tables(rows)
    for level in ABOVE_SITES:
        found = places(sites)[level].to_list()
        for i, a in enumerate(rows):
            assert (found[i] is None) == (key(a, level) is None)
            for j, b in enumerate(rows):
                same = key(a, level) is not None and key(a, level) == key(b, level)
                assert (found[i] is not None and found[i] == found[j]) == same


@given(SITES)
def test_parents_lie_in_the_table_and_members_are_found_from_above(rows):
    units = units_table(*tables(rows))
    known = set(units.select("unit", "unit_id").iter_rows())
    for unit, unit_id, parent, parent_id in parents(units).iter_rows():
        assert (parent is None) == (parent_id is None)
        if parent is None:
            continue
        assert (parent, parent_id) in known
        assert LEVELS.index(parent) > LEVELS.index(unit)
        inside = members(units, parent, parent_id, of=unit)
        assert unit_id in inside["unit_id"].to_list()
    for level in ABOVE_SITES:
        parts = [
            members(units, level, one, of="site")["unit_id"].to_list()
            for one in units.filter(pl.col("unit") == level)["unit_id"]
        ]
        named = [f"s{n}" for n, r in enumerate(rows) if key(r, level) is not None]
        assert sorted(site for part in parts for site in part) == named


@given(SITES)
def test_a_cell_type_is_known_where_all_sites_agree(rows):
    sites, _ = tables(rows)
    wells = units_table(sites).filter(pl.col("unit") == "well")
    where = places(sites)["well"].to_list()
    for unit_id, kind in wells.select("unit_id", "cell_type").iter_rows():
        given_ = {r[3] or None for r, well in zip(rows, where, strict=True) if well == unit_id}
        assert kind == (given_.pop() if len(given_) == 1 else None)


@given(
    st.lists(
        st.tuples(
            st.from_regex(r"[A-Za-z0-9._-]+(~[0-9]+)?", fullmatch=True), st.integers(1, 2**31 - 1)
        ),
        max_size=5,
    )
)
def test_ids_of_cells_can_be_taken_apart_again(pairs):
    cells = pl.DataFrame(pairs, schema={"site_id": pl.String, "cell_id": pl.Int32}, orient="row")
    assert cells_of_ids(cell_unit_ids(cells)).equals(cells)


def test_ids_as_they_are_written():
    rows = [("E1", "P1", "A01", None, 1), (None, "P1", "A01", None, 0), ("E1", None, "A01", "", 0),
            (None, None, "A/1", "U2OS", 0), ("E1", "P1", None, None, 0)]  # fmt: skip
    sites, cells = tables(rows)
    found = places(sites)
    assert found["well"].to_list() == ["E1/P1/A01", "P1/A01", "E1//A01", "A%2F1", None]
    assert found["plate"].to_list() == ["E1/P1", "P1", None, None, "E1/P1"]
    assert found["cell_type"].to_list() == [None, None, None, "U2OS", None]
    units = units_table(sites, cells)
    assert units.row(0, named=True) == {
        "unit": "cell", "unit_id": "s0/1", "site": "s0", "well": "E1/P1/A01", "plate": "E1/P1",
        "experiment": "E1", "cell_type": None,
    }  # fmt: skip
    up = {row[:2]: row[2:] for row in parents(units).iter_rows()}
    assert up["cell", "s0/1"] == ("site", "s0")
    assert up["site", "s4"] == ("plate", "E1/P1"), "a site without a well lies on its plate"
    assert up["well", "E1//A01"] == ("experiment", "E1"), "a well without a plate"
    assert up["well", "A%2F1"] == (None, None)
    assert group_of(units, "cell").drop_nulls().to_list() == ["s0/1"]


def test_a_table_without_metadata_has_cells_and_sites_only():
    sites = pl.DataFrame({"site_id": ["s", "t"]})
    units = units_table(sites, pl.DataFrame({"site_id": ["s"], "cell_id": [3]}))
    names = units.select("unit", "unit_id").rows()
    assert names == [("cell", "s/3"), ("site", "s"), ("site", "t")]
    assert units.drop("unit", "unit_id", "site").null_count().rows() == [(3,) * 4]


def test_numbers_rise_by_first_appearance_and_the_unknown_stand_alone():
    groups = pl.Series(["w2", "w1", None, "w2", None, None])
    alone = pl.Series(["a", "b", "c", "d", "e", "c"])
    assert group_numbers([groups], alone).tolist() == [0, 1, 2, 0, 3, 2]
    folds = pl.Series([0, 0, 0, 1, 0, 0])
    assert group_numbers([groups, folds], alone).tolist() == [0, 1, 2, 3, 4, 2]
    empty = group_numbers([pl.Series([], dtype=pl.String)], pl.Series([], dtype=pl.String))
    assert empty.dtype == np.int64
    assert len(empty) == 0


def test_what_cannot_be_a_table_of_units_is_refused():
    sites = pl.DataFrame({"site_id": ["s", "s"]})
    with pytest.raises(ValueError, match="twice"):
        units_table(sites)
    with pytest.raises(ValueError, match="no site"):
        units_table(sites[:1], pl.DataFrame({"site_id": ["t"], "cell_id": [1]}))
    with pytest.raises(ValueError, match="no level"):
        group_of(units_table(sites[:1]), "tile")
    with pytest.raises(ValueError, match="no level"):
        members(units_table(sites[:1]), "site", "s", of="tile")
    with pytest.raises(ValueError, match="no cell"):
        cells_of_ids(pl.Series(["s/1", "s"]))


def test_bags_of_a_level_have_one_label_and_one_fold():
    sites = pl.DataFrame(
        {
            "site_id": ["s1", "s2", "s3", "s4", "s5"],
            "labels": [["a"], ["a"], ["a"], ["b"], ["a"]],
            "fold": [0, 0, 1, 0, 0],
            "Metadata_Well": ["A01", "A01", "A01", "A01", None],
        }
    )
    assert bag_numbers(sites, "site").tolist() == [0, 1, 2, 3, 4]
    assert bag_numbers(sites, "well").tolist() == [0, 0, 1, 2, 3]
    assert bag_numbers(sites.drop("Metadata_Well"), "well").tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("column", ["Sample", "Antibody", "Protein", "Gene"])
def test_samples_are_named_by_their_column_or_are_single_sites(column):
    sites = pl.DataFrame({"site_id": [f"s{place}" for place in range(4)]})
    assert sample_numbers(sites).tolist() == [0, 1, 2, 3]
    named = sites.with_columns(pl.Series(f"Metadata_{column}", ["x", "x", None, ""]))
    assert sample_numbers(named).tolist() == [0, 0, 1, 2]


def test_what_shares_out_a_label_is_what_is_judged_together():
    sites = pl.DataFrame(
        {
            "site_id": [f"s{place}" for place in range(5)],
            "labels": [["a"]] * 5,
            "fold": [0, 0, 0, 1, 1],
            "Metadata_Protein": ["p", "p", "", "q", "q"],
        }
    )
    assert bag_numbers(sites, SAMPLE).tolist() == sample_numbers(sites).tolist()


@given(
    sizes=st.lists(st.integers(1, 9), max_size=12),
    classes=st.integers(1, 5),
    most=st.integers(1, 60),
    numbered=st.booleans(),
)
def test_every_cell_is_in_one_piece_and_no_field_in_two(sizes, classes, most, numbered):
    field = np.repeat(np.arange(len(sizes)), sizes)
    found = list(pieces(field if numbered else None, len(field), classes, most=most))
    assert [row for piece in found for row in range(piece.start, piece.stop)] == [
        *range(len(field))
    ]
    largest = max(sizes, default=0) if numbered else 1
    for piece in found:
        rows = piece.stop - piece.start
        assert rows * classes <= max(most, largest * classes)
        if numbered and piece.start:
            assert field[piece.start] != field[piece.start - 1]


def test_fields_whose_cells_stand_apart_are_one_piece():
    assert list(pieces(np.array([0, 1, 0, 1]), 4, 3, most=3)) == [slice(0, 4)]
