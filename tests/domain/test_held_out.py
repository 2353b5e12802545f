"""Which recipes' figures of labelled fields are said to be too good."""

from cellwise.domain.held_out import labels_pass_on
from cellwise.flow.recipe.load import load_recipe
from cellwise.flow.recipe.resolve import resolve


def _steps(name):
    return [{"kind": s.kind, "options": s.options} for s in resolve(load_recipe(name)).steps]


def test_labels_made_in_rounds_over_vectors_pass_on():
    assert labels_pass_on(_steps("features-quick"))


def test_labels_from_scores_that_left_the_fold_out_do_not():
    assert not labels_pass_on(_steps("hpa-inherit"))
    assert not labels_pass_on([])
