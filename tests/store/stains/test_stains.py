"""What the words of a channel's name tell of its role."""

import csv

import pytest
from hypothesis import given
from hypothesis import strategies as st

import cellwise.store.stains as stains
from cellwise.domain.channels import ROLES
from cellwise.store.stains import compared, guess_role, is_stain, name_channels, stain_table

ROLE_OF = {
    "DAPI": "nucleus",
    "dna": "nucleus",
    "HOECHST 33342": "nucleus",
    "Hoechst33258": "nucleus",
    "H33342": "nucleus",
    "DAPI405": "nucleus",
    "DAPI (405)": "nucleus",
    "w1DAPI": "nucleus",
    "DAPI_w1": "nucleus",
    "OrigDNA": "nucleus",
    "origdna": "nucleus",
    "CorrDNA_2": "nucleus",
    "H2B-mCherry": "nucleus",
    "h2bmcherry": "nucleus",
    "BFP-H2B": "nucleus",
    "UV - DAPI": "nucleus",
    "Kerne": "nucleus",
    "Núcleo": "nucleus",
    "核": "nucleus",
    "blue": "nucleus",
    "gfp": "protein",
    "GFP488": "protein",
    "Blue - FITC": "protein",
    "alpha-tubulin": "microtubule",
    "GFP-tubulin": "microtubule",
    "ConA-488": "er",
    "Con A": "er",
    "ER-Tracker": "er",
    "PhalloidinAlexa568": "actin",
    "CF488A-phalloidin": "actin",
    "AGP": "actin",
    "MitoTracker Deep Red": "mitochondria",
    "SYTO 14": "rna",
    "CellMask Deep Red": "membrane",
    "Bright-Field": "brightfield",
}
WITHOUT = (
    *("ch1", "C=0", "d0", "Channel 1", "488", "image", "GFP-DAPI", "GFP-RFP", "BFP", "SYTOX Green"),
    *(
        "AF488",
        "Alexa488",
        "AlexaFluor 568",
        "Cy5",
        "TRITC",
        "TxRed",
        "Texas Red",
        "RFP",
        "mCherry",
    ),
    *("red", "deep red", "Nile Red", "Nuclear Envelope", "mRNA", "TO-PRO-3", "layer", "cer", "mt"),
)


@pytest.mark.parametrize(("name", "role"), ROLE_OF.items())
def test_words_that_name_one_stain_give_a_role(name, role):
    assert guess_role(name) == role


@pytest.mark.parametrize("name", WITHOUT)
def test_what_does_not_tell_the_biology_gives_none(name):
    assert guess_role(name) is None


@given(
    # The numbers of SYTO dyes are part of their names.
    name=st.sampled_from([name for name in ROLE_OF if name.isascii() and name[:4] != "SYTO"]),
    sign=st.sampled_from(["", " ", "-", "_", ".", "  "]),
    upper=st.sampled_from([str.upper, str.lower, str.title, str]),
    number=st.sampled_from(["", "1", "405", "_02", " (640)"]),
)
def test_case_separators_and_numbers_do_not_count(name, sign, upper, number):
    changed = upper(sign.join(name.replace("-", " ").replace("_", " ").split())) + number
    assert guess_role(changed) == ROLE_OF[name]


def test_two_channels_never_share_a_guessed_role():
    assert [c.role for c in name_channels(["dapi", "hoechst", "gfp"])] == [None, None, "protein"]
    assert [c.role for c in name_channels(["DAPI-1", "DAPI-2"])] == [None, None]


def test_the_one_blue_dye_is_the_nucleus():
    assert [c.role for c in name_channels(["H2B-mCherry", "DAPI"])] == [None, "nucleus"]
    assert [c.role for c in name_channels(["SYTO", "Hoechst"])] == [None, "nucleus"]


def test_four_colours_are_those_of_the_protein_atlas_and_three_are_anybodys():
    four = {c.name: c.role for c in name_channels(["blue", "green", "red", "yellow"])}
    assert four == {"blue": "nucleus", "green": "protein", "red": "microtubule", "yellow": "er"}
    three = [c.role for c in name_channels(["blue", "green", "red"])]
    assert three == ["nucleus", "protein", None]


def test_a_given_role_beats_the_guess():
    channels = name_channels(["dapi", "gfp"], {"gfp": "er"})
    assert [c.role for c in channels] == ["nucleus", "er"]
    channels = name_channels(["dapi", "w2"], {"w2": "nucleus"})
    assert [c.role for c in channels] == [None, "nucleus"]


NAMES = st.lists(st.sampled_from([*ROLE_OF, *WITHOUT]), min_size=1, max_size=8, unique=True)


@given(names=NAMES, shuffled=st.randoms(use_true_random=False))
def test_no_role_is_ever_held_twice_and_order_does_not_count(names, shuffled):
    channels = name_channels(names)
    roles = [c.role for c in channels if c.role is not None]
    assert len(roles) == len(set(roles))
    other = list(names)
    shuffled.shuffle(other)
    assert {c.name: c.role for c in name_channels(other)} == {c.name: c.role for c in channels}


def test_every_row_of_the_table_is_sound_and_names_its_source():
    with stains._TABLE.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    spellings = [compared(s) for row in rows for s in row["spellings"].split("|")]
    assert len(spellings) == len(set(spellings))
    assert all(spellings)
    for row in rows:
        assert row["source"]
        assert row["kind"] in ("target", "dye", "reporter", "colour", "other")
        assert row["role"] in (*ROLES, "")
        assert row["kind"] not in ("target", "dye") or row["role"], row


def test_every_spelling_tells_its_own_role():
    for word, stain in stain_table().items():
        assert guess_role(word) == (stain.role or None), word
        assert is_stain(word) == (stain.kind in ("target", "dye", "reporter")), word
