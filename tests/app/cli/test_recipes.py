"""`cellwise recipes`: each with one whole sentence, in two columns."""

from typer.testing import CliRunner

from cellwise.app.cli import app
from cellwise.flow.recipe.load import recipe_names


def test_each_recipe_is_said_in_a_whole_sentence_in_one_column():
    lines = CliRunner().invoke(app, ["recipes"]).output.splitlines()
    assert len(lines) == len(recipe_names())
    start = max(map(len, recipe_names())) + 2
    for name, line in zip(recipe_names(), lines, strict=True):
        assert line[:start].strip() == name
        assert not line[start].isspace()
        assert line.endswith(".")
    (whole,) = [line for line in lines if line.startswith("hpa-galixir ")]
    assert "each of one fold" in whole
    assert whole.endswith("Needs a GPU.")
