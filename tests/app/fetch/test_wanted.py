"""Which rows of the list are wanted: the published rules, both kinds of ids, and odd lists."""

import pytest
from tests.app.fetch.public_server import write_list

from cellwise.app.fetch.wanted import ATLAS, choose
from cellwise.errors import BadOption, PreflightError

SITE = "http://127.0.0.1/images"
# Address, locations, line, in the training set, classes; and which rules want it.
ROWS = (
    (f"{SITE}/9/10_A1_1", "Nucleoplasm", "U-2 OS", "False", "0", "challenge challenge-lines all"),
    (f"{SITE}/9/10_A1_2", "Golgi apparatus", "HeLa", "True", "7", ""),
    (
        f"{SITE}/9/10_A2_1",
        "Golgi apparatus",
        "HeLa",
        "False",
        "7",
        "challenge challenge-lines rare all",
    ),
    (f"{SITE}/9/10_A2_2", "Mitotic spindle", "MCF7", "False", "11", "challenge rare all"),
    (f"{SITE}/9/10_A2_3", "Aggresome,Cytosol", "ASC52telo", "False", "15|16", "challenge all"),
    (f"{SITE}/9/10_A3_1", "Vesicles", "MCF7", "False", "17", "rare all"),
    (f"{SITE}/9/10_A3_2", "Cleavage furrow", "HeLa", "False", "", ""),
    (f"{SITE}/9/1835_D1_3", "Mitotic spindle", "HeLa", "False", "11", ""),
)


def written(folder, rows=ROWS):
    return write_list(folder / "list.tsv", [row[:5] for row in rows])


@pytest.mark.parametrize("rule", ["challenge", "challenge-lines", "rare", "all"])
def test_each_rule_takes_what_was_published(tmp_path, rule):
    choice = choose(written(tmp_path), rule=rule)
    wanted = [row[0].rsplit("/", 1)[1] for row in ROWS if rule in row[5].split()]
    assert [one.site_id for one in choice.wanted] == wanted
    assert choice.rows == len(ROWS)
    assert not choice.refused


def test_ids_are_the_last_part_or_have_the_antibody_before_it(tmp_path):
    table = written(tmp_path)
    short = choose(table, limit=1).wanted[0]
    long = choose(table, ids="antibody", limit=1).wanted[0]
    assert (short.site_id, short.place) == ("10_A1_1", "9/10_A1_1")
    assert (long.site_id, long.place) == ("9_10_A1_1", "9_10_A1_1")
    assert short.stem == long.stem == f"{SITE}/9/10_A1_1"
    banned = choose(table, rule="all", ids="antibody").wanted
    assert "9_1835_D1_3" not in [one.site_id for one in banned]


def test_classes_narrow_the_choice(tmp_path):
    table = written(tmp_path)
    wanted = choose(table, classes=("mitotic spindle", "Aggresome")).wanted
    assert [one.classes for one in wanted] == [(11,), (15, 16)]
    with pytest.raises(BadOption, match="Mitotic spindle"):
        choose(table, classes=("Mitotic spindel",))


def test_an_address_without_server_is_that_of_the_atlas_and_a_mirror_takes_its_place(tmp_path):
    rows = [("9/10_A1_1", "", "HeLa", "False", "3"), (f"{SITE}/9/10_A1_2", "", "HeLa", "0", "3")]
    table = write_list(tmp_path / "list.tsv", rows)
    assert [o.stem for o in choose(table).wanted] == [f"{ATLAS}/9/10_A1_1", f"{SITE}/9/10_A1_2"]
    mirrored = choose(table, base="https://mirror.example/hpa/").wanted
    assert [one.stem for one in mirrored] == [
        f"https://mirror.example/hpa/9/10_A1_{n}" for n in (1, 2)
    ]
    with pytest.raises(BadOption, match="address"):
        choose(table, base="mirror.example")


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1/9/../../etc/10_A1_1",
        "http://127.0.0.1/9/10_A1_1?x=1",
        "file:///9/10_A1_1",
        "http://127.0.0.1/antibody/10_A1_1",
        "http://127.0.0.1/9/10_Z99_1",
        "../9/10_A1_1",
    ],
)
def test_addresses_of_another_kind_are_listed_and_never_asked(tmp_path, address):
    table = write_list(tmp_path / "list.tsv", [(address, "", "HeLa", "False", "3")])
    choice = choose(table)
    assert not choice.wanted
    assert [image for image, _ in choice.refused] == [address]


def test_a_field_is_wanted_once_and_another_of_its_name_is_listed(tmp_path):
    rows = [(f"{SITE}/{a}/10_A1_1", "", "HeLa", "False", "3") for a in (9, 9, 8)]
    choice = choose(write_list(tmp_path / "list.tsv", rows))
    assert [one.antibody for one in choice.wanted] == ["9"]
    assert [image for image, _ in choice.refused] == [rows[2][0]]
    both = choose(tmp_path / "list.tsv", ids="antibody").wanted
    assert [one.antibody for one in both] == ["9", "8"]


def test_locations_stand_in_for_a_missing_column_of_classes(tmp_path):
    table = tmp_path / "list.tsv"
    table.write_text(
        "\ufeffImage;Label;Cellline;in_trainset\n"
        f"{SITE}/9/10_A1_1;Focal adhesion sites,Rods & Rings,Lysosomes;HeLa;false\n"
    )
    assert choose(table).wanted[0].classes == (9, 17)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Image,Cellline,Label_idx\na,b,3\n", "lacks in_trainset"),
        ("Image,Cellline,in_trainset\na,b,True\n", "Label_idx"),
        (f"Image,Cellline,in_trainset,Label_idx\n{SITE}/9/10_A1_1,HeLa,perhaps,3\n", "perhaps"),
        (f"Image,Cellline,in_trainset,Label_idx\n{SITE}/9/10_A1_1,HeLa,False,3|31\n", "31"),
        ("", "cannot be read as a table"),
    ],
)
def test_lists_of_another_kind_are_refused(tmp_path, text, said):
    table = tmp_path / "list.tsv"
    table.write_text(text)
    with pytest.raises(PreflightError, match=said.replace("|", r"\|")):
        choose(table)


def test_a_list_that_is_not_there_and_rules_that_do_not_exist(tmp_path):
    with pytest.raises(BadOption, match="cannot be read"):
        choose(tmp_path / "none.tsv")
    with pytest.raises(BadOption, match="challenge"):
        choose(written(tmp_path), rule="chalenge")
    with pytest.raises(BadOption, match="antibody"):
        choose(written(tmp_path), ids="both")
