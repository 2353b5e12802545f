"""The script that runs recipes of full size on a few fields: what it makes smaller, and on what."""

import numpy as np
import pytest
from benchmarks.full_size_recipes import chosen_fields, on_disk, settings, thin

from cellwise.flow.recipe.load import load_recipe
from cellwise.flow.recipe.resolve import parse_setting, resolve

RECIPES = ("hpa-galixir", "hpa-puzzle-cam", "hpa-graph-denoise", "hpa-cam-cycles")
LEARNING = {"epochs", "batch", "accumulate"}


@pytest.mark.parametrize("recipe", RECIPES)
def test_networks_and_images_keep_their_sizes(recipe):
    before = resolve(load_recipe(recipe))
    given = dict(parse_setting(text) for text in settings(recipe))
    after = resolve(load_recipe(recipe), given)
    assert len(before.steps) == len(after.steps)
    for old, new in zip(before.steps, after.steps, strict=True):
        differ = {name for name in old.options if old.options[name] != new.options[name]}
        if old.kind != "train":
            assert not differ
            continue
        assert differ <= {*LEARNING, "net", "task"}
        assert new.options["epochs"] == 1
        if "net" in differ:
            assert new.options["net"] == {**old.options["net"], "pretrained": False}
        if "task" in differ:
            assert new.options["task"] == {**old.options["task"], "cells": 4}


def _rows(*labels):
    return [{"ID": f"f{k}", "Label": label} for k, label in enumerate(labels)]


def test_every_class_lies_on_two_fields_and_is_missing_on_two():
    found = chosen_fields(_rows("0|1", "4", "0|1", "3", "4", "7", "3"), 6)
    assert [row["Label"] for row in found] == ["3", "3", "4", "4", "0|1", "0|1"]
    for labels in (("1", "1", "2"), ("1", "1", "1|2", "1|2")):
        with pytest.raises(SystemExit):
            chosen_fields(_rows(*labels), 4)


def test_a_thinned_field_has_whole_cells_and_else_its_background():
    rng = np.random.default_rng(0)
    cells = np.zeros((40, 40), np.uint16)
    for number, (y, x) in enumerate([(0, 0), (10, 10), (10, 25), (25, 10), (25, 25)], start=1):
        cells[y : y + 8, x : x + 8] = number
    field = rng.integers(5, 9, (2, 40, 40)).astype(np.uint8)
    field[:, cells > 0] = 200
    found = thin(field, cells, 2, "a")
    bright = found[0] == 200
    kept = set(np.unique(cells[bright]).tolist())
    assert len(kept) == 2
    assert 1 not in kept, "it is cut by the edge"
    assert (found[:, ~bright] == np.median(field[:, cells == 0], axis=1)[:, None]).all()
    assert np.array_equal(found, thin(field, cells, 2, "a"))


def test_bytes_on_disk_are_those_of_the_files(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b").write_bytes(b"x" * 100_000)
    assert 100_000 <= on_disk(tmp_path) < 120_000
