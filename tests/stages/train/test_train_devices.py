"""A training shared by two processes, and one with loaders: what one process alone learns."""

import signal
from dataclasses import replace

import numpy as np
import pytest
from tests.stages.train.learn_world import make_job, make_run, silent, write_folds

from cellwise.stages.train.step import work
from cellwise.store.run.models import read_model

SGD = {
    "optimiser": "sgd",
    "schedule": "steps",
    "learning_rate": 0.05,
    "epochs": 4,
    "batch": 9,
    "augment": ["dihedral", "affine", "gain"],
}
TASKS = {
    "bags": {"task": {"name": "bag", "cells": 5}, "batch": 3, "epochs": 5},
    "fields seen twice": {
        "task": {"name": "puzzle", "size": 32},
        "labels": "",
        "batch": 4,
        "epochs": 7,
    },
}


@pytest.fixture
def run(tmp_path):
    run = make_run(tmp_path)
    write_folds(run, {f"s{n:02d}": 0 for n in range(12)})
    return run


def learned(run, name, *, devices=1, loaders=0, report=silent, **options):
    work(replace(make_job(run, name=name, **options), devices=devices, loaders=loaders), report)
    card, weights = read_model(run.model(name, None))
    return card.training, weights


@pytest.mark.parametrize("task", ["cell", {"name": "image", "size": 32}])
def test_loaders_change_no_bit_of_the_weights(run, task):
    options = {"task": task, "epochs": 2, "batch": 5, "augment": ["affine", "gain"]}
    one, two = (learned(run, f"n{n}", loaders=n, **options) for n in (0, 2))
    assert one[0]["losses"] == two[0]["losses"]
    assert all(np.array_equal(one[1][name], two[1][name]) for name in one[1])


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.parametrize("task", TASKS, ids=str)
def test_two_processes_learn_what_one_does(run, task):
    """Twenty steps of SGD in single precision, without a norm over the batch."""
    options, steps = {**SGD, **TASKS[task]}, []
    one = learned(run, "one", **options)
    two = learned(
        run, "two", devices=2, report=lambda done, total, note: steps.append(done), **options
    )
    assert steps[-1] >= 20
    assert steps == list(range(1, len(steps) + 1)), "each batch is told of once"
    np.testing.assert_allclose(one[0]["losses"], two[0]["losses"], atol=2e-5)
    for name, value in one[1].items():
        np.testing.assert_allclose(two[1][name], value, rtol=0, atol=1e-5)


@pytest.mark.slow
@pytest.mark.long
def test_epochs_are_judged_alike_and_a_shared_training_is_carried_on(run):
    options = {**SGD, "validate": 0.2, "epochs": 3}
    facts, weights = learned(run, "one", **options)

    def stop(done, total, note):
        if done == 7:
            raise KeyboardInterrupt

    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        learned(run, "two", devices=2, report=stop, **options)
    assert signal.getsignal(signal.SIGINT) is handler
    again = []
    found, others = learned(
        run, "two", devices=2, report=lambda done, total, note: again.append(done), **options
    )
    assert min(again) > 1, "finished epochs are not repeated"
    np.testing.assert_allclose(facts["validation"], found["validation"], atol=2e-5)
    for name, value in weights.items():
        np.testing.assert_allclose(others[name], value, rtol=0, atol=1e-5)
