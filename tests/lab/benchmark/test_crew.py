"""Tasks are run, followed, and fail with words."""

from pathlib import Path

import pytest

from cellwise.errors import PreflightError
from cellwise.flow.pipeline.events import Silent
from cellwise.flow.pipeline.run import Outcome
from cellwise.flow.recipe.load import load_recipe
from cellwise.flow.recipe.resolve import resolve
from cellwise.lab.benchmark import crew
from cellwise.lab.benchmark.crew import Progress, Setting, run_tasks
from cellwise.lab.benchmark.merge import merge
from cellwise.lab.benchmark.meter import REUSED
from cellwise.lab.benchmark.plan import Draw, Task
from cellwise.lab.benchmark.rows import World


@pytest.fixture
def task():
    (merged,) = merge({"inherit": resolve(load_recipe("hpa-inherit"))})
    return Task(Draw(World("hard"), 0), 0, merged)


class Heard(Silent):
    def __init__(self):
        self.told, self.totals = [], []

    def step_started(self, name, *, total, unit, why):
        self.told.append(total)

    def step_advanced(self, done, *, total, note):
        self.told.append((done, note))
        self.totals.append(total)


def test_progress_counts_trainings(task):
    heard = Heard()
    progress = Progress([task, task], heard)
    progress.tell(task.name, "cells", 0.5)
    progress.tell(task.name, "train a", 0.5)
    progress.tell(task.name, "train a", 1.0)
    progress.tell(task.name, "score a", 0.1)
    assert heard.told == [2, (1, "hard-0-0: train"), (1, "hard-0-0: score")]


def test_what_an_earlier_call_has_trained_says_nothing_of_the_time_left(task):
    heard = Heard()
    progress = Progress([task, task], heard)
    progress.tell(task.name, "train a", REUSED)
    progress.tell(task.name, "train b", 1.0)
    assert heard.totals[-1] == 1


def test_a_world_with_something_set_aside_is_refused(task, monkeypatch, tmp_path):
    """Arms would not see the same cells."""
    outcome = Outcome(tmp_path, 3, {"quarantined": 2}, 1.0)
    monkeypatch.setattr(crew, "_warm_up", lambda task: None)
    monkeypatch.setattr(crew, "run_pipeline", lambda request, listener: outcome)
    with pytest.raises(PreflightError, match=r"hard-0: 2 inputs were set aside.*quarantine.csv"):
        run_tasks([task], Setting(Path(tmp_path), "cpu", ()), workers=1, listener=Silent())
