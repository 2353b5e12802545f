"""Which runs there are, and what is refused before any of them."""

import pytest
import yaml
from tests.lab.benchmark.tiny_world import ROWS, write_rows

from cellwise.errors import BadOption, PreflightError, UnknownName, UsageError
from cellwise.lab.benchmark.plan import make_plan
from cellwise.lab.benchmark.rows import load_table
from cellwise.lab.benchmark.worlds import check_worlds


@pytest.fixture
def table(tmp_path):
    def make(change=lambda content: None):
        content = yaml.safe_load(ROWS)
        change(content)
        return load_table(str(write_rows(tmp_path, rows=yaml.safe_dump(content))))

    return make


def two_worlds(content):
    content["worlds"] = [
        {"name": "fresh", "make": {"severity": "hard"}},
        {"name": "crossed", "make": {"severity": "hard"}, "per": 2},
    ]


def test_a_world_per_seed_or_every_seed_in_every_world(table):
    names = [task.name.rpartition("-")[0] for task in make_plan(table(two_worlds)).tasks()]
    fresh = [name for name in names if name.startswith("fresh")]
    crossed = [name for name in names if name.startswith("crossed")]
    assert fresh == ["fresh-0-0", "fresh-1-1"]
    assert sorted(crossed) == ["crossed-0-0", "crossed-0-1", "crossed-1-0", "crossed-1-1"]


def test_an_unfinished_ladder_has_seen_every_world(table):
    tasks = make_plan(table(two_worlds)).tasks()
    assert {task.draw.world.name for task in tasks[:3]} == {"fresh", "crossed"}


def test_worlds_and_seeds_may_be_fewer(table):
    plan = make_plan(table(two_worlds), worlds=("fresh",), seeds=1)
    assert [task.name.rpartition("-")[0] for task in plan.tasks()] == ["fresh-0-0"]


def test_every_row_takes_the_true_outlines_and_one_thread(table, tmp_path):
    (task, *_) = make_plan(table()).tasks()
    steps = task.recipe(tmp_path).steps
    segment = next(step for step in steps if step.kind == "segment")
    assert segment.options["name"] == "given"
    assert segment.options["masks"].endswith("world/truth/masks")
    assert {step.options["threads"] for step in steps if "threads" in step.options} == {1}


def test_the_truth_folder_is_put_in(table, tmp_path):
    def change(content):
        content["rows"][1]["set"] = ["label.by=known", "label.truth=$truth"]

    (task, *_) = make_plan(table(change)).tasks()
    labels = [s.options for s in task.recipe(tmp_path).steps if s.kind == "label"]
    assert any(o["by"] == "known" and o["truth"].endswith("/world/truth") for o in labels)


@pytest.mark.parametrize(
    ("row", "kind", "words"),
    [
        ({"set": ["train.epoch=3"]}, BadOption, "Row 'soft' in world 'tiny'.*Did you mean"),
        ({"set": ["third.epochs=3"]}, UnknownName, "Row 'soft'.*names no step"),
        ({"set": ["train.epochs"]}, UsageError, "Row 'soft'"),
        ({"recipe": "hpa-slow"}, UnknownName, "Row 'soft'.*No recipe"),
        ({"set": ["train.epochs=0"]}, BadOption, "epochs is at least 1"),
    ],
)
def test_a_wrong_row_is_refused_before_any_work(table, row, kind, words):
    with pytest.raises(kind, match=words):
        make_plan(table(lambda content: content["rows"][2].update(row)))


def test_an_unknown_world_is_refused(table):
    with pytest.raises(UsageError, match="--world 'moon'"):
        make_plan(table(), worlds=("moon",))


def test_options_of_a_world_are_checked_before_any_work(table, tmp_path):
    def change(content):
        content["worlds"] = [{"name": "odd", "make": {"severty": "hard"}}]

    with pytest.raises(BadOption, match="Did you mean 'severity'"):
        check_worlds(make_plan(table(change)), tmp_path)


def test_a_world_that_should_be_there_is_missed(table, tmp_path):
    with pytest.raises(PreflightError, match="holds no truth/masks"):
        check_worlds(make_plan(table()), tmp_path)


def test_found_outlines_are_those_of_the_recipe_and_the_first_draw_is_a_seed(table, tmp_path):
    def change(content):
        content["worlds"] = [
            {"name": "sealed", "make": {"severity": "foreign"}, "outlines": "found", "first": 1000}
        ]

    tasks = make_plan(table(change)).tasks()
    assert [(task.draw.name, task.seed) for task in tasks] == [
        ("sealed-1000", 1000),
        ("sealed-1001", 1001),
    ]
    segment = next(s for s in tasks[0].recipe(tmp_path).steps if s.kind == "segment")
    assert segment.options["name"] == "watershed"


@pytest.mark.parametrize(
    ("key", "words"), [({"outlines": "rough"}, "true, found"), ({"first": -1}, "0 or above")]
)
def test_a_world_that_cannot_be_is_refused(table, key, words):
    with pytest.raises(BadOption, match=words):
        table(lambda content: content["worlds"][0].update(key))
