"""The script that predicts a folder in two ways: both recipes are ones that can be run."""

import pytest
from benchmarks.predict import _STEPS, SIDE, WAYS

from cellwise.flow.recipe.load import load_recipe
from cellwise.flow.recipe.resolve import resolve


@pytest.mark.parametrize("way", WAYS)
def test_both_ways_have_one_network_and_differ_in_what_it_sees(way, tmp_path):
    path = tmp_path / "way.yaml"
    path.write_text(_STEPS.format(backbone="resnet18", **WAYS[way]), encoding="utf-8")
    recipe = resolve(load_recipe(str(path)))
    (train,) = recipe.of_kind("train")
    (score,) = recipe.of_kind("score")
    assert train.options["net"]["model"] == "resnet18"
    assert score.options["precision"] == "fp32"
    if way == "ours":
        assert (train.options["task"], score.options["by"]) == ("cell", "cell_net")
    else:
        assert train.options["task"] == {"name": "image", "size": SIDE}
        assert score.options["by"] == "masked_view"
