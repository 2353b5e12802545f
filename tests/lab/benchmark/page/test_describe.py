"""What a row changes against its A_0, in words."""

import pytest
from tests.lab.benchmark.tiny_world import write_rows

from cellwise.flow.recipe.load import load_recipe
from cellwise.flow.recipe.resolve import resolve
from cellwise.lab.benchmark.merge import needed_steps
from cellwise.lab.benchmark.page.describe import _last, changes


@pytest.fixture
def recipe(tmp_path):
    write_rows(tmp_path)

    def make(name, **settings):
        plain = {key.replace("__", "."): value for key, value in settings.items()}
        return resolve(load_recipe(str(tmp_path / f"{name}.yaml")), plain)

    return make


def test_the_same_learner_changes_nothing(recipe):
    assert changes(recipe("inherit"), recipe("inherit")) == ()


def test_another_loss_is_named(recipe):
    found = changes(recipe("inherit", train__loss="partial_label"), recipe("inherit"))
    assert found == ("train.loss: bce -> partial_label",)


def test_options_of_a_part_are_named(recipe):
    adjust = [{"name": "neighbours", "share": 0.3}]
    found = changes(recipe("inherit", decide__adjust=adjust), recipe("inherit"))
    assert found == ("decide.adjust: [] -> [neighbours (share 0.3)]",)


def test_a_relabel_names_its_labeller_and_its_trainings(recipe):
    found = changes(recipe("soft"), recipe("inherit"))
    assert found == ("label.by: inherit -> soft", "trainings: 1 -> 2")


def test_a_kind_that_the_decision_does_not_rest_on_is_not_found(recipe):
    """Scores may be of several kinds of steps, of which a recipe has one."""
    own = needed_steps("row", recipe("soft"))
    assert _last(own, "embed") is None
    assert _last(own, "member") is None
    assert _last(own, "train") is not None
