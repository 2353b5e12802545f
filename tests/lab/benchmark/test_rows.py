"""Rows files are data: read, checked, and refused with words that name the row."""

from pathlib import Path

import pytest
import yaml
from tests.lab.benchmark.tiny_world import ROWS, write_rows

from cellwise.errors import BadOption, UnknownName
from cellwise.lab.benchmark.rows import load_table, table_names


def changed(folder, change):
    content = yaml.safe_load(ROWS)
    change(content)
    return str(write_rows(folder, rows=yaml.safe_dump(content)))


def test_a_rows_file_gives_worlds_rows_and_the_statistics(tmp_path):
    table = load_table(str(write_rows(tmp_path)))
    assert [row.name for row in table.rows] == ["inherit", "truth", "soft"]
    assert table.rows[2].against == ("inherit",)
    assert table.rows[0].recipe == str((tmp_path / "inherit.yaml").resolve())
    (world,) = table.worlds
    assert world.make["path"] == str((tmp_path / "world").resolve())
    assert (table.seeds, table.draws, table.floor, table.ceiling) == (2, 200, "inherit", "truth")


@pytest.mark.parametrize("name", table_names())
def test_the_files_that_come_along_are_right(name):
    table = load_table(name)
    assert table.rows
    # Wells have no labels to inherit: nothing lies between inherited and true ones.
    screens = {world.world for world in table.worlds} == {"rxrx1"}
    assert {row.name for row in table.rows} >= {table.floor, *([] if screens else [table.ceiling])}


def test_a_row_may_stay_away_from_a_world(tmp_path):
    def change(content):
        content["worlds"].append({"name": "other", "make": {"severity": "hard"}})
        content["rows"][2]["worlds"] = ["other"]

    table = load_table(changed(tmp_path, change))
    tiny, other = table.worlds
    assert [row.name for row in table.rows_of(tiny)] == ["inherit", "truth"]
    assert [row.name for row in table.rows_of(other)] == ["inherit", "truth", "soft"]


def test_rows_of_different_worlds_may_share_a_name(tmp_path):
    def change(content):
        content["worlds"].append({"name": "other", "make": {"severity": "hard"}})
        content["rows"][2]["worlds"] = ["tiny"]
        content["rows"].append({**content["rows"][2], "worlds": ["other"], "expect": "worse"})

    table = load_table(changed(tmp_path, change))
    assert table.row("tiny", "soft").expect == "better"
    assert table.row("other", "soft").expect == "worse"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda c: c["worlds"][0].update(name="a/b"), "a world's name is made of"),
        (lambda c: c.update(format=2), "format: 1"),
        (lambda c: c.update(rows=[]), "at least one of its rows"),
        (lambda c: c.update(seed=3), "Did you mean 'seeds'"),
        (lambda c: c.update(seeds="three"), "seeds is a whole number"),
        (lambda c: c.update(seeds=0), "seeds is at least 1"),
        (lambda c: c["rows"].append("soft"), "an entry is written as"),
        (lambda c: c["rows"][0].pop("recipe"), "needs a recipe"),
        (lambda c: c["rows"][0].update(sett=[]), "row 'inherit' has no key 'sett'. Did you mean"),
        (lambda c: c["rows"][0].update(set="train.epochs=3"), "set is a list of texts"),
        (lambda c: c["rows"][2].update(expect="more"), "expect is one of"),
        (lambda c: c["rows"][2].update(against=["soft"]), "against itself"),
        (
            lambda c: c["rows"].append(dict(c["rows"][0])),
            "world 'tiny': two rows are called 'inherit'",
        ),
        (lambda c: c["worlds"][0].update(world="moon"), "world is one of"),
        (lambda c: c["worlds"][0].update(make={}), "make: {path: FOLDER}"),
        (lambda c: c["worlds"][0].update(per="day"), "per is `seed` or a number"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, change, words):
    with pytest.raises(BadOption, match=words.replace("{", r"\{")):
        load_table(changed(tmp_path, change))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda c: c["rows"][2].update(against=["inherits"]), "Did you mean 'inherit'"),
        (lambda c: c["rows"][2].update(ceiling="true"), "row 'true' is not in the file"),
        (lambda c: c["rows"][2].update(worlds=["tinny"]), "Did you mean 'tiny'"),
    ],
)
def test_names_that_are_not_there_are_refused(tmp_path, change, words):
    with pytest.raises(UnknownName, match=words):
        load_table(changed(tmp_path, change))


@pytest.mark.parametrize("name", ["quik", "absent.yaml"])
def test_a_file_that_is_not_there_is_refused(name):
    with pytest.raises(UnknownName):
        load_table(name)


def test_a_file_that_is_no_yaml_is_refused(tmp_path):
    path = tmp_path / "rows.yaml"
    path.write_text("format: [1\n")
    with pytest.raises(BadOption, match="not readable as YAML"):
        load_table(str(path))


def test_no_rows_file_that_comes_along_opens_sealed_worlds_unless_the_page_says_so():
    from cellwise.lab.synth.foreign.ranges import FIRST_SEALED

    page = Path(__file__).parents[3] / "docs" / "explain" / "sealed-worlds.md"
    said = page.read_text(encoding="utf-8")
    for name in table_names():
        for world in load_table(name).worlds:
            sealed = world.make.get("part") == "sealed" or (
                world.make.get("severity") == "foreign" and world.first >= FIRST_SEALED
            )
            assert not sealed or f"--rows {name}" in said, (name, world.name)
