"""What the script for a card takes as time, work and idleness, and that it still runs here."""

import json
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from benchmarks import gpu as script
from benchmarks import gpu_cases as cases
from benchmarks.gpu_watch import Watch, busy_seconds

from cellwise.flow.pipeline.stop import Stopped
from cellwise.parts.nets import nets
from cellwise.parts.tasks import tasks
from cellwise.stages.score import scorers


class Clock:
    """Goes on when told."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def started(seconds=1000.0):
    clock = Clock()
    watch = Watch("measured", "cpu", seconds, clock)
    watch.step_started("train measured", total=0, unit="", why="")
    return watch, clock


def test_a_card_is_busy_where_any_kernel_or_copy_runs():
    rng = np.random.default_rng(0)
    starts, lengths = rng.integers(0, 400, 40), rng.integers(1, 20, 40)
    timeline = np.zeros(500, bool)
    for start, length in zip(starts, lengths, strict=True):
        timeline[start : start + length] = True
    events = [
        {"cat": ("kernel", "gpu_memcpy")[k % 2], "ts": int(s), "dur": int(d)}
        for k, (s, d) in enumerate(zip(starts, lengths, strict=True))
    ]
    events += [{"cat": "cpu_op", "ts": 0, "dur": 10_000}, {"ph": "M", "name": "process_name"}]
    assert busy_seconds(events) == pytest.approx(timeline.sum() / 1e6)
    assert busy_seconds([]) == 0


def test_speed_leaves_the_first_reports_out():
    """Ten seconds each while warming up, half a second each later: two a second."""
    watch, clock = started()
    for done in range(1, 101):
        clock.now += 10.0 if done <= 10 else 0.5
        watch.step_advanced(done, total=100, note="")
    clock.now += 50
    watch.step_advanced(100, total=100, note="the end, told again")
    watch.step_finished("train measured", seconds=1.0, counts={})
    assert watch.rate == pytest.approx(2.0)


def test_another_step_is_not_measured():
    watch = Watch("measured", "cpu", 1000.0, Clock())
    watch.step_started("train before", total=0, unit="", why="")
    for done in range(1, 20):
        watch.step_advanced(done, total=20, note="")
    assert watch.rate is None
    assert watch.flops is None


def test_operations_are_those_of_one_report():
    watch, clock = started()
    a, b = torch.ones(8, 16), torch.ones(16, 4)
    for done in (2, 4, 6):
        clock.now += 1
        watch.step_advanced(done, total=100, note="")
        a @ b
        a @ b
    watch.ended("interrupted")
    assert watch.flops == 2 * 8 * 16 * 4


@pytest.mark.parametrize(("groups", "stride"), [(1, 1), (1, 2), (4, 1), (8, 2)])
def test_gradients_of_a_convolution_cost_twice_its_work(groups, stride):
    watch, _ = started()
    layer = torch.nn.Conv2d(8, 8, 3, stride, 1, groups=groups)
    x = torch.ones(2, 8, 12, 12, requires_grad=True)
    watch.step_advanced(1, total=100, note="")
    layer(x).sum().backward()
    watch.step_advanced(2, total=100, note="")
    assert watch.flops == 3 * 2 * (2 * 8 * (12 // stride) ** 2) * (8 // groups) * 9


def test_a_case_is_stopped_when_its_time_is_over_and_keeps_its_figure():
    watch, clock = started(seconds=10.0)

    def work():
        for done in range(1, 1000):
            clock.now += 0.5
            watch.step_advanced(done, total=1000, note="")

    with pytest.raises(Stopped):
        work()
    assert 10 < clock.now < 11
    assert watch.rate == pytest.approx(2.0)


class Card:
    """Stands in for torch's profiler: one kernel of a quarter of a second."""

    def __init__(self, activities):
        self.events = [{"cat": "kernel", "ts": 0, "dur": 250_000}]

    def start(self):
        pass

    def stop(self):
        pass

    def export_chrome_trace(self, file):
        Path(file).write_text(json.dumps({"traceEvents": self.events}))


@pytest.mark.parametrize(("reports", "busy"), [(7, None), (8, 0.25)])
def test_what_comes_after_the_last_report_is_not_idleness(monkeypatch, reports, busy):
    """The card is watched from report 7 of 10: with none after it, only the end was seen."""
    for name in ("synchronize", "empty_cache", "reset_peak_memory_stats"):
        monkeypatch.setattr(torch.cuda, name, lambda: None)
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda: 0)
    monkeypatch.setattr(torch.profiler, "profile", Card)
    clock = Clock()
    watch = Watch("measured", "cuda", 1000.0, clock)
    watch.step_started("score measured", total=0, unit="", why="")
    for done in range(1, reports + 1):
        clock.now += 1
        watch.step_advanced(done, total=10, note="")
    watch.step_finished("score measured", seconds=1.0, counts={})
    assert watch.busy == busy


def test_every_case_names_parts_that_there_are():
    for case in (*cases.full_cases(), *cases.quick_cases()):
        steps = [*case.before, {case.kind: case.step}]
        for options in [o for step in steps for kind, o in step.items() if kind == "train"]:
            tasks.check(options["task"])
            nets.check(options["net"])
            assert options["net"] == "tiny" or timm.is_model(options["net"]["model"])
        if case.kind == "score":
            scorers.check(case.step["by"])


@pytest.mark.slow
@pytest.mark.long
def test_the_quick_form_ends_with_its_table(tmp_path, monkeypatch, capsys):
    chosen = [c for c in cases.quick_cases() if c.name in ("puzzle, fields", "cam", "cell, crops")]
    monkeypatch.setattr(script, "quick_cases", lambda: chosen)
    file = tmp_path / "found.json"
    words = ["--quick", "--device", "cpu", "--work", str(tmp_path), "--json", str(file)]
    assert script.main(words) == 0
    content = json.loads(file.read_text())
    assert [row["case"] for row in content["rows"]] == [case.name for case in chosen]
    assert all(row["per_s"] > 0 and row["tflops"] > 0 for row in content["rows"])
    table = capsys.readouterr().out.split(script.HEAD)[1].strip().splitlines()
    assert len(table) == len(chosen)
