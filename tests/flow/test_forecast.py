"""What a run will cost: processes start once, fields and batches count by what they hold."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from tests.worlds import labels, plate

from cellwise.flow.check import check_folder
from cellwise.flow.forecast import _processes
from cellwise.flow.looks import _MOST, look_at
from cellwise.flow.pipeline.state import Request
from cellwise.flow.recipe.load import load_recipe
from cellwise.flow.recipe.resolve import resolve


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    home = tmp_path_factory.mktemp("forecast")
    plate(home / "images", 8)
    labels(home / "labels.csv", 8)
    return home


def cost(home, workers, **given):
    facts = check_folder(
        home / "images",
        labels=home / "labels.csv",
        recipe="one-class",
        settings=given,
        workers=workers,
    )
    return facts["cost"]["cpu_seconds_per_step"]


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 200), st.integers(1, 10_000))
def test_no_more_processes_start_than_there_is_work_for(workers, count):
    recipe = resolve(load_recipe("segment-only"), {})
    request = Request(Path("in"), Path("out"), recipe, workers=workers)
    for step in recipe.steps[1:3]:
        found = _processes(step, request, count)
        assert 1 <= found <= min(workers, count)
        on_gpu = dataclasses.replace(request, device="cuda")
        assert not step.spec.device or _processes(step, on_gpu, count) == 1


@pytest.mark.slow
def test_scoring_starts_once_in_each_worker_and_not_in_the_run_itself(home):
    alone, many = cost(home, 1), cost(home, 64)
    # 8 fields are at most 8 batches.
    assert alone["score cell"] < 2
    assert many["score cell"] < 8 * 2 + 2


def test_cells_are_told_where_their_time_is_seen(home):
    # They are cut and measured right after each batch of segmentation.
    assert cost(home, 1)["cells"] == 0


def test_more_of_small_fields_are_tried(home):
    facts = check_folder(home / "images", recipe="segment-only")
    assert len(facts["cost"]["sampled_sites"]) == min(8, _MOST)


def test_nothing_is_looked_at_where_nothing_segments(home):
    request = Request(home / "images", home / "out", resolve(load_recipe("segment-only"), {}))
    assert look_at(request, [], None).sites == []


def test_a_folder_without_a_cell_costs_something_and_no_error(tmp_path):
    noise = np.random.default_rng(3)
    for number in range(4):
        for stain in ("dapi", "gfp"):
            path = tmp_path / "ab"[number % 2] / f"x{number}_{stain}.png"
            path.parent.mkdir(exist_ok=True)
            Image.fromarray(noise.integers(0, 6, (64, 64)).astype("uint8")).save(path)
    facts = check_folder(tmp_path, recipe="one-class", workers=1)
    assert not facts["refused"]
    assert facts["cost"]["cpu_seconds"] > 0
