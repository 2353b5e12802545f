"""A file of weights to begin with: looked for before any work, and part of what a model is."""

from types import SimpleNamespace
from typing import Any

import pytest
from tests.worlds import plate

from cellwise.errors import PreflightError
from cellwise.flow.pipeline.checks import check_request
from cellwise.flow.pipeline.contents import content_path
from cellwise.flow.pipeline.inputs import base_key
from cellwise.flow.pipeline.state import Request
from cellwise.flow.recipe.load import load_recipe
from cellwise.flow.recipe.resolve import parse_setting, resolve


def recipe_with(*settings):
    return resolve(load_recipe("plate-quick"), dict(parse_setting(text) for text in settings))


def test_only_a_file_of_the_users_own_is_one(tmp_path):
    plain = recipe_with("train.net=tiny").of_kind("train")[0]
    hub = recipe_with("train.net={name: backbone, pretrained: true}").of_kind("train")[0]
    own = recipe_with("train.net={name: backbone, pretrained: w.pth}").of_kind("train")[0]
    (content,) = own.spec.contents
    assert [content_path(content, step) for step in (plain, hub)] == [None, None]
    assert content_path(content, own).name == "w.pth"


def test_a_file_that_is_not_there_is_refused_before_any_work(tmp_path):
    plate(tmp_path / "images", 2)
    recipe = recipe_with("train.net={name: backbone, pretrained: nowhere.pth}")
    request = Request(tmp_path / "images", tmp_path / "out.run", recipe)
    with pytest.raises(PreflightError, match=r"nowhere\.pth"):
        check_request(request)
    assert not (tmp_path / "out.run").exists()


@pytest.mark.xfail(strict=True, raises=AssertionError, reason="the key holds the path as written")
def test_a_file_of_the_same_content_elsewhere_is_the_same_start(tmp_path):
    keys = set()
    for name in ("here.pth", "there.pth"):
        (tmp_path / name).write_bytes(b"weights")
        recipe = recipe_with(f"train.net={{name: backbone, pretrained: {tmp_path / name}}}")
        request = SimpleNamespace(seed=0, device="cpu", keyed_device="")
        step = recipe.of_kind("train")[0]
        state: Any = SimpleNamespace(request=request)
        keys.add(base_key(step, state=state))
    assert len(keys) == 1
