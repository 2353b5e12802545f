"""What is learned of crops: smaller ones of one step for several networks, rare classes often."""

import numpy as np
import pytest
from tests.stages.site_steps import all_of
from tests.stages.train.learn_world import SIZE, make_job, make_run, silent

from cellwise.contracts.batch import Pool
from cellwise.domain.tables import CELLS, SCORES
from cellwise.errors import BadOption
from cellwise.learning.material import Material
from cellwise.stages.score import step as score
from cellwise.stages.train._repeats import repeated
from cellwise.stages.train.step import work
from cellwise.store.run.models import read_card
from cellwise.store.run.tables import read_table

FAST = {"epochs": 2, "net": {"name": "tiny", "width": 8}, "labels": "", "batch": 4}


def test_networks_of_two_sizes_learn_and_score_the_crops_of_one_step(tmp_path):
    run = make_run(tmp_path)
    small = {"name": "bag", "cells": 2, "size": SIZE // 2, "cell_weight": 0.0}
    large = {"name": "bag", "cells": 2, "cell_weight": 0.0}
    for name, task in (("small", small), ("large", large)):
        work(make_job(run, name=name, key=name, task=task, **FAST), silent)
        all_of(score, make_job(run, step="score", name=name, model=name))
    assert read_card(run.model("small", 0)).crop == {"size": SIZE // 2, "cut": SIZE}
    assert read_card(run.model("large", 0)).crop == {"size": SIZE}
    tables = [read_table(run.scores(name), SCORES) for name in ("small", "large")]
    assert tables[0].select("site_id", "cell_id").equals(tables[1].select("site_id", "cell_id"))
    assert len(tables[0]) == read_table(run.cells, CELLS).height
    too_large = {"name": "bag", "cells": 2, "size": 2 * SIZE}
    with pytest.raises(BadOption, match=r"cells\.size=48"):
        work(make_job(run, name="huge", key="huge", task=too_large, **FAST), silent)


def material(targets):
    count = len(targets)
    ones = np.ones(count, np.float32)
    return Material(
        Pool(np.arange(count)), targets, ones, targets, lambda at: at.astype(np.float32)
    )


def test_items_of_rare_classes_come_as_often_as_said():
    targets = np.array([[0.95, 0, 0], [0.5, 0, 1], [0.95, 1, 0], [0, 0, 0]], np.float32)
    classes = ("Mitotic spindle", "Golgi apparatus", "Aggresome")
    times = {"Mitotic spindle": 3, "Aggresome": 2, "Golgi apparatus": 5, "Cytosol": 9}
    found = repeated(material(targets), classes, times, above=0.9)
    assert found.pool.site.tolist() == [0] * 3 + [1] * 2 + [2] * 5 + [3]
    every = repeated(material(targets), classes, {"Aggresome": 2}, above=0.0)
    assert every.pool.site.tolist() == [0, 1, 1, 2, 3]
    np.testing.assert_array_equal(found.targets[5], targets[2])
    assert found.read(np.array([0, 4, 10])).tolist() == [0, 1, 3]
    with pytest.raises(BadOption, match="Mitotic spindle"):
        repeated(material(targets), classes, {"Mitotic spindel": 10}, above=0.9)


def test_repeats_are_learned_from_and_counted(tmp_path):
    run = make_run(tmp_path)
    image = {"name": "image", "size": 32}
    plain = {**FAST, "task": image, "epochs": 1}
    work(make_job(run, name="once", key="a", **plain), silent)
    work(make_job(run, name="often", key="b", repeat={"spot": 4}, **plain), silent)
    counts = [read_card(run.model(name, 0)).training for name in ("once", "often")]
    # Two of the six fields that this model learns from show a spot.
    assert counts[1]["items"] == counts[0]["items"] + 2 * 3
    assert counts[1]["sites"] == counts[0]["sites"]
