import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellwise.domain.channels import Channel
from cellwise.domain.records import ChannelFile, Field, Masks, Site, normalise_well, safe_ids


@pytest.mark.parametrize(
    ("text", "well"),
    [("a1", "A01"), ("A-01", "A01"), ("P24", "P24"), ("af48", "AF48"), ("A0", None), ("x", None)],
)
def test_wells_are_written_one_way(text, well):
    assert normalise_well(text) == well


def test_ids_that_collide_ignoring_case_are_told_apart():
    assert safe_ids(["a b", "A_B", "a_b", "c"]) == ["a_b", "A_B~2", "a_b~3", "c"]


@given(st.lists(st.text(min_size=1, max_size=8), max_size=20))
def test_safe_ids_are_unique_and_plain(raw):
    ids = safe_ids(raw)
    assert len({i.lower() for i in ids}) == len(raw)
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+(~\d+)?", i) for i in ids)


def test_a_site_with_a_wild_id_is_refused():
    with pytest.raises(ValueError, match="site id"):
        Site("a/b", "a/b", (ChannelFile(Channel("dna"), ("a.png",)),))


def test_a_channel_is_found_by_role_or_name():
    field = Field("s", np.zeros((2, 1, 1), np.float32), (Channel("gfp", "protein"), Channel("w2")))
    assert (field.index("protein"), field.index("w2"), field.index("nucleus")) == (0, 1, None)


def test_masks_of_two_sizes_are_refused():
    with pytest.raises(ValueError, match="differ in size"):
        Masks(np.zeros((2, 2), np.uint16), np.zeros((2, 3), np.uint16))
