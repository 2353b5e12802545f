from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellwise.errors import BadOption, UnknownName, UsageError
from cellwise.flow.recipe.load import RawRecipe, RawStep, load_recipe, recipe_names
from cellwise.flow.recipe.resolve import parse_setting, resolve


def recipe(*steps, overrides=None):
    raw = tuple(RawStep(kind, options) for kind, options in steps)
    return RawRecipe("own", "", raw, overrides or {})


FRONT = (("read", {}), ("segment", {}))
LEARNING = (
    *FRONT,
    ("cells", {}),
    ("label", {"as": "inherited", "by": "inherit"}),
    ("train", {"as": "net", "labels": "inherited"}),
    ("score", {"as": "first", "model": "net"}),
    ("decide", {"from": ["first"]}),
)


@pytest.mark.parametrize("name", recipe_names())
def test_each_shipped_recipe_is_complete(name):
    for step in resolve(load_recipe(name)).steps:
        assert set(step.origins) == set(step.options)


def test_every_value_has_an_origin():
    raw = recipe(*FRONT, ("split", {"folds": 3}), overrides={"split.by": "site"})
    split = resolve(raw, {"split.folds": 5}).steps[2]
    assert (split.options["folds"], split.origins["folds"]) == (5, "command line")
    assert (split.options["by"], split.origins["by"]) == ("site", "recipe")
    assert split.origins["method"] == "default"


def test_a_setting_reaches_inside_a_part():
    raw = recipe(*LEARNING)
    train = resolve(raw, {"train.loss.name": "focal", "train.loss.gamma": 1.5}).of_kind("train")[0]
    assert train.options["loss"] == {"name": "focal", "gamma": 1.5}


def test_a_name_of_a_step_beats_its_kind():
    steps = (*LEARNING[:5], ("train", {"as": "other", "labels": "inherited"}))
    resolved = resolve(recipe(*steps), {"net.epochs": 7})
    first, second = resolved.of_kind("train")
    assert first.options["epochs"] == 7
    assert second.options["epochs"] != 7


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"split.fold": 3}, BadOption, "Did you mean 'folds'"),
        ({"splat.folds": 3}, UnknownName, "Did you mean 'split'"),
        ({"segment.name": "watershet"}, UnknownName, "Did you mean 'watershed'"),
    ],
)
def test_wrong_words_are_answered_with_the_nearest(settings, error, message):
    raw = recipe(("read", {}), ("segment", {"name": "watershed"}), ("split", {}))
    with pytest.raises(error, match=message):
        resolve(raw, settings)


@pytest.mark.parametrize(
    ("task", "scorer", "words"),
    [
        ("cell", "cam", "'cam' shows whole fields, and model 'net' learns crops of cells"),
        ("bag", "field_net", "whole fields"),
        ("puzzle", "cell_net", "'cell_net' shows crops of cells"),
        ("image", "cell_net", "task 'image'"),
    ],
)
def test_a_scorer_of_a_model_that_sees_other_pixels_is_refused(task, scorer, words):
    raw = recipe(*LEARNING)
    with pytest.raises(BadOption, match=words):
        resolve(raw, {"train.task": task, "score.by": scorer})
    # Consistency learns either: the model itself says which.
    resolve(raw, {"train.task": {"name": "consistency", "size": 64}, "score.by": scorer})


@pytest.mark.parametrize("field", [5, [3], {"a": 1}])
def test_steps_are_named_by_words(field):
    with pytest.raises(BadOption, match="field"):
        resolve(recipe(*LEARNING), {"decide.field": field})


def test_an_option_of_another_segmenter_is_refused():
    raw = recipe(FRONT[0], ("segment", {"name": "grid", "tile": 64}))
    assert resolve(raw).steps[1].options["tile"] == 64
    with pytest.raises(BadOption, match="tyle"):
        resolve(recipe(FRONT[0], ("segment", {"name": "grid", "tyle": 64})))


def test_a_step_names_only_what_comes_before_it():
    with pytest.raises(BadOption, match="no train step before"):
        resolve(recipe(*LEARNING[:4], LEARNING[5]))
    with pytest.raises(BadOption, match="Did you mean 'inherited'"):
        resolve(recipe(*LEARNING[:4], ("train", {"labels": "inherit"})))


def test_what_no_step_writes_cannot_be_read():
    with pytest.raises(BadOption, match=r"'train' reads|'label' reads 'cells'.*a 'cells' step"):
        resolve(recipe(*FRONT, ("label", {})))
    with pytest.raises(BadOption, match=r"'evaluate' reads .*'decide' step before"):
        resolve(recipe(*LEARNING[:4], ("evaluate", {})))


def test_one_thing_is_written_once():
    with pytest.raises(BadOption, match=r"'cells' and 'cells again' both write cells\.parquet"):
        resolve(recipe(*LEARNING[:3], ("cells", {"as": "again"})))


def test_needs_are_roles_of_channels():
    assert resolve(recipe(*FRONT, ("split", {"needs": ["protein"]}))).steps[2].needs == ("protein",)
    with pytest.raises(BadOption, match="Did you mean 'protein'"):
        resolve(recipe(*FRONT, ("split", {"needs": ["protien"]})))


def test_two_steps_of_one_kind_need_two_names():
    with pytest.raises(BadOption, match="as:"):
        resolve(recipe(("split", {}), ("split", {})))


def test_the_digest_follows_the_values_and_not_their_origin():
    one = resolve(recipe(*FRONT, ("split", {"folds": 2}))).digest
    assert one == resolve(recipe(*FRONT, ("split", {}))).digest
    assert one != resolve(recipe(*FRONT, ("split", {"folds": 3}))).digest


@pytest.mark.parametrize("text", ["epochs=3", "train.epochs", "train.x=[", "=3"])
def test_a_setting_that_is_none_is_refused(text):
    with pytest.raises(UsageError):
        parse_setting(text)


@given(st.integers() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False))
def test_settings_are_read_as_yaml(value):
    text = (
        str(value).lower()
        if isinstance(value, bool)
        else format(value, "f" if isinstance(value, float) else "d")
    )
    path, read = parse_setting(f"a.b={text}")
    assert path == "a.b"
    assert read == pytest.approx(value, abs=1e-6)


@pytest.mark.parametrize(
    "name",
    [
        *("../x", "..", "", ".hidden", "/x/y", "a/b", "a\\b", "a*", "[a]", " a", "a\0b", "x" * 101),
        *(None, True, ["a"], 1.5),
    ],
)
def test_a_name_that_is_no_name_for_files_is_refused(name):
    steps = (*LEARNING[:5], ("score", {"as": name, "model": "net"}))
    with pytest.raises(BadOption, match="is no name for files"):
        resolve(recipe(*steps))
    with pytest.raises(BadOption, match="is no name for files"):
        resolve(recipe(*LEARNING[:6]), {"score.as": name})


@pytest.mark.parametrize("name", ["a b", "über-细", "a.b", 3, "x" * 100])
def test_other_names_of_steps_may_be_anything(name):
    steps = (*LEARNING[:5], ("score", {"as": name, "model": "net"}))
    assert resolve(recipe(*steps)).steps[-1].name == str(name)


def test_a_single_need_may_be_written_without_brackets():
    steps = (*LEARNING[:4], ("train", {"as": "net", "labels": "inherited", "needs": "protein"}))
    assert resolve(recipe(*steps)).steps[-1].needs == ("protein",)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        *(("train.net", value) for value in (3, True, 1.5, ["tiny"], {"name": 3})),
        *(("train.net.width", value) for value in ("wide", True, [8], float("nan"), None)),
        *(("train.loss", {"name": "focal", "gamma": value}) for value in ("x", float("inf"))),
        *(("train.epochs", value) for value in ("three", 3.5, True, None, float("nan"), 0)),
        *(("train.learning_rate", value) for value in (float("inf"), True, -1)),
        *(("train.augment", value) for value in ([3], [["dihedral"]])),
        ("train.task.size", "big"),
    ],
)
def test_a_value_of_the_wrong_type_names_step_and_option(setting, value):
    steps = (*LEARNING[:4], ("train", {"as": "first", "labels": "inherited", "task": "image"}))
    with pytest.raises(BadOption) as refused:
        resolve(recipe(*steps), {setting: value})
    assert "'first'" in str(refused.value)
    assert setting.split(".")[-1] in str(refused.value) or "gamma" in str(refused.value)


def test_numbers_that_yaml_takes_for_text_are_numbers():
    resolved = resolve(recipe(*LEARNING), dict([parse_setting("train.learning_rate=1e-3")]))
    assert resolved.of_kind("train")[0].checked.model_dump()["learning_rate"] == 0.001


def test_another_part_takes_the_place_of_one_with_options():
    raw = recipe(("read", {}), ("segment", {"name": "small_unet", "views": 2, "split": 0.4}))
    settings = {"segment.split": 0.3, "segment.name": "watershed"}
    segment = resolve(raw, settings).of_kind("segment")[0].options
    assert (segment["name"], segment["split"]) == ("watershed", 0.3)
    assert "views" not in segment
    same = resolve(raw, {"segment.name": "small_unet"}).of_kind("segment")[0].options
    assert (same["views"], same["split"]) == (2, 0.4)


STEPS: list[tuple[str, dict[str, Any]]] = [
        ("read", {}), ("segment", {"name": "watershed"}), ("cells", {}), ("split", {}),
        ("label", {"as": "given", "by": "inherit"}),
        ("train", {"as": "a", "task": "cell", "labels": "given"}),
        ("train", {"as": "b", "task": "cell", "labels": "given"}),
        ("score", {"as": "a", "model": "a"}), ("score", {"as": "b", "model": "b"}),
        ("decide", {"from": ["a", "b"], "combine": "probabilities"}),
]  # fmt: skip


@given(*[st.lists(st.integers(0, 4), max_size=5, unique=True)] * 2)
def test_weights_by_validation_need_a_field_that_no_member_learned_from(first, second):
    settings = {"a.folds": first, "b.folds": second, "decide.weights": "auto"}
    raw = RawRecipe("mine", "", tuple(RawStep(*step) for step in STEPS), {})
    every = set(range(5))
    if (set(first) or every) & (set(second) or every):
        assert resolve(raw, settings).of_kind("decide")
        return
    with pytest.raises(BadOption, match="Networks of one fold each share no such"):
        resolve(raw, settings)
    assert resolve(raw, {**settings, "decide.weights": "views"})
