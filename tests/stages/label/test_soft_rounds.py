"""Soft labels learned from vectors: rounds, classes outside the field, folds left out."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.stages.label.test_posterior import _bags

from cellwise.contracts.labeller import SUPPORTED, UNSCORED
from cellwise.errors import BadOption, PreflightError
from cellwise.stages.label import soft
from cellwise.stages.label._learned import others
from cellwise.stages.label._per_fold import labels_without_folds
from cellwise.stages.label.posterior import build as posterior
from cellwise.stages.label.spec import Options


def test_rounds_on_vectors_are_the_ratio_of_the_posterior_and_each_learns_the_last():
    bags, truth = _bags(classes=3)
    made = {n: soft.build(rounds=n)(bags) for n in (1, 2)}
    alike = posterior("soft_ratio", rounds=2, restarts=1)(bags)
    assert made[2].label == pytest.approx(alike.label, abs=2e-3)
    own = bags.inherited > 0
    apart = [
        found.label[own & truth].mean() - found.label[own & ~truth].mean()
        for found in made.values()
    ]
    assert 0.2 < apart[0] < apart[1]
    assert set(made[1].reason) == {SUPPORTED}


def test_a_class_that_the_field_was_not_given_is_found_where_cells_show_it():
    bags, truth = _bags(classes=3, noise=0.5)
    # The labels of one class are missing in a third of its fields.
    labels = bags.field_labels.copy()
    labels[::3, 0] = False
    bags = replace(bags, field_labels=labels)
    missed = truth[:, 0] & (bags.inherited[:, 0] == 0)
    within = soft.build(rounds=2)(bags).label[:, 0]
    anywhere = soft.build(rounds=2, restricted=False)(bags).label[:, 0]
    assert within[missed].max() == 0
    absent = ~truth[:, 0] & (bags.inherited[:, 0] == 0)
    assert anywhere[missed].mean() > 1.5 * anywhere[absent].mean()


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 1000), st.booleans(), st.sampled_from((0.0, 0.4)))
def test_other_labels_of_a_fold_change_nothing_that_is_made_without_it(seed, restricted, inherited):
    bags, _ = _bags(seed, fields=24, each=3)
    fold = np.arange(24) // 2 % 3
    labeller = soft.build(rounds=2, restricted=restricted, inherited=inherited)

    def without(one):
        return labels_without_folds(one, fold, labeller, lambda done, total: None)[1]

    labels = bags.field_labels.copy()
    labels[fold == 1] = ~labels[fold == 1]
    before, after = without(bags), without(replace(bags, field_labels=labels))
    assert before[1].tobytes() == after[1].tobytes()
    assert before[0].tobytes() != after[0].tobytes()


def test_cells_without_vector_keep_the_inherited_label_and_one_group_is_refused():
    bags, _ = _bags(fields=12, each=3)
    vectors = bags.vectors.copy()
    vectors[4] = np.nan
    found = soft.build()(replace(bags, vectors=vectors))
    assert found.reason[4] == UNSCORED
    assert found.label[4].tolist() == bags.inherited[4].tolist()
    nothing = replace(bags, vectors=np.full_like(vectors, np.nan))
    assert np.array_equal(soft.build()(nothing).label, bags.inherited)
    with pytest.raises(PreflightError, match="one group"):
        others(replace(bags, group=np.zeros(36, np.int64)), np.arange(36))


def test_scores_or_vectors_and_not_both():
    assert Options.of({"by": {"name": "soft", "rounds": 2}, "embeddings": "v"}).embeddings == "v"
    with pytest.raises(BadOption, match="leave out"):
        Options.of({"by": "soft", "embeddings": "v", "from": "s"})
    with pytest.raises(BadOption, match="or vectors with"):
        Options.of({"by": "soft"})
    with pytest.raises(BadOption, match="reads no vectors"):
        Options.of({"by": "assign", "from": "s", "embeddings": "v"})
