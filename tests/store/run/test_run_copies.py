"""Images that are there twice are named, each kind in one sentence."""

from hypothesis import given
from hypothesis import strategies as st

from cellwise.store.run.copies import copies_said

ROWS = st.lists(
    st.tuples(st.sampled_from("ABCD"), st.sampled_from(["dna", "er", "gfp"]), st.integers(0, 20)),
    max_size=12,
    unique_by=lambda row: row[:2],
)


def table(rows, *, maximum=1.0):
    return [
        {"site_id": s, "channel": c, "sha256": str(n), "minimum": 0.0, "maximum": maximum}
        for s, c, n in rows
    ]


@given(ROWS)
def test_a_sentence_stands_for_what_pairs_of_images_show(rows):
    pairs = [(a, b) for a in rows for b in rows if a < b and a[2] == b[2]]
    said = copies_said(table(rows))
    between = [text for text in said if "another site holds too" in text]
    inside = [text for text in said if "hold the same image in" in text]
    assert bool(inside) == any(a[0] == b[0] for a, b in pairs)
    assert len(between) == any(a[0] != b[0] for a, b in pairs)
    sites = {one[0] for a, b in pairs if a[0] != b[0] for one in (a, b)}
    assert all(text.startswith(f"{len(sites)} sites hold") for text in between)
    assert copies_said(table(rows, maximum=0.0)) == []


def test_sites_and_channels_are_named():
    rows = [("A01", "dna", 1), ("A01", "gfp", 1), ("A02", "dna", 2), ("B03", "dna", 2)]
    one, two = copies_said(table(rows))
    assert one.startswith("Channels dna and gfp hold the same image in 1 site, such as A01")
    assert "2 sites hold" in two
    assert "A02 (dna) and B03 (dna)" in two
