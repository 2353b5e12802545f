"""What a step took is measured, kept, and read again."""

import pytest

from cellwise.lab.benchmark.meter import Meter, read_costs, resident_mb


def test_a_finished_step_is_written_down(tmp_path):
    path = tmp_path / "deep" / "costs.jsonl"
    told = []
    meter = Meter(path, lambda step, share: told.append((step, share)))
    meter.step_started("train a", total=0, unit="", why="")
    ballast = bytearray(80 * 2**20)
    meter.step_advanced(1, total=4, note="")
    meter.step_finished("train a", seconds=1.5, counts={})
    del ballast
    meter.ended("done")
    (cost,) = read_costs(path).values()
    assert cost.seconds == pytest.approx(1.5)
    assert 20 < cost.peak_mb < 100_000
    assert told == [("train a", 0.0), ("train a", 0.25), ("train a", 1.0)]


def test_the_latest_record_counts_and_a_torn_line_is_passed_over(tmp_path):
    path = tmp_path / "costs.jsonl"
    line = '{"step": "train a", "seconds": %s, "peak_mb": 10}\n'
    path.write_text(line % 1 + line % 2 + '{"step": "tr')
    assert read_costs(path)["train a"].seconds == 2
    assert read_costs(tmp_path / "absent.jsonl") == {}


def test_this_process_takes_some_memory():
    assert resident_mb() > 10
