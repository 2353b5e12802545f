"""Wells on their plate, and fields in the order they are walked through."""

import polars as pl
import pytest

from cellwise.app.view.data.plates import _place, _shape, field_facts, field_list, plate_maps


def test_wells_stand_where_their_names_say():
    assert [_place(name) for name in ("A01", "h12", "AA3", "P24", "x")] == [
        (0, 0), (7, 11), (26, 2), (15, 23), None,
    ]  # fmt: skip


def test_a_plate_is_the_smallest_that_holds_its_wells():
    assert _shape([(0, 0), (7, 11)]) == (8, 12)
    assert _shape([(0, 0), (8, 1)]) == (16, 24)
    assert _shape([(0, 6)]) == (6, 8)


def test_a_map_counts_cells_and_shares(opened, shown_run):
    found = plate_maps(opened, 0)
    assert found["class"] == "inside"
    plate = found["plates"][0]
    assert (plate["plate"], plate["shape"], len(plate["wells"])) == ("P1", (4, 6), 12)
    table = pl.read_parquet(shown_run.run / "predictions.parquet")
    for well in plate["wells"]:
        cells = table.filter(pl.col("Metadata_Well") == well["well"])
        assert well["cells"] == cells.height == 9
        given = cells["Labels"].list.contains("inside").mean()
        assert well["share"] == pytest.approx(given)


def test_fields_are_listed_by_plate_well_and_text(opened):
    everything = field_list(opened, ("", "", ""), slice(0, 5))
    assert everything["total"] == 12
    assert [one["well"] for one in everything["fields"]] == ["A01", "A02", "A03", "A04", "A05"]
    assert field_list(opened, ("P1", "B02", ""), slice(0, 5))["total"] == 1
    assert field_list(opened, ("", "", "E_b0"), slice(0, 50))["total"] == 6
    assert field_list(opened, ("P2", "", ""), slice(0, 50))["total"] == 0


def test_a_field_knows_its_neighbours(opened):
    first = field_facts(opened, opened.fields.place("plate_A01"), ("", ""))
    assert (first["previous"], first["next"], first["number"]) == (None, "plate_A02", 1)
    last = field_facts(opened, opened.fields.place("plate_B06"), ("", ""))
    assert (last["previous"], last["next"], last["of"]) == ("plate_B05", None, 12)
    alone = field_facts(opened, opened.fields.place("plate_B02"), ("P1", "B02"))
    assert (alone["previous"], alone["next"], alone["of"]) == (None, None, 1)
    elsewhere = field_facts(opened, opened.fields.place("plate_B02"), ("P1", "A01"))
    assert elsewhere["of"] == 12


def test_cells_of_a_field_come_as_columns(opened):
    facts = field_facts(opened, opened.fields.place("plate_A02"), ("", ""))
    rows = opened.cells.of_site(1)
    assert facts["cell"] == list(range(1, 10))
    assert facts["first_row"] == rows.start == 9
    assert facts["best"] == opened.cells.chances.best[rows].tolist()
    strange = [n for n in range(9) if opened.cells.disagrees[9 + n]]
    assert facts["disagrees"] == strange
