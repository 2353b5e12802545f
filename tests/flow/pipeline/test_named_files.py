"""What a step names of earlier ones counts by the files that these write, in every recipe."""

from types import SimpleNamespace
from typing import Any

import pytest

from cellwise.flow.pipeline.inputs import _files
from cellwise.flow.recipe.load import load_recipe, recipe_names
from cellwise.flow.recipe.references import named_steps, place_of, writer
from cellwise.flow.recipe.resolve import resolve
from cellwise.store.run.folder import RunFolder


def named_files(recipe):
    """Step, read and the noun's place, for all that steps name and that counts by bytes."""
    for step in recipe.steps:
        for read in step.spec.reads:
            if read.by and read.noun.counts == "files":
                for _, name in named_steps(step, read):
                    found = writer(read.noun, recipe.steps, name)
                    own = next(n for n in found.spec.writes if n.name == read.noun.root)
                    yield step, read, place_of(own, found)


@pytest.mark.parametrize("name", recipe_names())
def test_another_file_is_another_key(tmp_path, name):
    recipe = resolve(load_recipe(name))
    state: Any = SimpleNamespace(run=RunFolder(tmp_path), request=SimpleNamespace(recipe=recipe))
    for step, read, place in named_files(recipe):
        path = tmp_path / place
        if "*" in place:
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        seen = set()
        for content in ("one", "two, longer"):
            path.write_text(content)
            seen.add(str(_files(step, read, state)))
        path.unlink()
        assert len(seen) == 2, (step.title, read.noun.name, place)


def test_recipes_of_screens_judge_by_what_was_answered():
    found = {(s.kind, place) for s, _, place in named_files(resolve(load_recipe("rxrx1-quick")))}
    assert ("evaluate", "treatments.parquet") in found
