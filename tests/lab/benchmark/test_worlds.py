"""Worlds are simulated once, with the number of the draw as seed."""

import pytest
from tests.lab.benchmark.tiny_world import write_rows

from cellwise.errors import UsageError
from cellwise.flow.pipeline.events import Silent
from cellwise.lab import simulate
from cellwise.lab.benchmark.plan import Draw, make_plan
from cellwise.lab.benchmark.rows import World, load_table
from cellwise.lab.benchmark.worlds import check_worlds, make_worlds, world_request


def test_a_draw_is_a_seed_of_simulate(tmp_path):
    world = World("hard", make={"severity": "hard", "sites": 12, "min_positives": 3})
    request = world_request(Draw(world, 2), tmp_path, workers=4)
    assert (request.world, request.severity, request.sites, request.seed) == ("hpa", "hard", 12, 2)
    assert request.out == tmp_path / "worlds" / "hard-2"
    with pytest.raises(UsageError, match="--size"):
        world_request(Draw(World("w", make={"size": 0}), 0), tmp_path, workers=1)


def test_what_is_there_is_not_made_again(tmp_path, monkeypatch):
    rows = "format: 1\nseeds: 2\nworlds: [{name: w, make: {severity: easy}}]\nrows:\n" + (
        "  - {name: inherit, recipe: inherit.yaml}\n  - {name: truth, recipe: inherit.yaml}\n"
    )
    plan = make_plan(load_table(str(write_rows(tmp_path, rows=rows))))
    there = tmp_path / "worlds" / "w-0" / "truth"
    there.mkdir(parents=True)
    (there / "world.json").write_text("{}")
    made = []

    def fake(request, report):
        made.append(request.out.name)
        return simulate.World(request.out, {"fields": 3})

    monkeypatch.setattr(simulate, "simulate_world", fake)
    make_worlds(plan, tmp_path, workers=1, listener=Silent())
    assert made == ["w-1"]


@pytest.mark.parametrize(
    ("make", "words"),
    [("severity: hrad", "hrad"), ("size: 9", "--size"), ("classes: 4", "--classes")],
)
def test_a_setting_of_a_world_that_cannot_be_is_refused_before_any_work(tmp_path, make, words):
    rows = f"format: 1\nworlds: [{{name: w, make: {{{make}}}}}]\nrows:\n" + (
        "  - {name: inherit, recipe: inherit.yaml}\n"
    )
    plan = make_plan(load_table(str(write_rows(tmp_path, rows=rows))))
    with pytest.raises(UsageError, match=rf"World 'w'.*{words}"):
        check_worlds(plan, tmp_path / "out")
    assert not (tmp_path / "out").exists()
