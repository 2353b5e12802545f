"""Old and new words of recipes are one: the same digest and options, one line about the old."""

from dataclasses import replace

import pytest

from cellwise.errors import BadOption
from cellwise.flow.plan import recipe_from_record
from cellwise.flow.recipe.kinds import kinds, option_pages, spec_of
from cellwise.flow.recipe.load import load_recipe
from cellwise.flow.recipe.resolve import resolve
from cellwise.flow.recipe.words import recorded, spoken

OLD = """format: 1
steps:
  - read:
  - segment: given
  - cells:
  - split:
  - label: {by: inherit}
  - train: {labels: label, balance: none, keep: best_cost}
"""
NEW = (
    OLD.replace("given", "imported")
    .replace("balance", "class_weights")
    .replace("best_cost", "best_loss")
)


def written(folder, text, settings=None):
    path = folder / "own.yaml"
    path.write_text(text)
    return resolve(load_recipe(str(path)), settings or {})


def step(recipe, kind):
    (found,) = recipe.of_kind(kind)
    return found


def test_an_old_recipe_gives_the_digest_of_one_in_new_words(tmp_path):
    old, new = written(tmp_path, OLD), written(tmp_path, NEW)
    assert old.digest == new.digest
    assert [s.options for s in old.steps] == [s.options for s in new.steps]
    # Keys of runs made before hold these words.
    assert step(new, "segment").options["name"] == "given"
    assert step(new, "train").options["balance"] == "none"
    assert step(new, "train").options["keep"] == "best_cost"
    assert step(new, "train").checked.balance == "none"


def test_old_words_are_told_once_and_new_ones_not(tmp_path):
    twice = {"train.balance": "none", "segment.name": "given"}
    found = written(tmp_path, OLD, twice).notices
    assert len(found) == len(set(found)) == 3
    assert any("balance is called class_weights" in line for line in found)
    assert written(tmp_path, NEW).notices == ()


def test_settings_take_both_words(tmp_path):
    for word in ("balance", "class_weights"):
        train = step(written(tmp_path, NEW, {f"train.{word}": "even"}), "train")
        assert train.options["balance"] == "even"
        assert train.origins["balance"] == "command line"
    base = {"segment.name": "watershed", "train.keep": "best_loss"}
    assert step(written(tmp_path, NEW, base), "train").options["keep"] == "best_cost"


def test_both_words_at_once_are_refused(tmp_path):
    both = NEW.replace("class_weights: none", "class_weights: none, balance: none")
    with pytest.raises(BadOption, match="'balance' and 'class_weights' are one option"):
        written(tmp_path, both)


def test_nobody_is_told_of_words_that_a_run_recorded(tmp_path):
    old = written(tmp_path, OLD)
    steps = [{"kind": s.kind, "name": s.name, "options": s.options} for s in old.steps]
    raw = recipe_from_record({"recipe": {"name": "own", "steps": steps}})
    assert resolve(raw).notices == ()
    assert resolve(replace(raw, of_run=False)).notices != ()
    assert resolve(raw).digest == old.digest


def test_pages_speak_in_new_words():
    pages = {page.option.name: page.option.default for page in option_pages(spec_of("train"))}
    assert "class_weights" in pages
    assert "balance" not in pages
    assert pages["keep"] == "'best_loss'"


@pytest.mark.parametrize("kind", [kind for kind in kinds() if spec_of(kind).renamed])
def test_every_word_goes_both_ways(kind):
    spec = spec_of(kind)
    for one in spec.renamed:
        old = {one.option: one.old or 1, "other": 2}
        new = spoken(spec, old)
        assert new != old
        assert one.new in (*new, *new.values())
        assert recorded(spec, new) == recorded(spec, old) == old
        assert one.option in {f.alias or n for n, f in spec.options.model_fields.items()}


@pytest.mark.parametrize("kind", ["embed", "segment"])
def test_a_step_that_is_one_part_says_where_options_of_the_part_stand(tmp_path, kind):
    text = "format: 1\nsteps:\n  - read:\n  - segment:\n  - cells:\n  - embed:\n"
    word = "by" if kind == "embed" else "name"
    setting = {f"{kind}.{word}": {"name": "measured", "only": ["zones"]}}
    with pytest.raises(BadOption, match=rf"\{{{word}: measured, only: \['zones'\]\}}"):
        written(tmp_path, text, setting)
