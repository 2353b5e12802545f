"""Exports in the background: one at a time, and none that cannot be ended."""

import time

import pytest
from tests.app.view.exports import works

from cellwise.app.view.exports import jobs as module
from cellwise.app.view.exports.forms import BY_NAME
from cellwise.app.view.exports.jobs import Jobs, kept
from cellwise.errors import PreflightError, UsageError
from cellwise.store.run.folder import RunFolder


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A folder that every export fits."""
    for form in BY_NAME.values():
        monkeypatch.setitem(BY_NAME, form.name, type(form)(
            form.name, form.place, form.opens, form.holds, lambda _: "", is_folder=form.is_folder,
        ))  # fmt: skip
    return tmp_path


@pytest.fixture
def made(run):
    """Jobs of this run that are stopped at the end."""
    started = []

    def begin(work):
        started.append(Jobs(run, work))
        return started[-1]

    yield begin
    for one in started:
        one.stop()


def until(check, seconds=30):
    end = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.02)


def test_one_is_made_after_the_other_and_tells_what_was_lost(made, run):
    jobs = made(works.quick)
    states = [jobs.ask(name) for name in ("cells-csv", "anndata")]
    until(lambda: all(state.is_over for state in states))
    assert [state.step for state in states] == ["done", "done"]
    assert (states[0].done, states[0].n_lost, states[0].lost) == (3, 1, [("A01", "gone")])
    assert (run / "exports" / "cells.csv").read_text() == "cells-csv"
    assert kept(run, BY_NAME["cells-csv"]).size == len("cells-csv")


def test_one_that_is_under_way_is_not_begun_again_and_can_be_stopped(made, run):
    jobs = made(works.for_ever)
    first = jobs.ask("cells-csv")
    until(lambda: first.total == 7)
    second = jobs.ask("anndata")
    assert jobs.ask("cells-csv") is first
    assert second.step == "waiting"
    jobs.cancel("anndata")
    assert second.step == "stopped"
    jobs.cancel("cells-csv")
    until(lambda: first.is_over)
    assert first.step == "stopped"
    again = jobs.ask("cells-csv")
    assert again is not first
    until(lambda: again.step == "working")


def test_the_end_of_the_server_ends_them_in_a_moment(made, monkeypatch):
    monkeypatch.setattr(module, "_SECONDS_TO_END", 0.5)
    jobs = made(works.deaf)
    state, waiting = jobs.ask("cells-csv"), jobs.ask("anndata")
    until(lambda: state.total == 7)
    began = time.monotonic()
    jobs.stop()
    assert time.monotonic() - began < 5
    assert (state.step, waiting.step) == ("stopped", "stopped")
    with pytest.raises(PreflightError, match="being stopped"):
        jobs.ask("geojson")


def test_a_process_that_is_killed_is_said(made):
    jobs = made(works.killed)
    state = jobs.ask("cells-csv")
    until(lambda: state.is_over)
    assert state.step == "failed"
    assert "9" in state.words
    assert "memory" in state.words


def test_a_folder_that_cannot_be_written_is_said(made, monkeypatch):
    jobs = made(works.quick)
    monkeypatch.setattr("cellwise.app.view.exports.jobs.os.access", lambda *_: False)
    with pytest.raises(PreflightError, match="cellwise export"):
        jobs.ask("cells-csv")


def test_names_are_looked_up(made):
    for name in ("", "../cells", "cells_csv", "cells.csv"):
        with pytest.raises(UsageError, match="no such export"):
            made(works.quick).ask(name)


def test_an_export_that_is_older_than_the_run_is_known(run):
    import os

    form = BY_NAME["cells-csv"]
    assert kept(run, form) is None
    place = run / "exports" / form.place
    place.parent.mkdir()
    place.write_text("x")
    RunFolder(run).cells.write_text("y")
    os.utime(RunFolder(run).cells, (1000, 1000))
    assert not kept(run, form).older
    os.utime(place, (999, 999))
    assert kept(run, form).older
    place.unlink()
    place.symlink_to(RunFolder(run).cells)
    assert kept(run, form) is None
