"""What the acceptance script says of labels alone, on labels counted by hand."""

import json
import sys

import numpy as np
import pytest
from benchmarks import simulator_acceptance as script

from cellwise.lab.simulate.label_checks import Check


def test_labels_that_are_true_leave_everything():
    shown = np.repeat(np.eye(3, dtype=bool), 40, axis=0)
    found = script.figures(shown, shown)
    assert (found["precision"], found["rival"]) == (1, 1)
    assert found["left"] == pytest.approx(1)


def test_fixed_pairs_leave_no_distance_to_the_rival():
    """Classes 0 and 1 always together: right half of the time, and no cell tells which."""
    shown = np.repeat(np.eye(3, dtype=bool), 40, axis=0)
    given = shown.copy()
    given[:80, :2] = True
    found = script.figures(shown, given)
    assert found["precision"] == pytest.approx((0.5 + 0.5 + 1) / 3)
    assert found["rival"] == pytest.approx((0 + 0 + 1) / 3)
    # Of one of the pair: 40 true, 80 given, 120 cells.
    pair = (40 / 120 - 40 * 80 / 120**2) ** 2 / ((1 / 3 * 2 / 3) ** 2)
    assert found["left"] == pytest.approx((2 * pair + 1) / 3)


def test_the_known_designs_are_what_they_say():
    bags = script.known_designs(0)["one of 3 to 5"]
    assert bags["labels_per_field"] == pytest.approx(4, abs=0.1)
    assert bags["labels_per_cell"] == 1
    assert bags["precision"] == pytest.approx(1 / 4, abs=0.01)


def test_bags_hold_as_many_different_cells_as_there_are_up_to_16():
    assert all(check.ok for check in script.check_bags([1, 5, 16, 40]))


def test_the_script_ends_with_1_when_a_check_fails(tmp_path, monkeypatch, capsys):
    broken = Check("broken", 2.0, 0.0, 1.0, 3)
    monkeypatch.setattr(script, "label_checks", lambda draws, seed: [broken])
    monkeypatch.setattr(script, "foreign_checks", lambda images: [])
    monkeypatch.setattr(script, "what_labels_tell", lambda *args, **kwargs: {})
    file = tmp_path / "out.json"
    monkeypatch.setattr(sys, "argv", ["script", "--draws", "10", "--json", str(file)])
    with pytest.raises(SystemExit) as ended:
        script.main()
    assert ended.value.code == 1
    assert "FAIL broken" in capsys.readouterr().out
    content = json.loads(file.read_text())
    assert content["ok"] is False
    assert content["checks"][0]["ok"] is False
