import pytest

from cellwise.errors import BadOption, UnknownName
from cellwise.flow.recipe.load import load_recipe, recipe_names


def write(folder, text):
    path = folder / "own.yaml"
    path.write_text(text)
    return str(path)


def test_each_shipped_recipe_states_cost_and_command():
    for name in recipe_names():
        comment = load_recipe(name).comment
        assert "Cost:" in comment, name
        assert f"--recipe {name}" in comment, name


def test_a_step_is_written_short_or_long(tmp_path):
    raw = load_recipe(
        write(tmp_path, "format: 1\nsteps: [read, {segment: grid}, {cells: {size: 8}}]")
    )
    assert [(s.kind, s.options) for s in raw.steps] == [
        ("read", {}),
        ("segment", {"name": "grid"}),
        ("cells", {"size": 8}),
    ]


def test_a_recipe_can_stand_on_another(tmp_path):
    raw = load_recipe(write(tmp_path, "format: 1\nbase: segment-only\nset: {segment.name: grid}"))
    assert raw.overrides == {"segment.name": "grid"}
    assert raw.steps == load_recipe("segment-only").steps


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("steps: [read]", "format: 1"),
        ("format: 2\nsteps: [read]", "format: 1"),
        ("format: 1\nstep: [read]", "Did you mean 'steps'"),
        ("format: 1\nsteps: []", "lists its steps"),
        ("format: 1\nbase: segment-only\nsteps: [read]", "not both"),
        ("format: 1\nsteps: [[read]]", "written as"),
        ("format: 1\nsteps: [{read: 3}]", "options are written"),
        ("format: [", "YAML"),
    ],
)
def test_what_is_no_recipe_is_refused_with_the_reason(tmp_path, text, message):
    with pytest.raises(BadOption, match=message):
        load_recipe(write(tmp_path, text))


def test_an_unknown_recipe_is_answered_with_the_nearest():
    with pytest.raises(UnknownName, match="Did you mean 'segment-only'"):
        load_recipe("segment-onyl")
