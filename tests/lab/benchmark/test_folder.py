"""A folder belongs to one setting, whatever place the rows file lies in."""

import json

import pytest
from tests.lab.benchmark.tiny_world import ROWS, write_rows

from cellwise.errors import PreflightError
from cellwise.lab.benchmark.folder import check_folder, setting_of, write_setting
from cellwise.lab.benchmark.rows import load_table

# The rows alone: a world that is a folder is meant by its place.
HPA = ROWS.replace("world: folder, make: {path: world}", "world: hpa")


def _setting(home):
    home.mkdir()
    return setting_of(load_table(str(write_rows(home, rows=HPA))), device="cpu")


def test_the_same_recipes_elsewhere_are_the_same_ladder(tmp_path):
    write_setting(tmp_path / "out", _setting(tmp_path / "one"))
    check_folder(tmp_path / "out", _setting(tmp_path / "two"))


def test_a_recipe_of_another_content_is_another_ladder(tmp_path):
    write_setting(tmp_path / "out", _setting(tmp_path / "one"))
    recipe = tmp_path / "one" / "inherit.yaml"
    recipe.write_text(recipe.read_text().replace("folds: 2", "folds: 3"))
    changed = setting_of(load_table(str(tmp_path / "one" / "rows.yaml")), device="cpu")
    with pytest.raises(PreflightError, match="row 'inherit' is not as it was"):
        check_folder(tmp_path / "out", changed)


def test_a_folder_made_before_a_key_was_there_goes_on_with_its_default(tmp_path):
    setting = _setting(tmp_path / "one")
    before = json.loads(json.dumps(setting))
    for world in before["table"]["worlds"]:
        del world["outlines"], world["first"]
    for row in before["table"]["rows"]:
        del row["field_label"]
    write_setting(tmp_path / "out", before)
    check_folder(tmp_path / "out", setting)
    setting["table"]["worlds"][0]["outlines"] = "found"
    with pytest.raises(PreflightError, match="world 'tiny' is not as it was"):
        check_folder(tmp_path / "out", setting)
