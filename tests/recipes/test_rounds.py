"""Recipes of several rounds: bags, class maps, soft relabelling, mixed as a user would mix them."""

import numpy as np
import pytest

import cellwise
from cellwise.domain.tables import LABELS, SCORES
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.tables import read_table

pytestmark = [pytest.mark.long, pytest.mark.slow]

TWO_ROUNDS = """
format: 1
steps:
  - read:
  - segment: watershed
  - cells: {size: 24, window: 32, policy: keep}
  - split: {by: auto}
  - label: {as: inherited, by: inherit}
  - train: {as: bags, task: bag, labels: inherited, loss: {name: focal, gamma: 1.0},
            net: {name: tiny, width: 8}, epochs: 4, threads: 1}
  - score: {as: first, model: bags, threads: 1}
  - label: {as: soft, by: soft, from: first}
  - train: {as: cell, task: cell, labels: soft, net: {name: tiny, width: 8}, epochs: 2, threads: 1}
  - score: {as: second, model: cell, threads: 1}
  - train: {as: fields, task: {name: image, size: 96}, net: {name: tiny, width: 8}, epochs: 4,
            batch: 4, threads: 1}
  - score: {as: maps, model: fields, by: cam, threads: 1}
  - decide: {from: [second, maps], by: {name: temperature, pooling: mean}}
  - evaluate:
  - report:
"""


@pytest.fixture(scope="module")
def rounds(plate, tmp_path_factory):
    home = tmp_path_factory.mktemp("rounds")
    (home / "rounds.yaml").write_text(TWO_ROUNDS)
    return cellwise.run(
        plate / "images",
        labels=plate / "labels.csv",
        out=home / "run",
        recipe=str(home / "rounds.yaml"),
    )


def test_every_round_scores_every_cell(rounds):
    for name in ("first", "second", "maps"):
        scores = read_table(RunFolder(rounds.path).scores(name), SCORES)
        assert scores.height == rounds.cells.height, name
        assert np.isfinite(np.stack(scores["score"].to_list())).all(), name


def test_soft_labels_stay_within_the_labels_of_the_field(rounds):
    labels = read_table(RunFolder(rounds.path).labels("soft"), LABELS)
    value = np.stack(labels["label"].to_list())[:, 0]
    positive = [int(site[1:3]) % 2 == 0 for site in labels["site_id"]]
    assert (value[~np.array(positive)] == 0).all()
    assert value[positive].max() == pytest.approx(1.0)
    assert 0 < value[positive].min() < 1


def test_the_mixture_tells_treated_wells_from_others(rounds):
    assert rounds.metrics["well_macro_ap"]["value"] == 1.0
