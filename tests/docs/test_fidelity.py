"""The page on fidelity says what recipes and parts are: every setting on it is compared."""

import re
from functools import cache
from pathlib import Path

import pytest
import yaml

from cellwise.flow.recipe.load import load_recipe, recipe_names
from cellwise.flow.recipe.resolve import resolve
from cellwise.registry import Registry

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "fidelity.md"
STATES = ("same", "changed", "impossible")
SETTING = re.compile(r"([\w-]+) ([\w@-]+)\.([\w.]+)=(.+)", re.DOTALL)
DEFAULT = re.compile(r"((?:parts|stages)/[\w/]+) (\w+)=(.+)")
OF_STEP = re.compile(r"parts/stages/(\w+)\.(\w+)=(.+)")
TEST = re.compile(r"(tests/[\w/.]+?)(?:::(\w+))?")


def rows():
    """Section, bullet, state, where and why of each row of the page."""
    section = ""
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            section = line[3:]
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if line.startswith("| ") and cells[0] not in ("in the source", "---"):
            yield section, *cells


ROWS = list(rows())


@cache
def steps(recipe):
    """The steps of a recipe by name, and score steps by `name@score` too."""
    found = {}
    for step in resolve(load_recipe(recipe)).steps:
        found.setdefault(step.name, step.options)
        found[f"{step.name}@{step.kind}"] = step.options
    return found


def value_at(value, path):
    for word in path:
        if isinstance(value, str) and word == "name":
            return value
        value = value[int(word)] if isinstance(value, list) else value[word]
    return value


def fault(said):
    """What is wrong with one reference of the page; empty where it holds, None if it is none."""
    if match := OF_STEP.fullmatch(said):
        from cellwise.flow.recipe.kinds import defaults, spec_of

        return _differs(defaults(spec_of(match[1])).get(match[2]), match[3])
    if match := DEFAULT.fullmatch(said):
        folder, _, name = match[1].rpartition("/")
        page = Registry("part", f"cellwise.{folder.replace('/', '.')}").page(name)
        own = {option.name: yaml.safe_load(option.default.strip("'\"")) for option in page.options}
        return _differs(own.get(match[2], "(no such option)"), match[3])
    if match := TEST.fullmatch(said):
        path = ROOT / match[1]
        if not path.exists():
            return f"there is no {match[1]}"
        there = not match[2] or f"def {match[2]}(" in path.read_text(encoding="utf-8")
        return "" if there else f"{match[1]} has no {match[2]}"
    match = SETTING.fullmatch(said)
    if match is None or match[1] not in recipe_names():
        return None
    known = steps(match[1])
    if match[2] not in known:
        return f"{match[1]} has no step {match[2]}"
    return _differs(value_at(known[match[2]], match[3].split(".")), match[4])


def _differs(value, said):
    wanted = yaml.safe_load(said)
    return "" if value == wanted else f"it is {value!r}, not {wanted!r}"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row[0][:12]}: {row[1][:40]}")
def test_a_row_says_what_is(row):
    assert len(row) == 5, row
    _, _, state, where, why = row
    assert state in STATES
    found = [fault(said) for said in re.findall(r"`([^`]+)`", where)]
    assert not [text for text in found if text], row
    if state == "same":
        assert "" in found, "a row that says same names a setting, a default or a test"
    else:
        assert why.strip(), "what is changed has its reason"


def test_every_section_has_rows_and_no_bullet_stands_twice():
    bullets = [(section, bullet) for section, bullet, *_ in ROWS]
    assert len(bullets) == len(set(bullets))
    assert len(ROWS) > 100
    assert {"same", "changed"} <= {row[2] for row in ROWS}


def test_a_wrong_word_on_the_page_is_found():
    assert fault("hpa-galixir masked_rexnet.epochs=15") == ""
    assert fault("hpa-galixir masked_rexnet.epochs=16")
    assert fault("hpa-galixir masked_nobody.epochs=15")
    assert fault("parts/losses/focal gamma=2.5")
    assert fault("tests/docs/test_fidelity.py::test_nothing")
    assert fault("some words") is None
