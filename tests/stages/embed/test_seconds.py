"""What vectors will cost: some cells are tried, the rest count by what those took."""

import importlib.util
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.parts.features.drawn_cells import CHANNELS, draw

from cellwise.domain.records import Masks
from cellwise.domain.trial import Trial
from cellwise.parts.nets.photographs import without_weights
from cellwise.stages.embed import cp_measure, embedders, frozen

JOB = SimpleNamespace(device="cpu")
FIELD, MASKS = draw()


class Clock:
    """Processor time that goes by only where it is told to."""

    def __init__(self):
        self.now = 0.0

    def process_time(self):
        return self.now


def tried(cells, *, crops=None, masks=MASKS):
    return Trial(FIELD, masks, crops, tuple(CHANNELS), None, 9, 9, cells, 1, {})


@given(st.integers(1, 500), st.floats(0.5, 400))
def test_a_network_costs_by_the_cells_of_a_field(count, cells):
    clock, seen = Clock(), []

    def see(crops, look):
        seen.append((len(crops), look.images))
        clock.now += 0.25 * len(crops)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(frozen, "time", clock)
        patch.setattr(frozen, "without_weights", lambda *_: SimpleNamespace(see=see))
        part = embedders.build({"name": "frozen", "colours": [["protein"]], "threads": 1})
        crops = np.ones((count, len(CHANNELS), 8, 8), np.float32)
        assert part.seconds(JOB, tried(cells, crops=crops)) == pytest.approx(0.25 * cells)
    at = [channel.role for channel in CHANNELS].index("protein")
    assert {images for _, images in seen} == {((at,),)}
    assert max(number for number, _ in seen) <= frozen._TRIED


def test_a_network_is_timed_without_its_weights(monkeypatch):
    """A forecast fetches nothing."""
    monkeypatch.setattr("cellwise.parts.nets.photographs.open_network", None)
    crops = np.random.default_rng(0).random((3, len(CHANNELS), 16, 16)).astype(np.float32)
    small = {"name": "frozen", "network": "test_resnet", "stages": [1], "size": 32, "threads": 1}
    assert embedders.build(small).seconds(JOB, tried(5.0, crops=crops)) > 0
    assert embedders.build(small).seconds(JOB, tried(5.0)) == 0
    assert not without_weights("test_resnet", "cpu").net.training


@given(st.floats(0.5, 400))
def test_measurements_of_cellprofiler_cost_by_the_cells_of_a_field(cells):
    clock, given_ = Clock(), []

    def measure(field, masks, groups):
        numbers = np.unique(masks.cells[masks.cells > 0])
        given_.append((field, masks, numbers))
        clock.now += 0.5 * len(numbers)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cp_measure, "time", clock)
        patch.setattr(cp_measure, "measure", measure)
        patch.setattr(cp_measure, "_columns", lambda *_: ())
        patch.setattr(cp_measure, "find_spec", lambda _: True)
        part = embedders.build({"name": "cp_measure", "without": ["protein"]})
        assert part.seconds(JOB, tried(cells)) == pytest.approx(0.5 * cells)
        assert part.seconds(JOB, tried(cells, masks=none())) == 0
    ((field, masks, numbers),) = given_
    assert "protein" not in [channel.role for channel in field.channels]
    assert len(numbers) == min(cp_measure._TRIED, len(np.unique(MASKS.cells)) - 1)
    for number in numbers:
        assert (masks.cells == number).sum() == (MASKS.cells == number).sum()
    assert field.pixels.shape[1:] == masks.cells.shape == masks.nuclei.shape


def none():
    return Masks(np.zeros_like(MASKS.cells), np.zeros_like(MASKS.nuclei))


@pytest.mark.skipif(
    importlib.util.find_spec("cp_measure") is None,
    reason="cp_measure (extra cp-measure) is not here",
)
def test_it_measures_to_say_so():
    part = embedders.build({"name": "cp_measure", "groups": ["intensity"]})
    assert part.seconds(JOB, tried(3.0)) > 0
