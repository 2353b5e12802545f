"""Threads of a new run follow the machine; those of a run that is there, and of the user, stay."""

import pytest

from cellwise.flow.recipe.load import RawRecipe, RawStep
from cellwise.flow.recipe.resolve import resolve
from cellwise.flow.recipe.threads import settle_threads


def recipe(settings=None, **train):
    steps = [
        RawStep("read", {}),
        RawStep("segment", {"name": "small_unet"}),
        RawStep("cells", {}),
        RawStep("train", {"as": "cell", "labels": "", "task": {"name": "image"}, **train}),
        RawStep("score", {"as": "cell", "model": "cell", "by": "field_net"}),
    ]
    return resolve(RawRecipe("own", "", tuple(steps), {}), settings or {})


def threads(found):
    return {step.kind: step.options["threads"] for step in found.steps if step.spec.threads}


def record_of(found):
    return {"recipe": {"steps": [
        {"kind": s.kind, "name": s.name, "options": s.options} for s in found.steps
    ]}}  # fmt: skip


@pytest.mark.parametrize(("free", "settled"), [(1, 1), (2, 2), (16, 2)])
def test_a_new_run_takes_what_is_free(free, settled):
    found = settle_threads(recipe(), {}, free)
    assert threads(found) == {"train": settled, "score": settled}
    checked = [s.checked.model_dump() for s in found.steps if s.spec.threads]
    assert {one["threads"] for one in checked} == {settled}


def test_what_the_user_says_stays():
    found = settle_threads(recipe({"train.threads": 4}), {}, 1)
    assert threads(found) == {"train": 4, "score": 1}
    assert threads(settle_threads(recipe(threads=3), {}, 1))["train"] == 3


@pytest.mark.parametrize(("begun", "free"), [(1, 2), (2, 1)])
def test_a_run_keeps_the_threads_that_it_began_with(begun, free):
    first = settle_threads(recipe(), {}, begun)
    again = settle_threads(recipe(), record_of(first), free)
    assert [s.options for s in again.steps] == [s.options for s in first.steps]
    assert again.digest == first.digest


def test_steps_that_share_the_cores_by_themselves_are_left_alone():
    found = settle_threads(recipe(), {}, 1)
    assert found.of_kind("segment")[0].options["threads"] is None
