"""What large images cost is told from a few small ones, so that a look at a folder stays short."""

import dataclasses

import numpy as np
import pytest
from tests.stages.train.learn_world import CHANNELS, CLASSES

from cellwise.domain.classes import ClassList
from cellwise.domain.records import Field, Masks
from cellwise.domain.steps import Job
from cellwise.domain.trial import Trial
from cellwise.learning.pace import Pace
from cellwise.stages.train import _forecast
from cellwise.stages.train.spec import Options


@pytest.fixture
def trial():
    """A folder of 40 labelled fields with ten cells each, in two folds."""
    pixels = np.random.default_rng(0).random((2, 64, 64), np.float32)
    masks = np.zeros((64, 64), np.uint16)
    return Trial(
        Field("a", pixels, CHANNELS), Masks(masks, masks),
        np.random.default_rng(1).random((10, 2, 128, 128), np.float32), CHANNELS,
        ClassList(CLASSES, "Negative"), 40, 40, 10.0, 2, {"train other": {}},
    )  # fmt: skip


def shown(monkeypatch, trial, tmp_path, **options):
    """The pixels of the batch that was tried, and the seconds of a batch if that one took one."""
    seen = []

    def one_second(net, lesson, plan, patience):
        from cellwise.learning.lesson import Turn

        seen.append(lesson.draw(Turn(0, 0, lesson.order(0)[0]))[0].shape)
        return Pace(1.0, 0.0)

    monkeypatch.setattr(_forecast, "pace_of_batches", one_second)
    given = Options.of({"labels": "x", "epochs": 1, **options})
    job = Job(tmp_path, tmp_path, "net", {}, "k", 0)
    trial.known.clear()
    total = _forecast.forecast_training(job, given, trial)
    return tuple(seen[0]), total


def test_large_fields_are_tried_small_and_few(monkeypatch, trial, tmp_path):
    small = {"task": {"name": "image", "size": 128}, "batch": 10}
    large = {"task": {"name": "image", "size": 640}, "batch": 10}
    tried, cost = shown(monkeypatch, trial, tmp_path, **small)
    assert tried == (10, 2, 128, 128)
    tried, dear = shown(monkeypatch, trial, tmp_path, **large)
    assert tried[0] <= 4
    assert tried[1:] == (2, 128, 128)
    # Two batches of ten fields in each of two folds: 25 times the pixels, 10 for 4 fields.
    assert cost == pytest.approx(2 * 2, abs=4)
    assert dear == pytest.approx(2 * 2 * 25 * 10 / 4, rel=0.1)


def test_a_network_of_one_fold_costs_one_training(monkeypatch, trial, tmp_path):
    whole = {"task": {"name": "image", "size": 640}, "batch": 10}
    _, both = shown(monkeypatch, trial, tmp_path, **whole)
    _, one = shown(monkeypatch, trial, tmp_path, folds=[1], **whole)
    assert one == pytest.approx(both / 2, rel=0.1)


def test_trainings_that_differ_in_what_costs_nothing_are_timed_once(monkeypatch, trial, tmp_path):
    tried = []

    def counted(net, lesson, plan, patience):
        tried.append(patience)
        return Pace(1.0, 0.0)

    monkeypatch.setattr(_forecast, "pace_of_batches", counted)
    job = Job(tmp_path, tmp_path, "net", {}, "k", 0)

    def seconds(**options):
        return _forecast.forecast_training(job, Options.of({"labels": "x", **options}), trial)

    one = seconds(epochs=1, folds=[0])
    assert seconds(epochs=1, folds=[1], learning_rate=0.1, start="other") == one
    assert seconds(epochs=3, folds=[1]) > 2 * one
    # At the larger of the two sides, and at the smaller.
    assert len(tried) == 2
    seconds(epochs=1, batch=16)
    assert len(tried) == 4


def test_of_many_networks_each_is_tried_shortly(monkeypatch, trial, tmp_path):
    tried = []

    def counted(net, lesson, plan, patience):
        tried.append(patience)
        return Pace(1.0, 0.0)

    monkeypatch.setattr(_forecast, "pace_of_batches", counted)
    hasty = dataclasses.replace(trial, patience=0.1, known={})
    given = Options.of({"labels": "x", "task": {"name": "image", "size": 640}, "batch": 10})
    _forecast.forecast_training(Job(tmp_path, tmp_path, "net", {}, "k", 0), given, hasty)
    assert sum(tried) == pytest.approx(0.1)


@pytest.mark.slow
def test_quarters_of_a_large_field_are_tried_with_a_network_of_stride_32(trial, tmp_path):
    # 160 or 96 pixels are no whole number of places, in halves of them.
    given = Options.of({
        "labels": "x", "epochs": 1, "batch": 2,
        "task": {"name": "puzzle", "size": 640},
        "net": {"name": "backbone", "model": "resnet18", "pretrained": False},
    })  # fmt: skip
    job = Job(tmp_path, tmp_path, "net", {}, "k", 0)
    hasty = dataclasses.replace(trial, patience=0.01)
    assert _forecast.forecast_training(job, given, hasty) > 0
