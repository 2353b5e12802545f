"""The public file of pixel statistics: agreed with, or refused with what differs."""

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cellwise.errors import FormatError, PreflightError
from cellwise.stages.statistics._public import FILE, check_public

WELLS = [f"HUVEC-01_{plate}_{row}0{column}" for plate in (1, 2) for row in "BC" for column in "234"]


def measured(shift=0.0, only=None):
    """Means in 0..1 of two sites of each well in two channels; those of `only` are shifted."""
    rows = [
        (f"{well}_{site}", f"w{channel}", (20.0 + 7 * number + 30 * channel) / 255)
        for number, well in enumerate(WELLS)
        for site in (1, 2)
        for channel in (1, 2)
    ]
    frame = pl.DataFrame(rows, schema=["site_id", "channel", "mean"], orient="row")
    here = pl.lit(value=True) if only is None else pl.col("site_id").str.starts_with(only)
    return frame.with_columns(
        mean=pl.when(here).then(pl.col("mean") + shift / 255).otherwise("mean")
    )


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    place = tmp_path_factory.mktemp("public") / FILE
    frame = measured().with_columns(
        id_code=pl.col("site_id").str.head(-2),
        site=pl.col("site_id").str.tail(1),
        channel=pl.col("channel").str.tail(1),
        mean=pl.col("mean") * 255,
        std=pl.lit(3.0),
    )
    frame.drop("site_id").write_csv(place)
    return place


@given(st.floats(-0.9, 0.9), st.integers(1, 48))
@settings(max_examples=20)
def test_rounding_and_sites_that_only_one_knows_are_fine(path, shift, count):
    shown = measured(shift).head(count)
    others = shown.with_columns(pl.col("site_id").str.replace("HUVEC", "RPE"))
    assert check_public(path, pl.concat([shown, others])) == count
    assert check_public(path.with_name("none.csv"), shown) == 0


@given(st.sampled_from([-15.0, 9.0, 60.0]))
@settings(max_examples=3)
def test_a_file_of_other_images_is_refused(path, shift):
    with pytest.raises(PreflightError, match="48 of 48 rows") as refused:
        check_public(path, measured(shift))
    first = measured().sort("site_id", "channel").row(0)
    level = first[2] * 255
    said = f"{first[0]} w1: the file says {level:.1f} of 255, its pixels {level + shift:.1f}"
    assert said in str(refused.value)
    # A plate that was exchanged for another is no accident.
    with pytest.raises(PreflightError, match="24 of 48 rows"):
        check_public(path, measured(shift, only="HUVEC-01_2"))


@pytest.mark.parametrize("text", ["a,b\n1,2\n", "id_code,site,channel,mean\nA,1,1,bright\n", ""])
def test_what_is_no_such_table_is_refused(tmp_path, text):
    (tmp_path / FILE).write_text(text)
    with pytest.raises(FormatError, match="no table of pixel statistics"):
        check_public(tmp_path / FILE, measured())
