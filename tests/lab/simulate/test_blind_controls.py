"""Controls that know nothing stay at chance, and are noticed when they do not."""

import numpy as np
import pytest

from cellwise.lab.simulate.world_checks import (
    KnownCells,
    blind_model,
    random_scores,
)

NAMES = ["Common", "Rare", "Negative"]


def cells(rng, count=1500):
    group = np.repeat(np.arange(count // 15), 15)
    common = rng.random(count) < 0.4
    rare = (rng.random(count) < 0.08) & ~common
    classes = np.stack([common, rare, ~(common | rare)], 1)
    return KnownCells(classes, group, rng.random((count, 4)), rng.random((count, 4)))


def test_controls_stay_at_chance_where_the_truth_is_independent_of_them():
    known = cells(np.random.default_rng(0))
    checks = blind_model("position", known.position, known, NAMES, seed=0)
    assert [check.name.rsplit(" ", 1)[-1] for check in checks] == ["Common", "Rare"]
    assert all(check.ok for check in checks)
    assert all(abs(check.value) < 0.1 for check in checks)


@pytest.mark.parametrize("what", ["position", "brightness"])
def test_a_truth_that_place_or_brightness_gives_away_is_noticed(what):
    known = cells(np.random.default_rng(1))
    features = np.array(known.position)
    features[:, 0] += 0.8 * known.classes[:, 0]
    failed = [c for c in blind_model(what, features, known, NAMES, seed=0) if not c.ok]
    assert [check.name for check in failed] == [f"AP from {what} alone over prevalence: Common"]


def test_what_is_common_to_a_protein_is_no_use_to_the_control():
    """Folds are by protein: a feature that only names the protein teaches nothing."""
    rng = np.random.default_rng(2)
    group = np.repeat(np.arange(500), 4)
    shown = np.repeat(rng.random(500) < 0.4, 4)
    classes = np.stack([shown, np.zeros(2000, bool), ~shown], 1)
    name = np.repeat(rng.random((500, 4)), 4, axis=0)
    known = KnownCells(classes, group, name, name)
    (check,) = blind_model("position", name, known, NAMES, seed=0)
    assert check.ok


def test_random_scores_have_the_prevalence_as_average_precision():
    known = cells(np.random.default_rng(3), count=6000)
    checks = random_scores(known, NAMES, seed=0)
    assert len(checks) == 2
    assert all(check.ok for check in checks)


def test_classes_of_few_cells_or_proteins_are_not_judged():
    known = cells(np.random.default_rng(4), count=150)
    assert [check.name for check in random_scores(known, NAMES, seed=0)] == [
        "AP of random scores over prevalence: Common"
    ]
