"""What a recipe leaves to the images is settled once: by `check` and `run` alike, and kept."""

import dataclasses

import pytest
from tests.faults.fault_runs import record
from tests.worlds import field, plate

from cellwise.flow.check import check_folder
from cellwise.flow.looks import spread
from cellwise.flow.measured import is_open
from cellwise.flow.pipeline.run import run_pipeline
from cellwise.flow.request import make_request


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """A recipe that segments and leaves the window open, its folder, and its run."""
    home = tmp_path_factory.mktemp("measured")
    plate(home / "images", 4)
    (home / "own.yaml").write_text(
        "format: 1\nsteps:\n  - read:\n  - segment: watershed\n"
        "  - cells: {size: 20, window: auto, policy: keep}\n",
        encoding="utf-8",
    )
    request = asked(home, recipe=str(home / "own.yaml"))
    run_pipeline(request)
    return home, request


def asked(home, **options):
    return make_request(home / "images", home / "out.run", device="cpu", workers=1, **options)


def window(recipe):
    return recipe.of_kind("cells")[0].options["window"]


def test_check_and_run_settle_alike_and_say_it(own):
    home, request = own
    facts = check_folder(home / "images", recipe=str(home / "own.yaml"))
    assert not any(map(is_open, request.recipe.steps))
    assert facts["settled"] == list(request.recipe.notices)
    assert f"window {window(request.recipe):g} px" in facts["settled"][0]
    steps = record(home / "out.run")["recipe"]["steps"]
    assert steps[-1]["options"]["window"] == window(request.recipe)
    assert record(home / "out.run")["steps"][-1]["counts"]["cells_cut"] <= 2


def test_images_that_come_later_change_no_window(own):
    home, request = own
    field(home / "images", "H12", 9, size=300)
    for options in ({}, {"recipe": str(home / "own.yaml")}):
        assert window(asked(home, **options).recipe) == window(request.recipe)


def test_what_is_said_on_the_command_line_is_stronger(own):
    home, _ = own
    assert window(asked(home, settings=["cells.window=33"]).recipe) == 33


def test_nothing_is_looked_at_where_the_folder_is_refused(own, tmp_path, monkeypatch):
    home, _ = own
    monkeypatch.setattr("cellwise.flow.measured.look_at", lambda *a, **k: pytest.fail("looked"))
    request = make_request(
        home / "images",
        tmp_path / "new.run",
        recipe=str(home / "own.yaml"),
        settings=["read.roles.DNA=brightfield"],
    )
    assert not any(map(is_open, request.recipe.steps))


def test_a_recipe_that_comes_along_may_change_and_a_run_does_not(own, tmp_path, monkeypatch):
    home, _ = own
    first = make_request(home / "images", tmp_path / "seg.run", recipe="segment-only", workers=1)
    steps = tuple(
        dataclasses.replace(step, options={**step.options, "views": 1})
        if step.kind == "segment"
        else step
        for step in first.recipe.steps
    )
    recipe = dataclasses.replace(first.recipe, steps=steps)
    run_pipeline(dataclasses.replace(first, recipe=recipe, device="cpu"))
    again = make_request(home / "images", tmp_path / "seg.run", recipe="segment-only", workers=1)
    assert again.recipe.of_kind("segment")[0].options["views"] == 1
    other = make_request(home / "images", tmp_path / "seg.run", recipe="plate-quick", workers=1)
    assert other.recipe.of_kind("segment")[0].options["views"] != 1


def test_fields_are_spread_over_the_folder():
    assert spread(0, 4) == []
    assert spread(1, 4) == [0]
    assert spread(100, 4) == [50, 25, 75, 12]
    assert len(set(spread(3, 4))) == 3
