"""Maps by UMAP: behind the server, the same each time, with a word where they cannot be made."""

import os
import time

import numpy as np
import pytest

from cellwise.app.view.layouts import layouts
from cellwise.app.view.layouts.layouts import Layouts


def numbers(count=60, lacking=3):
    """Three far groups of cells; the last few have no vector."""
    found = np.random.default_rng(0).normal(0, 1, (count, 6)).astype(np.float32)
    found[:, 0] += 40 * (np.arange(count) % 3)
    found[:, 1] += 40 * (np.arange(count) % 3 == 1)
    found[count - lacking :] = np.nan
    return found


def first_two(given, place, fitted, told):
    """In place of UMAP: the first two numbers, and how many would be laid out together."""
    values = np.load(given)
    np.save(place, np.c_[values[:, 0], np.full(len(values), fitted)].astype(np.float32))
    told.send(("done", ""))


def fails(given, place, fitted, told):
    told.send(("failed", "ValueError: no <numbers>"))


def dies(given, place, fitted, told):
    os._exit(9)


def waits(given, place, fitted, told):
    time.sleep(60)


def over(state, limit=60):
    deadline = time.monotonic() + limit
    while state.step == "working" and time.monotonic() < deadline:
        time.sleep(0.02)
    return state


def test_cells_keep_their_rows_and_those_without_a_vector_have_no_place():
    state = over(Layouts(lambda _: numbers(), first_two).ask("seen"))
    assert (state.step, state.cells) == ("done", 57)
    np.testing.assert_array_equal(state.points[:57, 0], numbers()[:57, 0])
    assert (state.points[:57, 1] == layouts.FITTED).all()
    assert np.isnan(state.points[57:]).all()


def test_of_too_many_cells_chance_draws_the_same_ones_each_time(monkeypatch):
    monkeypatch.setattr(layouts, "MOST", 20)
    found = [over(Layouts(lambda _: numbers(), first_two).ask("seen")).points for _ in range(2)]
    np.testing.assert_array_equal(found[0], found[1])
    assert np.isfinite(found[0]).all(1).sum() == 20


def test_it_is_computed_once_and_asking_waits_for_nothing():
    calls = []

    def given(name):
        calls.append(name)
        return numbers()

    made = Layouts(given, waits)
    began = time.monotonic()
    first = made.ask("seen")
    assert made.ask("seen") is first
    assert time.monotonic() - began < 5
    assert first.step == "working"
    made.stop()
    assert first.step == "failed"
    assert calls == ["seen"]


@pytest.mark.parametrize(
    ("work", "words"),
    [(fails, "no <numbers>"), (dies, "ended with 9"), (waits, "took more than")],
)
def test_why_a_map_cannot_be_made_is_said_and_it_may_be_asked_for_again(work, words):
    made = Layouts(lambda _: numbers(), work, seconds=3.0)
    state = over(made.ask("seen"))
    assert (state.step, state.points) == ("failed", None)
    assert words in state.words
    assert made.ask("seen") is not state
    made.stop()


def test_too_few_cells_make_no_map():
    state = over(Layouts(lambda _: numbers(6), first_two).ask("seen"))
    assert (state.step, state.words) == ("failed", "3 cells have vectors: too few")


@pytest.mark.slow
def test_like_cells_lie_together_and_the_same_map_comes_again(monkeypatch):
    pytest.importorskip("umap", reason="the extra umap is not installed")
    # Half of them are laid out together, the others put among them.
    monkeypatch.setattr(layouts, "FITTED", 150)
    made = [over(Layouts(lambda _: numbers(300)).ask("seen"), 400) for _ in range(2)]
    assert [state.step for state in made] == ["done", "done"], made[0].words
    points, group = made[0].points[:297], np.arange(297) % 3
    np.testing.assert_array_equal(points, made[1].points[:297])
    middle = np.stack([np.median(points[group == k], axis=0) for k in range(3)])
    nearest = np.linalg.norm(points[:, None] - middle[None], axis=2).argmin(1)
    assert (nearest == group).mean() > 0.95
