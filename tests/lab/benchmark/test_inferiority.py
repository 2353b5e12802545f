"""Not inferior: bounds against a slow bootstrap, both margins, a row that is its own base."""

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import average_precision_score

from cellwise.lab.benchmark.cells import Known
from cellwise.lab.benchmark.inferiority import InWorld, in_world


def known(random, cells=200, groups=20):
    group = np.arange(cells) % groups
    truth = random.random((cells, 2)) < (0.4, 0.3)
    keys = pl.DataFrame({"site_id": ["x"] * cells, "cell_id": np.arange(cells)})
    return Known(keys, ("a", "b"), truth, group, tuple(f"g{g:02d}" for g in range(groups)))


def arms(random, cells, *effects):
    noise = random.normal(0, 1, cells.truth.shape)
    return [(cells.truth * np.array(effect) + noise,) for effect in effects]


def test_a_row_that_is_its_base_loses_nothing_anywhere():
    random = np.random.default_rng(0)
    cells = known(random)
    (scores,) = arms(random, cells, 1.0)
    found = in_world(cells, scores, scores, [0, 1])
    assert (found.difference, found.lower, found.worst) == (0, 0, 0)
    assert found.not_inferior
    assert in_world(cells, scores, scores, []) is None


def test_the_bound_is_that_of_a_slow_bootstrap_over_groups():
    random = np.random.default_rng(1)
    cells = known(random)
    own, base = arms(random, cells, 1.2, 1.0)
    own = (own[0] + random.normal(0, 0.5, own[0].shape),)
    found = in_world(cells, own, base, [0, 1])
    drawn = []
    for _ in range(120):
        weights = np.bincount(random.integers(0, 20, 20), minlength=20)[cells.group]
        drawn.append(
            np.mean(
                [
                    average_precision_score(cells.truth[:, c], own[0][:, c], sample_weight=weights)
                    - average_precision_score(
                        cells.truth[:, c], base[0][:, c], sample_weight=weights
                    )
                    for c in (0, 1)
                ]
            )
        )
    assert found.lower == pytest.approx(np.quantile(drawn, 0.05), abs=0.02)
    assert found.lower < found.difference


def test_one_class_that_loses_much_is_named_and_makes_a_row_inferior():
    random = np.random.default_rng(2)
    cells = known(random)
    own, base = arms(random, cells, (4.0, 0.2), (1.0, 1.0))
    found = in_world(cells, own, base, [0, 1])
    assert found.difference > 0
    assert found.worst_class == "b"
    assert found.worst < -0.05
    assert not found.not_inferior


@pytest.mark.parametrize(
    ("lower", "worst", "fine"),
    [(-0.009, -0.05, True), (-0.01, 0.0, False), (0.1, -0.051, False), (np.nan, 0.0, False)],
)
def test_both_margins_have_to_hold(lower, worst, fine):
    assert InWorld(0.0, lower, "a", worst).not_inferior is fine
