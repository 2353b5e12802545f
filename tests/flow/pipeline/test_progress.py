"""How far a run is: told for this start alone, and to whoever asks from outside."""

import json

from hypothesis import given
from hypothesis import strategies as st

from cellwise.flow.pipeline import progress
from cellwise.flow.pipeline.events import Silent
from cellwise.flow.pipeline.pace import Pace
from cellwise.flow.pipeline.progress import FILE, Told


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@given(before=st.integers(0, 10_000), rate=st.integers(1, 50), seconds=st.integers(1, 100))
def test_what_was_there_before_is_none_of_the_rate(before, rate, seconds):
    clock = Clock()
    pace = Pace(clock)
    total = before + rate * (seconds + 100)
    pace.advance(before, total)
    assert pace.rate is None
    assert pace.seconds_left is None
    clock.now = seconds
    assert not pace.advance(before + rate * seconds, total)
    assert pace.rate == rate
    assert pace.seconds_left == 100


def test_counting_anew_begins_anew():
    clock = Clock()
    pace = Pace(clock)
    assert pace.advance(0, 100)
    clock.now = 10.0
    pace.advance(50, 100)
    # Something else is counted, then the same once more.
    assert pace.advance(60, 400)
    assert pace.rate is None
    assert pace.advance(10, 400)


def test_a_note_says_step_model_fold_and_epoch_and_goes_with_its_step(tmp_path, monkeypatch):
    monkeypatch.setattr(progress, "_EVERY", 0.0)
    clock = Clock()
    monkeypatch.setattr(progress, "Pace", lambda: Pace(clock))
    told = Told(Silent(), tmp_path)
    told.step_started("train cell", total=0, unit="", why="")
    told.step_advanced(501, total=3000, note="model 2 of 5 (fold 1), epoch 3 of 20, loss 0.412")
    clock.now = 10.0
    told.step_advanced(601, total=3000, note="model 2 of 5 (fold 1), epoch 4 of 20, loss 0.4")
    facts = json.loads((tmp_path / FILE).read_text())
    found = {name: facts[name] for name in ("step", "model", "models", "fold", "epoch", "epochs")}
    assert found == {
        "step": "train cell", "model": 2, "models": 5, "fold": 1, "epoch": 4, "epochs": 20
    }  # fmt: skip
    assert (facts["rate"], facts["seconds_left"]) == (10.0, 239.9)
    told.step_finished("train cell", seconds=1.0, counts={})
    assert not (tmp_path / FILE).exists()


def test_a_disk_that_cannot_take_the_note_stops_no_work(tmp_path, monkeypatch):
    monkeypatch.setattr(progress, "_EVERY", 0.0)
    (tmp_path / "work").write_text("a file where the folder should be")
    told = Told(Silent(), tmp_path / "work")
    told.step_started("cells", total=3, unit="site", why="")
    told.step_advanced(1, total=3, note="A01")
    told.ended("done")
