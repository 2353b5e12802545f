"""Wells of one dose are replicates however the dose is written, and of two doses are not."""

import polars as pl

from cellwise.stages.decide.wells.conditions import replicate_key


def keys(**columns):
    return replicate_key(
        pl.DataFrame({f"Metadata_{name}": texts for name, texts in columns.items()})
    )


def test_doses_are_compared_as_numbers_with_units():
    found = keys(Concentration=["30 nM", "30nM", "0,03 µM", "3 nM", "much", None])
    assert len(set(found)) == 4
    assert found[0] == found[1] == found[2] == "Concentration=30 nM"
    assert (found[4], found[5]) == ("Concentration=much", None)


def test_plain_numbers_are_left_as_they_are_written():
    assert keys(Dose=["3", "3.0"]) == ["Dose=3", "Dose=3.0"]


def test_a_dose_column_with_its_unit_in_the_name_tells_wells_apart():
    found = keys(compound=["a", "a", "a"], concentration_uM=["1", "1", "10"])
    assert found[0] == found[1] != found[2]
