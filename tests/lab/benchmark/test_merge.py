"""Rows share a step exactly when nothing that leads to it differs."""

import pytest
from tests.lab.benchmark.tiny_world import write_rows

from cellwise.errors import BadOption
from cellwise.flow.recipe.load import load_recipe
from cellwise.flow.recipe.resolve import resolve
from cellwise.lab.benchmark.merge import merge, needed_steps, renamed


@pytest.fixture
def recipe(tmp_path):
    write_rows(tmp_path)

    def make(name, **settings):
        plain = {key.replace("__", "."): value for key, value in settings.items()}
        return resolve(load_recipe(str(tmp_path / f"{name}.yaml")), plain)

    return make


def kinds(merged):
    return [step.kind for step in merged.recipe.steps]


def test_what_no_decision_needs_is_left_out(recipe):
    (merged,) = merge({"soft": recipe("soft")})
    assert kinds(merged).count("train") == 2
    assert not {"evaluate", "report"} & set(kinds(merged))


def test_a_first_round_is_trained_once_for_both_rows(recipe):
    """`inherit` is the first round of `soft` under other names."""
    (merged,) = merge({"inherit": recipe("inherit"), "soft": recipe("soft")})
    assert kinds(merged).count("train") == 2
    assert kinds(merged).count("decide") == 2
    inherit, soft = merged.strands
    assert set(inherit.steps) - set(soft.steps) == {f"decide {inherit.decide}"}


def test_another_option_is_another_training_and_all_that_follows(recipe):
    (merged,) = merge({"a": recipe("soft"), "b": recipe("soft", second__epochs=3)})
    shared = set(merged.strands[0].steps) & set(merged.strands[1].steps)
    assert kinds(merged).count("train") == 3
    assert {step.split()[0] for step in shared} == {"label", "train", "score"}
    (merged,) = merge({"a": recipe("soft"), "b": recipe("soft", first__epochs=3)})
    both = set(merged.strands[0].steps) & set(merged.strands[1].steps)
    assert {step.split()[0] for step in both} == {"label"}


def test_rows_that_are_the_same_share_everything(recipe):
    (merged,) = merge({"a": recipe("inherit"), "b": recipe("inherit")})
    assert merged.strands[0].steps == merged.strands[1].steps


def test_other_cells_are_another_run(recipe):
    found = merge({"a": recipe("inherit"), "b": recipe("inherit", cells__size=24)})
    assert len(found) == 2
    assert found[0].front != found[1].front


def test_the_merged_recipe_names_its_own_steps(recipe):
    (merged,) = merge({"inherit": recipe("inherit"), "soft": recipe("soft")})
    names = {step.kind: set() for step in merged.recipe.steps}
    for step in merged.recipe.steps:
        if step.kind == "train":
            assert step.options["labels"] in names["label"]
        if step.kind == "score":
            assert step.options["model"] in names["train"]
        if step.kind == "decide":
            assert set(step.options["from"]) <= names["score"]
        names[step.kind].add(step.name)


def test_names_do_not_depend_on_names(recipe):
    one = renamed(needed_steps("a", recipe("soft")))
    other = renamed(needed_steps("b", recipe("soft")))
    assert [step.name for step in one] == [step.name for step in other]


def test_a_recipe_that_decides_nothing_cannot_be_a_row():
    with pytest.raises(BadOption, match="Row 'x': the recipe"):
        merge({"x": resolve(load_recipe("segment-only"))})
